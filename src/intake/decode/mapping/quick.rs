//! The common part of jq, run on an alert as it was read: the interpreter wants a copy of all of it, and is ten times as
//! slow. What is not plain, in a filter or in what it meets, is left to the interpreter, which then starts anew: nothing
//! is handed on before a run is over.

mod read;

use serde_json::{Number, Value};

use crate::intake::json::Json;

/// Most outputs of one run; with more the interpreter decides.
const MOST_OUTPUTS: usize = 500;

/// A filter that may be run here.
#[derive(Debug)]
pub(super) struct Quick {
    term: Term,
    /// How many variables there are to be.
    vars: usize,
}

/// One part of a filter.
#[derive(Debug)]
enum Term {
    /// `.`
    Input,
    /// `$name`, by its place.
    Var(usize),
    /// `a as $name | b`
    Bind(Box<Term>, Box<Term>),
    /// A value that is written out.
    Value(Json<'static>),
    /// `"…\(…)…"`: texts and what stands between them.
    Text(Vec<Term>),
    /// `t.key`
    Key(Box<Term>, String),
    /// `t[k]`, where `k` yields the key.
    KeyOf(Box<Term>, Box<Term>),
    /// `t[0]`
    At(Box<Term>, usize),
    /// `t[1:]`
    From(Box<Term>, usize),
    /// `t[]`
    Each(Box<Term>),
    /// `a | b`
    Pipe(Box<Term>, Box<Term>),
    /// `a, b`
    Both(Box<Term>, Box<Term>),
    /// `a // b`
    Else(Box<Term>, Box<Term>),
    /// `a == b`, or not.
    Same(Box<Term>, Box<Term>, bool),
    /// `a > b` of whole numbers, or `a < b` the other way.
    More(Box<Term>, Box<Term>),
    And(Box<Term>, Box<Term>),
    Or(Box<Term>, Box<Term>),
    /// `if a then b else c end`
    If(Box<Term>, Box<Term>, Box<Term>),
    /// `[t]`
    List(Option<Box<Term>>),
    /// `{key: t}`
    Object(Vec<(String, Term)>),
    Call(Call),
}

/// A function.
#[derive(Debug)]
enum Call {
    Objects,
    Arrays,
    Strings,
    Numbers,
    Values,
    Empty,
    Not,
    Length,
    ToString,
    Keys,
    Unique,
    Select(Box<Term>),
    Map(Box<Term>),
    Join(String),
    Split(String),
    StartsWith(String),
}

/// A value on its way: as it was read, or made.
#[derive(Clone, Debug)]
enum Val<'v> {
    Read(&'v Json<'v>),
    Made(Json<'v>),
}

impl<'v> Val<'v> {
    fn json(&self) -> &Json<'v> {
        match self {
            Self::Read(json) => json,
            Self::Made(json) => json,
        }
    }

    fn into_json(self) -> Json<'v> {
        match self {
            Self::Read(json) => json.clone(),
            Self::Made(json) => json,
        }
    }

    fn is_true(&self) -> bool {
        !matches!(self.json(), Json::Null | Json::Bool(false))
    }

    /// Returns what stands at a key of an object, or of nothing.
    fn key(self, key: &str) -> Option<Self> {
        match self {
            Self::Read(json) => match json {
                Json::Null => Some(Self::Made(Json::Null)),
                Json::Object(_) => Some(json.get(key).map_or(Self::Made(Json::Null), Self::Read)),
                _ => None,
            },
            Self::Made(Json::Null) => Some(Self::Made(Json::Null)),
            Self::Made(Json::Object(members)) => {
                let found = members.into_iter().find(|(known, _)| known == key);
                Some(Self::Made(found.map_or(Json::Null, |(_, value)| value)))
            }
            Self::Made(_) => None,
        }
    }

    fn at(self, at: usize) -> Option<Self> {
        let nothing = Self::Made(Json::Null);
        match self {
            Self::Read(Json::List(items)) => Some(items.get(at).map_or(nothing, Self::Read)),
            Self::Made(Json::List(items)) => {
                let found = items.into_iter().nth(at);
                Some(found.map_or(nothing, Self::Made))
            }
            Self::Read(Json::Null) | Self::Made(Json::Null) => Some(nothing),
            _ => None,
        }
    }
}

/// Outputs; nothing when the interpreter must decide.
type Ran = Option<()>;

/// Variables: those that are given, and behind them those that are bound on the way.
#[derive(Clone, Debug)]
struct Vars<'v> {
    given: &'v [Json<'v>],
    /// How many are to be given; some runs have none.
    names: usize,
    bound: Vec<Val<'v>>,
}

impl<'v> Vars<'v> {
    fn get(&self, at: usize) -> Option<Val<'v>> {
        match at.checked_sub(self.names) {
            None => self.given.get(at).map(Val::Read),
            Some(at) => self.bound.get(at).cloned(),
        }
    }

    fn with(&self, val: Val<'v>) -> Self {
        let mut bound = self.bound.clone();
        bound.push(val);
        Self { bound, ..*self }
    }
}

impl Quick {
    /// Reads a filter with these variables; nothing when it is not plain.
    pub fn read(source: &str, vars: &[&str]) -> Option<Self> {
        let term = read::filter(source, vars)?;
        let vars = vars.len();
        Some(Self { term, vars })
    }

    /// Runs it; nothing when the interpreter must decide.
    pub fn run<'v>(&self, input: &'v Json<'v>, vars: &'v [Json<'v>]) -> Option<Vec<Value>> {
        let mut out = Vec::new();
        let vars = Vars {
            given: vars,
            names: self.vars,
            bound: Vec::new(),
        };
        self.term.run(&Val::Read(input), &vars, &mut out)?;
        Some(out.iter().map(|val| plain(val.json())).collect())
    }
}

impl Term {
    fn run<'v>(&self, input: &Val<'v>, vars: &Vars<'v>, out: &mut Vec<Val<'v>>) -> Ran {
        match self {
            Self::Input => out.push(input.clone()),
            Self::Var(at) => out.push(vars.get(*at)?),
            Self::Bind(of, body) => {
                for val in of.all(input, vars)? {
                    body.run(input, &vars.with(val), out)?;
                }
            }
            Self::Value(value) => out.push(Val::Made(value.clone())),
            Self::Text(parts) => {
                let mut text = String::new();
                for part in parts {
                    text.push_str(&in_words(part.one(input, vars)?.json())?);
                }
                out.push(Val::Made(Json::Text(text.into())));
            }
            Self::Key(..) | Self::KeyOf(..) | Self::From(..) | Self::At(..) | Self::Each(_) => {
                self.look_up(input, vars, out)?;
            }
            Self::Pipe(from, to) => {
                for val in from.all(input, vars)? {
                    to.run(&val, vars, out)?;
                }
            }
            Self::Both(one, other) => {
                one.run(input, vars, out)?;
                other.run(input, vars, out)?;
            }
            Self::Else(one, other) => {
                let mut found = one.all(input, vars)?;
                found.retain(Val::is_true);
                match found.is_empty() {
                    true => other.run(input, vars, out)?,
                    false => out.append(&mut found),
                }
            }
            Self::If(when, then, otherwise) => {
                for val in when.all(input, vars)? {
                    let branch = if val.is_true() { then } else { otherwise };
                    branch.run(input, vars, out)?;
                }
            }
            Self::Same(one, other, wanted) => {
                let (one, other) = (one.one(input, vars)?, other.one(input, vars)?);
                let is = is_same(one.json(), other.json())? == *wanted;
                out.push(Val::Made(Json::Bool(is)));
            }
            Self::More(one, other) => {
                let (one, other) = (one.one(input, vars)?, other.one(input, vars)?);
                let is = whole(one.json())? > whole(other.json())?;
                out.push(Val::Made(Json::Bool(is)));
            }
            Self::And(one, other) => {
                let is = one.one(input, vars)?.is_true() && other.one(input, vars)?.is_true();
                out.push(Val::Made(Json::Bool(is)));
            }
            Self::Or(one, other) => {
                let is = one.one(input, vars)?.is_true() || other.one(input, vars)?.is_true();
                out.push(Val::Made(Json::Bool(is)));
            }
            Self::List(of) => {
                let items = of
                    .as_ref()
                    .map_or(Some(Vec::new()), |of| of.all(input, vars))?;
                let items = items.into_iter().map(Val::into_json);
                out.push(Val::Made(Json::List(items.collect())));
            }
            Self::Object(members) => {
                let mut made = Vec::with_capacity(members.len());
                for (key, value) in members {
                    let value = value.one(input, vars)?.into_json();
                    made.push((key.clone().into(), value));
                }
                out.push(Val::Made(Json::Object(made.into())));
            }
            Self::Call(call) => call.run(input, vars, out)?,
        }
        (out.len() <= MOST_OUTPUTS).then_some(())
    }

    /// Runs what looks something up in each of several values.
    fn look_up<'v>(&self, input: &Val<'v>, vars: &Vars<'v>, out: &mut Vec<Val<'v>>) -> Ran {
        match self {
            Self::Key(of, key) => {
                for val in of.all(input, vars)? {
                    out.push(val.key(key)?);
                }
            }
            Self::KeyOf(of, by) => {
                let key = by.one(input, vars)?;
                let key = as_text(key.json())?;
                for val in of.all(input, vars)? {
                    out.push(val.key(key)?);
                }
            }
            Self::From(of, from) => {
                for val in of.all(input, vars)? {
                    let Json::List(items) = val.into_json() else {
                        return None;
                    };
                    let rest = items.into_iter().skip(*from).collect();
                    out.push(Val::Made(Json::List(rest)));
                }
            }
            Self::At(of, at) => {
                for val in of.all(input, vars)? {
                    out.push(val.at(*at)?);
                }
            }
            Self::Each(of) => {
                for val in of.all(input, vars)? {
                    each(val, out)?;
                }
            }
            _ => return None,
        }
        Some(())
    }

    fn all<'v>(&self, input: &Val<'v>, vars: &Vars<'v>) -> Option<Vec<Val<'v>>> {
        let mut out = Vec::new();
        self.run(input, vars, &mut out)?;
        Some(out)
    }

    /// Returns the only output: what several of them come to is for the interpreter.
    fn one<'v>(&self, input: &Val<'v>, vars: &Vars<'v>) -> Option<Val<'v>> {
        let mut out = self.all(input, vars)?;
        let last = out.pop();
        last.filter(|_| out.is_empty())
    }
}

impl Call {
    fn run<'v>(&self, input: &Val<'v>, vars: &Vars<'v>, out: &mut Vec<Val<'v>>) -> Ran {
        let json = input.json();
        let passes = match self {
            Self::Objects => matches!(json, Json::Object(_)),
            Self::Arrays => matches!(json, Json::List(_)),
            Self::Strings => matches!(json, Json::Text(_)),
            Self::Numbers => matches!(json, Json::Number(_)),
            Self::Values => *json != Json::Null,
            Self::Empty => false,
            Self::Select(when) => {
                for val in when.all(input, vars)? {
                    out.extend(val.is_true().then(|| input.clone()));
                }
                return Some(());
            }
            Self::Map(by) => {
                let (mut items, mut made) = (Vec::new(), Vec::new());
                let Json::List(_) = json else {
                    return None;
                };
                each(input.clone(), &mut items)?;
                for item in items {
                    by.run(&item, vars, &mut made)?;
                }
                let made = made.into_iter().map(Val::into_json);
                out.push(Val::Made(Json::List(made.collect())));
                return Some(());
            }
            scalar => {
                out.push(Val::Made(scalar.make(json)?));
                return Some(());
            }
        };
        out.extend(passes.then(|| input.clone()));
        Some(())
    }

    /// Makes one value of another.
    fn make<'v>(&self, json: &Json<'v>) -> Option<Json<'v>> {
        Some(match (self, json) {
            (Self::Not, json) => Json::Bool(matches!(json, Json::Null | Json::Bool(false))),
            (Self::Length, Json::Null) => Json::Number(Number::from(0)),
            (Self::Length, Json::List(items)) => Json::Number(Number::from(items.len())),
            (Self::ToString, json) => Json::Text(in_words(json)?.into()),
            (Self::Join(by), Json::List(items)) if !items.is_empty() => {
                let texts: Option<Vec<&str>> = items.iter().map(as_text).collect();
                Json::Text(texts?.join(by).into())
            }
            (Self::Keys, Json::Object(members)) => {
                let keys = members.iter().map(|(key, _)| key.to_string());
                sorted(keys.collect())
            }
            (Self::Unique, Json::List(items)) => {
                let texts = items.iter().map(|item| as_text(item).map(str::to_owned));
                sorted(texts.collect::<Option<_>>()?)
            }
            (Self::Split(by), Json::Text(text)) if !text.is_empty() && !by.is_empty() => {
                let parts = text.split(by.as_str());
                Json::List(
                    parts
                        .map(|part| Json::Text(part.to_owned().into()))
                        .collect(),
                )
            }
            (Self::StartsWith(begin), Json::Text(text)) => {
                Json::Bool(text.starts_with(begin.as_str()))
            }
            _ => return None,
        })
    }
}

/// Makes a list of texts in the order of their characters, each once.
fn sorted<'v>(mut texts: Vec<String>) -> Json<'v> {
    texts.sort_unstable();
    texts.dedup();
    let texts = texts.into_iter().map(|text| Json::Text(text.into()));
    Json::List(texts.collect())
}

fn as_text<'j>(json: &'j Json<'_>) -> Option<&'j str> {
    match json {
        Json::Text(text) => Some(text),
        _ => None,
    }
}

fn each<'v>(val: Val<'v>, out: &mut Vec<Val<'v>>) -> Ran {
    match val {
        Val::Read(Json::List(items)) => out.extend(items.iter().map(Val::Read)),
        Val::Made(Json::List(items)) => out.extend(items.into_iter().map(Val::Made)),
        Val::Read(Json::Object(members)) => {
            out.extend(members.iter().map(|(_, value)| Val::Read(value)));
        }
        Val::Made(Json::Object(members)) => {
            out.extend(members.into_iter().map(|(_, value)| Val::Made(value)));
        }
        _ => return None,
    }
    Some(())
}

/// Writes a scalar as jq's `tostring` does. How fractions are written is the interpreter's business.
fn in_words(json: &Json<'_>) -> Option<String> {
    match json {
        Json::Text(text) => Some(text.to_string()),
        Json::Null => Some("null".to_owned()),
        Json::Bool(value) => Some(value.to_string()),
        Json::Number(number) => Some(number.as_i64()?.to_string()),
        _ => None,
    }
}

fn is_same(one: &Json<'_>, other: &Json<'_>) -> Option<bool> {
    match (one, other) {
        (Json::List(_) | Json::Object(_), _) | (_, Json::List(_) | Json::Object(_)) => None,
        (Json::Number(_), Json::Number(_)) => Some(whole(one)? == whole(other)?),
        (one, other) => Some(one == other),
    }
}

fn whole(json: &Json<'_>) -> Option<i64> {
    match json {
        Json::Number(number) => number.as_i64(),
        _ => None,
    }
}

/// Turns a value into one that outputs are made of.
pub(super) fn plain(value: &Json<'_>) -> Value {
    match value {
        Json::Null => Value::Null,
        Json::Bool(value) => Value::Bool(*value),
        Json::Number(number) => Value::Number(number.clone()),
        Json::Text(text) => Value::String(text.to_string()),
        Json::List(items) => items.iter().map(plain).collect(),
        Json::Object(members) => {
            let members = members.iter().map(|(k, v)| (k.to_string(), plain(v)));
            Value::Object(members.collect())
        }
    }
}

#[cfg(test)]
mod tests;
