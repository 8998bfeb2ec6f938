//! Conditions as people read them: the same language in which they are written.

use std::fmt;

use super::schema::FIELDS;
use super::term::{Cmp, Lit, Look, Sum, Term};
use super::value::Val;

impl fmt::Display for Lit {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Bool(b) => write!(f, "{b}"),
            Self::Int(n) => write!(f, "{n}"),
            Self::Text(t) => f.write_str(&Val::text(t).shown()),
            Self::Rank(ranks, _) => write!(f, "{}.{}", ranks.name(), self.shown()),
            Self::Time(_) => write!(f, "timestamp(\"{}\")", self.shown()),
            Self::Span(_) => write!(f, "duration(\"{}\")", self.shown()),
        }
    }
}

impl Lit {
    fn shown(&self) -> String {
        match self {
            Self::Rank(ranks, at) => Val::Rank(*ranks, *at).shown(),
            Self::Time(t) => Val::Time(*t).shown(),
            Self::Span(s) => Val::Span(*s).shown(),
            other => other.to_string(),
        }
    }
}

impl fmt::Display for Term {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.write(f, 0)
    }
}

/// Name of the variable of the `depth`-th list macro.
const LOCALS: [&str; 3] = ["x", "y", "z"];

impl Term {
    /// Writes it; `tight` is how strongly what stands around it binds: 0 nothing, 1 `||`, 2 `&&`, 3 all else.
    fn write(&self, f: &mut fmt::Formatter<'_>, tight: u8) -> fmt::Result {
        match self {
            Self::Lit(lit) => write!(f, "{lit}"),
            Self::Field(at) => f.write_str(FIELDS[*at].path),
            Self::Has(at) => write!(f, "has({})", FIELDS[*at].path),
            Self::Local(depth) => f.write_str(LOCALS.get(*depth).copied().unwrap_or("w")),
            Self::Not(one) => {
                f.write_str("!")?;
                one.write(f, 4)
            }
            Self::And(all) => joined(f, all, " && ", 2, tight),
            Self::Or(all) => joined(f, all, " || ", 1, tight),
            Self::Cmp(how, a, b) => between(f, a, cmp(*how), b, tight),
            Self::Sum(how, a, b) => between(f, a, sum(*how), b, tight),
            Self::OneOf(one, all) => {
                let open = tight > 3;
                if open {
                    f.write_str("(")?;
                }
                one.write(f, 3)?;
                let all: Vec<String> = all.iter().map(Lit::to_string).collect();
                write!(f, " in [{}]", all.join(", "))?;
                f.write_str(if open { ")" } else { "" })
            }
            Self::InTexts(a, b) => between(f, a, "in", b, tight),
            Self::Look(how, a, b) => {
                a.write(f, 4)?;
                write!(f, ".{}(", look(*how))?;
                b.write(f, 0)?;
                f.write_str(")")
            }
            Self::Size(one) => {
                f.write_str("size(")?;
                one.write(f, 0)?;
                f.write_str(")")
            }
            Self::Every(every, list, body) => {
                list.write(f, 4)?;
                f.write_str(if *every { ".all(x, " } else { ".exists(x, " })?;
                body.write(f, 0)?;
                f.write_str(")")
            }
            Self::If(a, b, c) => {
                f.write_str("(")?;
                a.write(f, 1)?;
                f.write_str(" ? ")?;
                b.write(f, 1)?;
                f.write_str(" : ")?;
                c.write(f, 1)?;
                f.write_str(")")
            }
        }
    }
}

fn joined(f: &mut fmt::Formatter<'_>, all: &[Term], by: &str, own: u8, tight: u8) -> fmt::Result {
    let open = tight > own || (tight == 1 && own == 2);
    if open {
        f.write_str("(")?;
    }
    for (i, one) in all.iter().enumerate() {
        if i > 0 {
            f.write_str(by)?;
        }
        one.write(f, own)?;
    }
    f.write_str(if open { ")" } else { "" })
}

fn between(f: &mut fmt::Formatter<'_>, a: &Term, by: &str, b: &Term, tight: u8) -> fmt::Result {
    let open = tight > 3;
    if open {
        f.write_str("(")?;
    }
    a.write(f, 3)?;
    write!(f, " {by} ")?;
    b.write(f, 3)?;
    f.write_str(if open { ")" } else { "" })
}

const fn cmp(how: Cmp) -> &'static str {
    match how {
        Cmp::Eq => "==",
        Cmp::Ne => "!=",
        Cmp::Lt => "<",
        Cmp::Le => "<=",
        Cmp::Gt => ">",
        Cmp::Ge => ">=",
    }
}

const fn sum(how: Sum) -> &'static str {
    match how {
        Sum::Add => "+",
        Sum::Sub => "-",
        Sum::Mul => "*",
    }
}

const fn look(how: Look) -> &'static str {
    match how {
        Look::Contains => "contains",
        Look::Starts => "startsWith",
        Look::Ends => "endsWith",
    }
}
