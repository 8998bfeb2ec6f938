//! A checked condition, and its evaluation.
//!
//! Checking leaves nothing that could fail by type. What remains is not knowing: a field that nobody filled in. It spreads
//! as in CEL: `false && unknown` is false, `true || unknown` is true, all else that hangs on it could not be judged, and the
//! caller is told which field was missing. It is never silently false.

use super::facts::Facts;
use super::schema::FIELDS;
use super::value::{Ranks, Val};

/// A constant.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Lit {
    /// True or false.
    Bool(bool),
    /// A whole number.
    Int(i64),
    /// A text or word.
    Text(String),
    /// A place in an ordered list.
    Rank(Ranks, u8),
    /// A moment, in seconds since 1970.
    Time(i64),
    /// A length of time, in seconds.
    Span(i64),
}

impl Lit {
    fn val(&self) -> Val<'_> {
        match self {
            Self::Bool(b) => Val::Bool(*b),
            Self::Int(n) => Val::Int(*n),
            Self::Text(t) => Val::text(t),
            Self::Rank(ranks, at) => Val::Rank(*ranks, *at),
            Self::Time(t) => Val::Time(*t),
            Self::Span(s) => Val::Span(*s),
        }
    }
}

/// How two values are compared.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Cmp {
    /// `==`
    Eq,
    /// `!=`
    Ne,
    /// `<`
    Lt,
    /// `<=`
    Le,
    /// `>`
    Gt,
    /// `>=`
    Ge,
}

/// What is done with two numbers, times or spans.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Sum {
    /// `+`
    Add,
    /// `-`
    Sub,
    /// `*`
    Mul,
}

/// How a text is looked at.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Look {
    /// `contains`
    Contains,
    /// `startsWith`
    Starts,
    /// `endsWith`
    Ends,
}

/// A checked expression.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Term {
    /// A constant.
    Lit(Lit),
    /// A field, by its place in the schema.
    Field(usize),
    /// Whether a field is known.
    Has(usize),
    /// The variable of the `depth`-th list macro around it.
    Local(usize),
    /// `!`
    Not(Box<Term>),
    /// `&&` of all.
    And(Vec<Term>),
    /// `||` of all.
    Or(Vec<Term>),
    /// A comparison.
    Cmp(Cmp, Box<Term>, Box<Term>),
    /// `in` a list of constants.
    OneOf(Box<Term>, Vec<Lit>),
    /// `in` a list of texts that a field holds.
    InTexts(Box<Term>, Box<Term>),
    /// A sum, difference or product.
    Sum(Sum, Box<Term>, Box<Term>),
    /// A question about a text.
    Look(Look, Box<Term>, Box<Term>),
    /// `size` of a text or list.
    Size(Box<Term>),
    /// `list.exists(x, …)` (false) or `list.all(x, …)` (true).
    Every(bool, Box<Term>, Box<Term>),
    /// `a ? b : c`
    If(Box<Term>, Box<Term>, Box<Term>),
}

/// Why something could not be judged.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Unjudged {
    /// The field of this place in the schema is unknown.
    Field(usize),
    /// A number left its 64 bits.
    Overflow,
}

impl std::fmt::Display for Unjudged {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Field(at) => write!(f, "{} is unknown", FIELDS[*at].path),
            Self::Overflow => f.write_str("a number is too large"),
        }
    }
}

type Judged<'f> = Result<Val<'f>, Unjudged>;

impl Term {
    /// Judges a condition.
    pub fn holds(&self, facts: &Facts<'_>) -> Result<bool, Unjudged> {
        self.bool(facts, &[])
    }

    /// Calls `see` for every field that it reads, each time it does.
    pub fn fields(&self, see: &mut impl FnMut(usize)) {
        match self {
            Self::Lit(_) | Self::Local(_) => {}
            Self::Field(at) | Self::Has(at) => see(*at),
            Self::Not(one) | Self::Size(one) | Self::OneOf(one, _) => one.fields(see),
            Self::And(all) | Self::Or(all) => all.iter().for_each(|one| one.fields(see)),
            Self::Cmp(_, a, b)
            | Self::InTexts(a, b)
            | Self::Sum(_, a, b)
            | Self::Look(_, a, b)
            | Self::Every(_, a, b) => {
                a.fields(see);
                b.fields(see);
            }
            Self::If(a, b, c) => {
                a.fields(see);
                b.fields(see);
                c.fields(see);
            }
        }
    }

    fn bool(&self, facts: &Facts<'_>, locals: &[&str]) -> Result<bool, Unjudged> {
        match self {
            Self::Not(one) => one.bool(facts, locals).map(|b| !b),
            Self::And(all) => settle(all.iter().map(|one| one.bool(facts, locals)), false),
            Self::Or(all) => settle(all.iter().map(|one| one.bool(facts, locals)), true),
            Self::Has(at) => Ok((FIELDS[*at].get)(facts).is_some()),
            Self::Cmp(how, a, b) => {
                let (a, b) = (a.val(facts, locals)?, b.val(facts, locals)?);
                Ok(compare(*how, &a, &b))
            }
            Self::OneOf(one, all) => {
                let one = one.val(facts, locals)?;
                Ok(all.iter().any(|lit| lit.val() == one))
            }
            Self::InTexts(one, list) => {
                let (one, list) = (one.val(facts, locals)?, list.val(facts, locals)?);
                Ok(match (&one, &list) {
                    (Val::Text(one), Val::Texts(list)) => list.iter().any(|t| *t == one.as_ref()),
                    _ => false,
                })
            }
            Self::Look(how, a, b) => {
                let (a, b) = (a.val(facts, locals)?, b.val(facts, locals)?);
                let (Val::Text(a), Val::Text(b)) = (&a, &b) else {
                    return Ok(false);
                };
                Ok(match how {
                    Look::Contains => a.contains(b.as_ref()),
                    Look::Starts => a.starts_with(b.as_ref()),
                    Look::Ends => a.ends_with(b.as_ref()),
                })
            }
            Self::Every(every, list, body) => {
                let Val::Texts(list) = list.val(facts, locals)? else {
                    return Ok(*every);
                };
                let each = list.iter().map(|one| {
                    let mut inner = locals.to_vec();
                    inner.push(one);
                    body.bool(facts, &inner)
                });
                settle(each, !*every)
            }
            Self::If(a, b, c) => match a.bool(facts, locals)? {
                true => b.bool(facts, locals),
                false => c.bool(facts, locals),
            },
            other => match other.val(facts, locals)? {
                Val::Bool(b) => Ok(b),
                // The checker lets no other type be a condition.
                _ => Ok(false),
            },
        }
    }

    fn val<'f>(&'f self, facts: &'f Facts<'_>, locals: &[&'f str]) -> Judged<'f> {
        match self {
            Self::Lit(lit) => Ok(lit.val()),
            Self::Field(at) => (FIELDS[*at].get)(facts).ok_or(Unjudged::Field(*at)),
            Self::Local(depth) => Ok(Val::text(locals.get(*depth).copied().unwrap_or_default())),
            Self::Sum(how, a, b) => sum(*how, &a.val(facts, locals)?, &b.val(facts, locals)?),
            Self::Size(one) => Ok(Val::Int(match one.val(facts, locals)? {
                Val::Text(text) => text.chars().count() as i64,
                Val::Texts(texts) => texts.len() as i64,
                _ => 0,
            })),
            Self::If(a, b, c) => match a.bool(facts, locals)? {
                true => b.val(facts, locals),
                false => c.val(facts, locals),
            },
            other => other.bool(facts, locals).map(Val::Bool),
        }
    }
}

/// Looks for one that is `end`, which settles the whole whatever the others are.
fn settle(each: impl Iterator<Item = Result<bool, Unjudged>>, end: bool) -> Result<bool, Unjudged> {
    let mut missing = None;
    for one in each {
        match one {
            Ok(value) if value == end => return Ok(end),
            Ok(_) => {}
            Err(why) => missing = missing.or(Some(why)),
        }
    }
    missing.map_or(Ok(!end), Err)
}

fn compare(how: Cmp, a: &Val<'_>, b: &Val<'_>) -> bool {
    let order = match (a, b) {
        (Val::Int(a), Val::Int(b))
        | (Val::Time(a), Val::Time(b))
        | (Val::Span(a), Val::Span(b)) => a.cmp(b),
        (Val::Rank(_, a), Val::Rank(_, b)) => a.cmp(b),
        (Val::Bool(a), Val::Bool(b)) => a.cmp(b),
        (Val::Text(a), Val::Text(b)) => a.cmp(b),
        (Val::Texts(a), Val::Texts(b)) => a.cmp(b),
        // The checker lets nothing else be compared.
        _ => return false,
    };
    match how {
        Cmp::Eq => order.is_eq(),
        Cmp::Ne => order.is_ne(),
        Cmp::Lt => order.is_lt(),
        Cmp::Le => order.is_le(),
        Cmp::Gt => order.is_gt(),
        Cmp::Ge => order.is_ge(),
    }
}

fn sum<'f>(how: Sum, a: &Val<'_>, b: &Val<'_>) -> Judged<'f> {
    let apply = |a: i64, b: i64| {
        let sum = match how {
            Sum::Add => a.checked_add(b),
            Sum::Sub => a.checked_sub(b),
            Sum::Mul => a.checked_mul(b),
        };
        sum.ok_or(Unjudged::Overflow)
    };
    Ok(match (a, b) {
        (Val::Int(a), Val::Int(b)) => Val::Int(apply(*a, *b)?),
        (Val::Time(a), Val::Time(b)) => Val::Span(apply(*a, *b)?),
        (Val::Time(a), Val::Span(b)) | (Val::Span(a), Val::Time(b)) => Val::Time(apply(*a, *b)?),
        (Val::Span(a), Val::Span(b)) => Val::Span(apply(*a, *b)?),
        // The checker lets nothing else be added.
        _ => return Err(Unjudged::Overflow),
    })
}

#[cfg(test)]
mod tests;
