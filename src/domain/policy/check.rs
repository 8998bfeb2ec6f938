//! Reads a condition strictly: CEL by its grammar, but with the fields of our schema, with types, and with nothing that a
//! typing error could turn into a silent false.

mod calls;

use cel::common::ast::{ComprehensionExpr, Expr, IdedExpr, LiteralValue, SelectExpr, SourceInfo};
use cel::parser::Parser;

use super::schema::{FIELDS, find};
use super::term::{Lit, Term};
use super::value::{Ranks, Type, nearest};

/// Longest condition, in bytes.
pub const LONGEST: usize = 4_096;

/// Most operators and brackets of a condition: the parser recurses over them.
const MOST_OPERATORS: usize = 200;

/// Most brackets inside each other: the parser takes up to 150 kB of stack for each, and a thread has 2 MB.
const MOST_NESTED: usize = 8;

/// Most sums in a row, for the same reason.
const MOST_SUMS: usize = 24;

/// Deepest expression: a chain of sums is as deep as it is long.
const DEEPEST: usize = 64;

/// Most list macros inside each other: each multiplies the work.
const MOST_LISTS: usize = 2;

/// A mistake in a condition.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Fault {
    /// Where, in bytes from the beginning of the condition.
    pub at: usize,
    /// What is wrong, with the way out.
    pub problem: String,
}

/// Reads a condition.
pub fn condition(source: &str) -> Result<Term, Vec<Fault>> {
    let whole = |problem: String| vec![Fault { at: 0, problem }];
    if source.trim().is_empty() {
        return Err(whole(
            "the condition is empty; write `true` for always".to_owned(),
        ));
    }
    if source.len() > LONGEST {
        let problem = format!("the condition is longer than {LONGEST} bytes; make two rules of it");
        return Err(whole(problem));
    }
    let (operators, sums, deepest) = operators(source);
    if sums > MOST_SUMS {
        let problem = format!("more than {MOST_SUMS} sums; make two rules of it");
        return Err(whole(problem));
    }
    if operators > MOST_OPERATORS {
        let problem = format!(
            "the condition has more than {MOST_OPERATORS} operators and brackets; make two rules of it"
        );
        return Err(whole(problem));
    }
    if deepest > MOST_NESTED {
        let problem = format!("nested more than {MOST_NESTED} deep; make two rules of it");
        return Err(whole(problem));
    }
    let parser = Parser::default();
    let (expr, info) = parser.parse_with_source_info(source).map_err(|errors| {
        let each = errors.errors.iter().map(|e| Fault {
            at: offset(source, e.pos),
            problem: format!("this is no condition: {}", plain(&e.msg)),
        });
        let mut faults: Vec<Fault> = each.collect();
        faults.truncate(3);
        faults
    })?;
    let mut checker = Checker {
        source,
        info: &info,
        locals: Vec::new(),
        faults: Vec::new(),
        depth: 0,
    };
    let checked = checker.expr(&expr);
    if let Some((_, ty)) = &checked
        && *ty != Type::Bool
    {
        let problem = format!("a condition must be true or false, and this is a {ty}");
        checker.fault(&expr, problem);
    }
    match checked {
        Some((term, Type::Bool)) if checker.faults.is_empty() => Ok(term),
        _ => Err(checker.faults),
    }
}

/// Counts what the parser recurses over, outside texts: how many operators and brackets there are, how many of them are
/// sums, and how deep they stand in each other.
fn operators(source: &str) -> (usize, usize, usize) {
    let (mut all, mut open, mut turns, mut run, mut deepest) = (0, 0_usize, 0, 0, 0);
    let (mut sums, mut quote) = (0, None);
    let mut chars = source.chars();
    while let Some(c) = chars.next() {
        match quote {
            Some(_) if c == '\\' => {
                chars.next();
            }
            Some(q) if c == q => quote = None,
            Some(_) => {}
            None if c == '"' || c == '\'' => quote = Some(c),
            None => {
                all += usize::from("+-*/%<>=!&|?:([{.,".contains(c));
                sums += usize::from("+-*/%".contains(c));
                match c {
                    '(' | '[' | '{' => open += 1,
                    ')' | ']' | '}' => open = open.saturating_sub(1),
                    '?' => turns += 1,
                    _ => {}
                }
                // Signs in a row stand in each other too.
                run = if "!-".contains(c) { run + 1 } else { 0 };
                deepest = deepest.max(open + turns + run);
            }
        }
    }
    (all, sums, deepest)
}

fn offset(source: &str, (line, column): (isize, isize)) -> usize {
    let (line, column) = (line.max(1) as usize, column.max(1) as usize);
    let before: usize = source
        .split_inclusive('\n')
        .take(line - 1)
        .map(str::len)
        .sum();
    (before + column - 1).min(source.len())
}

fn plain(message: &str) -> String {
    let first = message.lines().next().unwrap_or_default();
    let text = first.strip_prefix("Syntax error: ").unwrap_or(first);
    crate::domain::text::fit(&crate::domain::text::show(text), 120, "...")
}

/// A term with its type.
type Typed = (Term, Type);

struct Checker<'s> {
    source: &'s str,
    info: &'s SourceInfo,
    locals: Vec<String>,
    faults: Vec<Fault>,
    depth: usize,
}

impl Checker<'_> {
    fn fault(&mut self, at: &IdedExpr, problem: String) {
        let at = self.place(at);
        self.fault_at(at, problem);
    }

    fn fault_at(&mut self, at: usize, problem: String) {
        let fault = Fault { at, problem };
        if !self.faults.contains(&fault) {
            self.faults.push(fault);
        }
    }

    /// Returns where an expression begins, in bytes.
    fn place(&self, expr: &IdedExpr) -> usize {
        let inner = match &expr.expr {
            Expr::Select(select) => Some(&*select.operand),
            Expr::Comprehension(c) => Some(&c.iter_range),
            Expr::Call(call) => match (&call.target, call.args.first()) {
                (Some(target), _) => Some(&**target),
                (None, Some(first)) if call.args.len() >= 2 && is_operator(&call.func_name) => {
                    Some(first)
                }
                _ => None,
            },
            _ => None,
        };
        match inner {
            Some(inner) => self.place(inner),
            None => self.start(expr),
        }
    }

    /// Returns where the parser put an expression, in bytes.
    fn start(&self, expr: &IdedExpr) -> usize {
        let chars = self.info.offset_for(expr.id).map_or(0, |(start, _)| start);
        let mut places = self.source.char_indices().map(|(at, _)| at);
        places.nth(chars as usize).unwrap_or(self.source.len())
    }

    fn expr(&mut self, expr: &IdedExpr) -> Option<Typed> {
        self.depth += 1;
        let checked = if self.depth > DEEPEST {
            self.fault(
                expr,
                format!("nested more than {DEEPEST} deep; make two rules of it"),
            );
            None
        } else {
            self.node(expr)
        };
        self.depth -= 1;
        checked
    }

    fn node(&mut self, expr: &IdedExpr) -> Option<Typed> {
        match &expr.expr {
            Expr::Literal(lit) => self.literal(expr, lit),
            Expr::Ident(name) => self.ident(expr, name),
            Expr::Select(select) => self.select(expr, select),
            Expr::Call(call) => self.call(expr, call),
            Expr::Comprehension(inner) => self.list_macro(expr, inner),
            Expr::List(_) => {
                let problem = "a list stands only at the right of `in`".to_owned();
                self.fault(expr, problem);
                None
            }
            Expr::Map(_) | Expr::Struct(_) | Expr::Unspecified => {
                self.fault(expr, "this is not offered in conditions".to_owned());
                None
            }
        }
    }

    fn literal(&mut self, expr: &IdedExpr, lit: &LiteralValue) -> Option<Typed> {
        let (lit, ty) = match lit {
            LiteralValue::Boolean(b) => (Lit::Bool(*b.inner()), Type::Bool),
            LiteralValue::Int(n) => (Lit::Int(*n.inner()), Type::Int),
            LiteralValue::String(s) => (Lit::Text(s.inner().to_owned()), Type::Text),
            LiteralValue::Null => {
                let problem =
                    "`null` is equal to nothing here; `has(field)` asks whether it is known";
                self.fault(expr, problem.to_owned());
                return None;
            }
            LiteralValue::Double(_) | LiteralValue::UInt(_) | LiteralValue::Bytes(_) => {
                self.fault(
                    expr,
                    "only whole numbers, texts, true and false are offered".to_owned(),
                );
                return None;
            }
        };
        Some((Term::Lit(lit), ty))
    }

    fn ident(&mut self, expr: &IdedExpr, name: &str) -> Option<Typed> {
        if let Some(depth) = self.locals.iter().rposition(|local| local == name) {
            return Some((Term::Local(depth), Type::Text));
        }
        if let Some((at, field)) = find(name) {
            return Some((Term::Field(at), field.ty));
        }
        let roots = roots();
        let problem = if roots.contains(&name) {
            format!("`{name}` has fields and is no value itself; write `{name}.…`")
        } else {
            unknown(name, roots.into_iter())
        };
        self.fault(expr, problem);
        None
    }

    fn select(&mut self, expr: &IdedExpr, select: &SelectExpr) -> Option<Typed> {
        let Some(path) = path_of(&select.operand).map(|root| format!("{root}.{}", select.field))
        else {
            self.fault(
                expr,
                format!("`.{}` follows what has no fields", select.field),
            );
            return None;
        };
        let root = path.split('.').next().unwrap_or_default().to_owned();
        if !self.locals.contains(&root) {
            if let Some((at, field)) = find(&path) {
                return self.field(expr, select, at, field.optional, field.ty);
            }
            if let Some(ranks) = Ranks::ALL.into_iter().find(|r| r.name() == root)
                && !select.test
            {
                return self.constant(expr, ranks, &select.field);
            }
        }
        let place = self.place(expr);
        let ahead = self.source.get(place..).unwrap_or_default();
        let at = place + ahead.find(select.field.as_str()).unwrap_or(0);
        let problem = if roots().contains(&root.as_str()) && !self.locals.contains(&root) {
            let of_root = FIELDS
                .iter()
                .map(|f| f.path)
                .filter(|p| p.starts_with(&format!("{root}.")));
            unknown(&path, of_root)
        } else {
            unknown(&path, FIELDS.iter().map(|f| f.path))
        };
        self.fault_at(at, problem);
        None
    }

    fn field(
        &mut self,
        expr: &IdedExpr,
        select: &SelectExpr,
        at: usize,
        optional: bool,
        ty: Type,
    ) -> Option<Typed> {
        if !select.test {
            return Some((Term::Field(at), ty));
        }
        if !optional {
            let path = FIELDS[at].path;
            self.fault(expr, format!("`{path}` is always known; leave has() away"));
            return None;
        }
        Some((Term::Has(at), Type::Bool))
    }

    fn constant(&mut self, expr: &IdedExpr, ranks: Ranks, word: &str) -> Option<Typed> {
        let all = ranks.all();
        let Some(at) = all.iter().position(|one| *one == word) else {
            let path = format!("{}.{word}", ranks.name());
            let names: Vec<String> = all
                .iter()
                .map(|w| format!("{}.{w}", ranks.name()))
                .collect();
            let problem = unknown(&path, names.iter().map(String::as_str));
            self.fault(expr, problem);
            return None;
        };
        Some((Term::Lit(Lit::Rank(ranks, at as u8)), Type::Rank(ranks)))
    }

    /// `list.exists(x, …)` and `list.all(x, …)`, as the parser expands them.
    fn list_macro(&mut self, expr: &IdedExpr, inner: &ComprehensionExpr) -> Option<Typed> {
        let every = match &inner.accu_init.expr {
            Expr::Literal(LiteralValue::Boolean(start)) => *start.inner(),
            _ => return self.no_macro(expr),
        };
        let body = match (&inner.loop_step.expr, &inner.result.expr) {
            (Expr::Call(step), Expr::Ident(_)) if step.args.len() == 2 => &step.args[1],
            _ => return self.no_macro(expr),
        };
        let (list, ty) = self.expr(&inner.iter_range)?;
        if ty != Type::Texts {
            self.fault(
                expr,
                format!("only a list can be gone through, and this is a {ty}"),
            );
            return None;
        }
        if self.locals.len() >= MOST_LISTS {
            self.fault(
                expr,
                format!("more than {MOST_LISTS} lists are gone through inside each other"),
            );
            return None;
        }
        let name = &inner.iter_var;
        if self.locals.contains(name) || roots().contains(&name.as_str()) {
            self.fault(
                expr,
                format!("`{name}` is taken; call the variable otherwise"),
            );
            return None;
        }
        self.locals.push(name.clone());
        let body = self.boolean(body);
        self.locals.pop();
        Some((
            Term::Every(every, Box::new(list), Box::new(body?)),
            Type::Bool,
        ))
    }

    fn no_macro(&mut self, expr: &IdedExpr) -> Option<Typed> {
        self.fault(
            expr,
            "of the list macros only exists and all are offered".to_owned(),
        );
        None
    }
}

fn is_operator(name: &str) -> bool {
    name.contains('_') && !name.starts_with(char::is_alphabetic) || name.starts_with('@')
}

/// Returns the names at which a condition may begin.
fn roots() -> Vec<&'static str> {
    let mut roots: Vec<&str> = Vec::new();
    let fields = FIELDS.iter().filter_map(|f| f.path.split('.').next());
    for root in fields.chain(Ranks::ALL.map(Ranks::name)) {
        if !roots.contains(&root) {
            roots.push(root);
        }
    }
    roots
}

fn path_of(expr: &IdedExpr) -> Option<String> {
    match &expr.expr {
        Expr::Ident(name) => Some(name.clone()),
        Expr::Select(select) if !select.test => {
            Some(format!("{}.{}", path_of(&select.operand)?, select.field))
        }
        _ => None,
    }
}

fn unknown<'n>(path: &str, names: impl Iterator<Item = &'n str>) -> String {
    let names: Vec<&str> = names.collect();
    match nearest(path, names.iter().copied()) {
        Some(near) => format!("there is no `{path}`; did you mean `{near}`?"),
        None => format!("there is no `{path}`; `stanch policy fields` lists what there is"),
    }
}

#[cfg(test)]
mod tests;
