//! jq filters as a data language: parsed against an allow-list, so that every one of them ends and touches nothing else.
//!
//! The interpreter has no step limit and offers definitions that never end, the environment and process exit; its own
//! JSON reader recurses without bound. Therefore only values that `serde_json` has read (128 levels at most) go in, only
//! forms and functions named here are accepted, and only a bounded number of outputs is taken.

mod deep;
mod kept;

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::sync::LazyLock;

use jaq_core::load::lex::StrPart;
use jaq_core::load::parse::{BinaryOp, Pattern, Term};
use jaq_core::load::{Arena, File, Loader, lex, parse};
use jaq_core::ops::Math;
use jaq_core::path::Part;
use jaq_core::{Compiler, Ctx, Vars, data, unwrap_valr};
use jaq_json::Num;
pub use jaq_json::Val;
use serde_json::Value;

use self::deep::on_deep_stack;

/// Longest filter text in bytes, bound variables included.
const MAX_SOURCE: usize = 64 * 1024;
/// Most tokens of one filter: the parser recurses along operators.
const MAX_TOKENS: usize = 1_500;
/// Deepest brackets of one filter.
const MAX_NESTING: usize = 32;
/// Most `+` in one filter: each can double a value.
const MAX_SUMS: usize = 12;
/// Most outputs taken from one run.
const MAX_OUTPUTS: usize = 1_000;

/// Functions a filter may call: each ends, does no I/O and allocates in proportion to its input.
const FUNCTIONS: &[&str] = &[
    "@base64",
    "@base64d",
    "@uri",
    "@urid",
    "add",
    "all",
    "any",
    "arrays",
    "ascii_downcase",
    "ascii_upcase",
    "booleans",
    "contains",
    "empty",
    "endswith",
    "error",
    "false",
    "first",
    "floor",
    "from_entries",
    "fromdate",
    "fromdateiso8601",
    "group_by",
    "has",
    "in",
    "index",
    "indices",
    "inside",
    "isempty",
    "join",
    "keys",
    "keys_unsorted",
    "last",
    "length",
    "ltrimstr",
    "map",
    "map_values",
    "max",
    "max_by",
    "min",
    "min_by",
    "not",
    "null",
    "numbers",
    "objects",
    "reverse",
    "round",
    "rtrimstr",
    "select",
    "sort",
    "sort_by",
    "split",
    "startswith",
    "strings",
    "to_entries",
    "todate",
    "todateiso8601",
    "tojson",
    "tostring",
    "trim",
    "true",
    "type",
    "unique",
    "unique_by",
    "values",
    "with_entries",
];

/// Why a filter was refused or gave nothing usable.
#[derive(Debug, thiserror::Error, PartialEq, Eq)]
pub enum JqError {
    /// Longer or deeper than any filter needs to be.
    #[error("jq filter is too {0}; split it or shape the data in two reads")]
    TooBig(&'static str),
    /// Not jq.
    #[error("jq filter does not parse near `{0}`")]
    Syntax(String),
    /// A form or function outside the allow-list.
    #[error(
        "jq filter uses `{0}`, which is not offered here; use paths, select, map, comparisons and the other plain functions"
    )]
    NotOffered(String),
    /// An unknown function or variable.
    #[error(
        "jq filter names `{0}`, which does not exist; declare it as a parameter or lookup variable"
    )]
    Undefined(String),
    /// The filter stopped with an error on this input.
    #[error("jq filter failed on its input: {0}")]
    Failed(String),
    /// No output where one is needed.
    #[error("jq filter gave no output")]
    Nothing,
}

/// Checks a filter without running it.
pub fn check(source: &str) -> Result<(), JqError> {
    measure(source)?;
    let source = source.to_owned();
    on_deep_stack(move || check_parsed(&source))
}

fn check_parsed(source: &str) -> Result<(), JqError> {
    walk(source)?;
    compile(source, &[]).map(drop)
}

/// Parses a filter and refuses what is not offered.
fn walk(source: &str) -> Result<(), JqError> {
    let tokens = lex::Lexer::new(source)
        .lex()
        .map_err(|errors| JqError::Syntax(excerpt(errors.first().map_or("", |(_, rest)| rest))))?;
    let term = parse::Parser::new(&tokens)
        .parse(parse::Parser::term)
        .map_err(|errors| {
            let near = errors.first().and_then(|(_, token)| *token);
            JqError::Syntax(excerpt(near.map_or("the end", |t| t.0)))
        })?;
    allow(&term, &mut 0)
}

/// Runs a filter and returns its outputs, 1,000 at most.
pub fn run(source: &str, input: &Value) -> Result<Vec<Value>, JqError> {
    measure(source)?;
    let tokens = tokens(source);
    if tokens > MAX_SHORT {
        let (source, input) = (source.to_owned(), input.clone());
        return on_deep_stack(move || {
            walk(&source)?;
            outputs(&compile(&source, &[])?, &to_val(&input))
        });
    }
    let filter = kept::filter(source)?;
    if tokens > MAX_PLAIN {
        let input = input.clone();
        return on_deep_stack(move || outputs(&filter.compiled, &to_val(&input)));
    }
    // As on a thread of its own, a panic of the interpreter is an error.
    let run = std::panic::AssertUnwindSafe(|| outputs(&filter.compiled, &to_val(input)));
    std::panic::catch_unwind(run).unwrap_or_else(|_| Err(deep::gave_up()))
}

/// Runs what was compiled without variables.
fn outputs(
    filter: &jaq_core::Filter<data::JustLut<Val>>,
    input: &Val,
) -> Result<Vec<Value>, JqError> {
    let ctx = Ctx::<data::JustLut<Val>>::new(&filter.lut, Vars::new([]));
    let run = filter.id.run((ctx, input.clone())).map(unwrap_valr);
    run.take(MAX_OUTPUTS)
        .map(|out| {
            out.map(|val| from_val(&val, 0))
                .map_err(|e| JqError::Failed(excerpt(&e.to_string())))
        })
        .collect()
}

/// Most tokens of a [`Filter`]: short enough to run on any caller's stack.
const MAX_SHORT: usize = 200;
/// Most tokens of a filter that is not worth another thread: what asks whether something is so has no more.
const MAX_PLAIN: usize = 40;

/// A short filter, compiled once and run on many values.
pub struct Filter {
    source: String,
    compiled: jaq_core::Filter<data::JustLut<Val>>,
}

impl std::fmt::Debug for Filter {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_tuple("Filter").field(&self.source).finish()
    }
}

impl Filter {
    /// Checks and compiles a filter that may mention the variables `vars` (names without `$`).
    pub fn compile(source: &str, vars: &[&str]) -> Result<Self, JqError> {
        measure(source)?;
        if tokens(source) > MAX_SHORT {
            return Err(JqError::TooBig("complicated"));
        }
        let compiled = {
            let source = source.to_owned();
            let vars: Vec<String> = vars.iter().map(|v| (*v).to_owned()).collect();
            on_deep_stack(move || {
                walk(&source)?;
                compile(
                    &source,
                    &vars.iter().map(String::as_str).collect::<Vec<_>>(),
                )
            })?
        };
        Ok(Self {
            source: source.trim().to_owned(),
            compiled,
        })
    }

    /// Returns the text it was compiled from.
    pub fn source(&self) -> &str {
        &self.source
    }

    /// Runs it until `take` returns something for one of its outputs, 1,000 of them at most. `vars` are the values of
    /// the variables it was compiled with, in that order. `input` must not be nested deeper than 128 levels.
    pub fn find<T>(
        &self,
        input: &Val,
        vars: &[Val],
        mut take: impl FnMut(Value) -> Option<T>,
    ) -> Result<Option<T>, JqError> {
        let vars = Vars::new(vars.iter().cloned());
        let ctx = Ctx::<data::JustLut<Val>>::new(&self.compiled.lut, vars);
        let run = self.compiled.id.run((ctx, input.clone())).map(unwrap_valr);
        for out in run.take(MAX_OUTPUTS) {
            let out = out.map_err(|e| JqError::Failed(excerpt(&e.to_string())))?;
            if let Some(taken) = take(from_val(&out, 0)) {
                return Ok(Some(taken));
            }
        }
        Ok(None)
    }
}

/// Runs a filter and returns its first output.
pub fn first(source: &str, input: &Value) -> Result<Value, JqError> {
    run(source, input)?
        .into_iter()
        .next()
        .ok_or(JqError::Nothing)
}

/// Tells whether the first output is `true`; everything else, also other values that jq treats as true, is not.
pub fn is_true(source: &str, input: &Value) -> Result<bool, JqError> {
    first(source, input).map(|v| v == Value::Bool(true))
}

/// Binds those variables that a filter mentions, as JSON literals in front of it, so that the result stands alone.
pub fn with_vars(source: &str, vars: &BTreeMap<String, Value>) -> String {
    let mut out = String::new();
    for name in mentioned(source) {
        if let Some(value) = vars.get(name) {
            // A JSON text is a jq literal: a backslash is always escaped in it, so nothing interpolates.
            // Writing to a String cannot fail.
            let _ = write!(out, "{value} as ${name} | ");
        }
    }
    if out.is_empty() {
        source.trim().to_owned()
    } else {
        out.push('(');
        out.push_str(source.trim());
        out.push(')');
        out
    }
}

/// Returns the names that occur as `$name`, each once, without those that the filter binds itself (`… as $name`).
pub fn mentioned(source: &str) -> Vec<&str> {
    let (mut names, mut own) = (Vec::new(), Vec::new());
    for (at, _) in source.match_indices('$') {
        let rest = &source[at + 1..];
        let end = rest
            .find(|c: char| !c.is_ascii_alphanumeric() && c != '_')
            .unwrap_or(rest.len());
        if end == 0 {
            continue;
        }
        let bound = source[..at].trim_end().ends_with(" as");
        if bound { &mut own } else { &mut names }.push(&rest[..end]);
    }
    names.retain(|name| !own.contains(name));
    names.sort_unstable();
    names.dedup();
    names
}

/// Counts words and signs outside strings.
fn tokens(source: &str) -> usize {
    let (mut count, mut in_word, mut in_string, mut escaped) = (0, false, false, false);
    for c in source.chars() {
        if in_string {
            in_string = c != '"' || escaped;
            escaped = c == '\\' && !escaped;
            continue;
        }
        let word = c.is_alphanumeric() || c == '_';
        count += usize::from(!(c.is_whitespace() || word && in_word));
        in_word = word;
        in_string = c == '"';
    }
    count
}

/// Refuses what could overflow the parser's stack, before it is parsed.
fn measure(source: &str) -> Result<(), JqError> {
    if source.len() > MAX_SOURCE {
        return Err(JqError::TooBig("long"));
    }
    let (mut depth, mut deepest, mut tokens) = (0usize, 0usize, 0usize);
    let (mut in_string, mut escaped, mut in_word) = (false, false, false);
    for c in source.chars() {
        if in_string {
            match c {
                // Interpolation nests; counting it as plain nesting for good keeps this scan simple and safe.
                '(' if escaped => deepest += 1,
                '"' if !escaped => in_string = false,
                _ => {}
            }
            escaped = c == '\\' && !escaped;
            continue;
        }
        let word = c.is_alphanumeric() || c == '_';
        tokens += usize::from(!(c.is_whitespace() || word && in_word));
        in_word = word;
        match c {
            '"' => in_string = true,
            '(' | '[' | '{' => depth += 1,
            ')' | ']' | '}' => depth = depth.saturating_sub(1),
            _ => {}
        }
        deepest = deepest.max(depth);
    }
    if deepest > MAX_NESTING {
        return Err(JqError::TooBig("deeply nested"));
    }
    if tokens > MAX_TOKENS {
        return Err(JqError::TooBig("complicated"));
    }
    Ok(())
}

/// Walks a parsed filter and refuses everything outside the allow-list.
fn allow(term: &Term<&str>, sums: &mut usize) -> Result<(), JqError> {
    let refuse = |what: &str| Err(JqError::NotOffered(what.to_owned()));
    match term {
        Term::Id | Term::Num(_) | Term::Var(_) => Ok(()),
        Term::Recurse => refuse(".."),
        Term::Label(..) | Term::Break(_) => refuse("label"),
        Term::Def(..) => refuse("def"),
        Term::Str(Some(format), _) => refuse(format),
        Term::Str(None, parts) => parts.iter().try_for_each(|part| match part {
            StrPart::Term(inner) => allow(inner, sums),
            StrPart::Str(_) | StrPart::Char(_) => Ok(()),
        }),
        Term::Arr(inner) => inner.iter().try_for_each(|t| allow(t, sums)),
        Term::Obj(entries) => entries.iter().try_for_each(|(key, value)| {
            allow(key, sums)?;
            value.iter().try_for_each(|v| allow(v, sums))
        }),
        Term::Neg(inner) => allow(inner, sums),
        Term::BinOp(left, op, right) => {
            allow_op(op, sums)?;
            allow(left, sums)?;
            allow(right, sums)
        }
        Term::TryCatch(body, handler) => {
            allow(body, sums)?;
            handler.iter().try_for_each(|t| allow(t, sums))
        }
        Term::IfThenElse(branches, otherwise) => {
            for (condition, then) in branches {
                allow(condition, sums)?;
                allow(then, sums)?;
            }
            otherwise.iter().try_for_each(|t| allow(t, sums))
        }
        Term::Call(name, args) if FUNCTIONS.contains(name) => {
            args.iter().try_for_each(|t| allow(t, sums))
        }
        Term::Call(name, _) | Term::Fold(name, ..) => refuse(name),
        Term::Path(head, path) => {
            allow(head, sums)?;
            path.0.iter().try_for_each(|(part, _)| match part {
                Part::Index(i) => allow(i, sums),
                Part::Range(from, to) => from.iter().chain(to).try_for_each(|t| allow(t, sums)),
            })
        }
    }
}

fn allow_op(op: &BinaryOp<&str>, sums: &mut usize) -> Result<(), JqError> {
    let refuse = |what: &str| Err(JqError::NotOffered(what.to_owned()));
    match op {
        BinaryOp::Math(Math::Add) if *sums >= MAX_SUMS => Err(JqError::TooBig("rich in `+`")),
        BinaryOp::Math(Math::Add) => {
            *sums += 1;
            Ok(())
        }
        // Multiplication repeats strings; updates at an index allocate up to it.
        BinaryOp::Math(Math::Mul) => refuse("*"),
        BinaryOp::Assign | BinaryOp::Update | BinaryOp::UpdateMath(_) | BinaryOp::UpdateAlt => {
            refuse("=")
        }
        BinaryOp::Pipe(Some(pattern)) => allow_pattern(pattern, sums),
        BinaryOp::Pipe(None)
        | BinaryOp::Comma
        | BinaryOp::Alt
        | BinaryOp::Or
        | BinaryOp::And
        | BinaryOp::Math(_)
        | BinaryOp::Cmp(_) => Ok(()),
    }
}

fn allow_pattern(pattern: &Pattern<&str>, sums: &mut usize) -> Result<(), JqError> {
    match pattern {
        Pattern::Var(_) => Ok(()),
        Pattern::Arr(items) => items.iter().try_for_each(|p| allow_pattern(p, sums)),
        Pattern::Obj(entries) => entries.iter().try_for_each(|(key, inner)| {
            allow(key, sums)?;
            allow_pattern(inner, sums)
        }),
    }
}

/// Compiles a filter that [`walk`] has accepted.
/// What is defined in jq itself, read once: reading it takes longer than most filters do.
static DEFINED: LazyLock<Vec<parse::Def<&'static str>>> = LazyLock::new(|| {
    let core = jaq_core::defs().chain(jaq_std::defs());
    core.chain(jaq_json::defs()).collect()
});

fn compile(source: &str, vars: &[&str]) -> Result<jaq_core::Filter<data::JustLut<Val>>, JqError> {
    let funs = jaq_core::funs()
        .chain(jaq_std::funs())
        .chain(jaq_json::funs());
    let arena = Arena::default();
    let file = File {
        code: source,
        path: (),
    };
    let modules = Loader::new(DEFINED.iter().cloned())
        .load(&arena, file)
        .map_err(|_| JqError::Syntax(excerpt(source)))?;
    let names: Vec<String> = vars.iter().map(|name| format!("${name}")).collect();
    Compiler::default()
        .with_funs(funs)
        .with_global_vars(names.iter().map(String::as_str))
        .compile(modules)
        .map_err(|errors| {
            let name = errors.first().and_then(|(_, list)| list.first());
            JqError::Undefined(excerpt(name.map_or("", |(name, _)| name)))
        })
}

/// Shortens text for an error and shows what it holds.
fn excerpt(text: &str) -> String {
    let short: String = text.chars().take(60).collect();
    crate::domain::text::show(&short).into_owned()
}

/// Makes a value that filters read.
pub fn to_val(value: &Value) -> Val {
    match value {
        Value::Null => Val::Null,
        Value::Bool(b) => Val::Bool(*b),
        Value::Number(n) => Val::Num(
            n.as_i64()
                .and_then(|i| isize::try_from(i).ok())
                .map_or_else(|| Num::from_dec_str(&n.to_string()), Num::Int),
        ),
        Value::String(s) => Val::from(s.clone()),
        Value::Array(items) => items.iter().map(to_val).collect(),
        Value::Object(map) => Val::obj(
            map.iter()
                .map(|(k, v)| (Val::from(k.clone()), to_val(v)))
                .collect(),
        ),
    }
}

/// Deepest output kept; a filter can wrap its input in a few levels more.
const MAX_DEPTH: usize = 192;

fn from_val(val: &Val, depth: usize) -> Value {
    if depth > MAX_DEPTH {
        return Value::Null;
    }
    match val {
        Val::Null => Value::Null,
        Val::Bool(b) => Value::Bool(*b),
        Val::Num(Num::Int(i)) => Value::from(*i as i64),
        Val::Num(Num::Float(f)) if f.fract() == 0.0 && f.abs() < 9e15 => Value::from(*f as i64),
        Val::Num(n) => serde_json::from_str(&n.to_string()).unwrap_or(Value::Null),
        Val::BStr(b) | Val::TStr(b) => Value::String(String::from_utf8_lossy(b).into_owned()),
        Val::Arr(items) => items.iter().map(|v| from_val(v, depth + 1)).collect(),
        Val::Obj(map) => Value::Object(
            map.iter()
                .map(|(k, v)| {
                    let key = match k {
                        Val::TStr(b) | Val::BStr(b) => String::from_utf8_lossy(b).into_owned(),
                        other => other.to_string(),
                    };
                    (key, from_val(v, depth + 1))
                })
                .collect(),
        ),
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use rstest::rstest;
    use serde_json::json;

    use super::*;

    #[rstest]
    #[case(".a.b[0]", json!({"a": {"b": [7]}}), json!(7))]
    #[case("[.[] | select(.on) | .n] | sort", json!([{"on": true, "n": 2}, {"on": false, "n": 1}]), json!([2]))]
    #[case(".t / 1000 | floor | todate", json!({"t": 1_795_259_357_000_u64}), json!("2026-11-21T11:09:17Z"))]
    #[case("{x: (.a // \"none\")}", json!({}), json!({"x": "none"}))]
    #[case("\"v\\(.a)\"", json!({"a": 1}), json!("v1"))]
    #[case("to_entries | map(.key)", json!({"b": 1, "a": 2}), json!(["b", "a"]))]
    #[case(".big", json!({"big": u64::MAX}), json!(1.844_674_407_370_955_2e19))]
    fn shapes_data(#[case] filter: &str, #[case] input: Value, #[case] want: Value) {
        assert_eq!(first(filter, &input), Ok(want));
    }

    #[rstest]
    #[case("def f: f; f")]
    #[case("repeat(1)")]
    #[case("range(9)")]
    #[case("[recurse]")]
    #[case("..")]
    #[case("while(true; .)")]
    #[case("until(false; .)")]
    #[case("halt")]
    #[case("halt_error")]
    #[case("env")]
    #[case("$ENV")]
    #[case("input")]
    #[case("import \"a\" as a; .")]
    #[case("include \"a\"; .")]
    #[case("limit(3; .[])")]
    #[case("\"x\" * 10000000000")]
    #[case(".[1000000000] = 1")]
    #[case(". |= 1")]
    #[case("reduce .[] as $x (\"a\"; . + .)")]
    #[case("fromjson")]
    #[case("tonumber")]
    #[case("label $x | break $x")]
    #[case("@sh")]
    #[case("@base64 \"a\"")]
    #[case("[splits(\"a\")]")]
    #[case("\"\\(env)\"")]
    #[case("{(env): 1}")]
    #[case(".[env]")]
    #[case("try env catch halt")]
    #[case("if env then 1 else 2 end")]
    #[case("nosuch")]
    #[case("$nosuch")]
    #[case(".a | (")]
    #[case("")]
    fn refuses(#[case] filter: &str) {
        assert!(check(filter).is_err(), "{filter}");
    }

    #[rstest]
    #[case("(".repeat(5_000))]
    #[case("[".repeat(5_000))]
    #[case("-".repeat(60_000))]
    #[case("if ".repeat(5_000))]
    #[case("try ".repeat(5_000))]
    #[case(".|".repeat(5_000))]
    #[case("\"\\(".repeat(5_000))]
    #[case(".a".repeat(40_000))]
    #[case(format!("1{}", "+1".repeat(30)))]
    fn refuses_what_would_exhaust(#[case] filter: String) {
        assert!(check(&filter).is_err());
    }

    #[test]
    fn the_largest_accepted_chains_do_not_overflow() {
        for unit in ["-", ".|", "if ", "try ", "1,", "not|"] {
            let _ = check(&(unit.repeat(MAX_TOKENS / 2 - 2) + "1"));
        }
    }

    #[test]
    fn variables_are_literals_and_nothing_splices() {
        let vars = BTreeMap::from([
            ("id".to_owned(), json!("x\" | env | \"\\(env)")),
            ("roles".to_owned(), json!([{"a": -1.5}, "é\u{1}"])),
            ("unused".to_owned(), json!(1)),
        ]);
        let bound = with_vars(".id == $id and ($roles | length == 2)", &vars);
        assert!(!bound.contains("unused"));
        let input = json!({"id": "x\" | env | \"\\(env)"});
        assert_eq!(is_true(&bound, &input), Ok(true));
        assert_eq!(
            first(&with_vars("$roles", &vars), &json!(null)),
            Ok(vars["roles"].clone())
        );
    }

    #[test]
    fn takes_a_bounded_number_of_outputs() {
        let many: Value = (0..5_000).map(Value::from).collect();
        assert_eq!(run(".[]", &many).unwrap().len(), MAX_OUTPUTS);
    }

    proptest! {
        #[test]
        fn any_text_is_refused_or_ends(source in ".{0,60}", n in any::<i32>()) {
            let _ = run(&source, &json!({"a": [n, "x", null]}));
        }

        #[test]
        fn any_string_survives_binding(text in any::<String>()) {
            let vars = BTreeMap::from([("v".to_owned(), Value::String(text.clone()))]);
            prop_assert_eq!(first(&with_vars("$v", &vars), &Value::Null), Ok(Value::String(text)));
        }
    }
}
