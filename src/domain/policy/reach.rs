//! Which conditions can never hold, always hold, or hold only where another one does: found without any alert.
//!
//! A condition is brought into the form *one of these lists of atoms all hold*. A list whose atoms contradict each other
//! cannot hold. What is too large for that is taken to be possible, so that nothing is called unreachable that is not.

use std::collections::BTreeSet;

use super::schema::FIELDS;
use super::term::{Cmp, Lit, Term};
use super::value::Type;

/// Most lists of atoms looked at.
const MOST: usize = 256;

/// One thing that must hold.
#[derive(Clone, Debug, PartialEq)]
enum Atom {
    /// A field with few values has one of these, as bits.
    Among(usize, u64),
    /// A number lies between these, both included.
    Between(usize, i64, i64),
    /// A text is one of these (true), or none of them.
    Named(usize, BTreeSet<String>, bool),
    /// A field is known, or is not.
    Known(usize, bool),
    /// Something else holds, or does not.
    Other(Term, bool),
}

type All = Vec<Atom>;

/// Tells whether a condition can hold at all.
pub fn can_hold(term: &Term) -> bool {
    lists(term, true).is_none_or(|lists| lists.iter().any(|all| is_possible(all)))
}

/// Tells whether a condition holds whatever is the case.
pub fn always_holds(term: &Term) -> bool {
    !can_hold(&Term::Not(Box::new(term.clone())))
}

/// Tells whether wherever `one` holds, `other` does.
pub fn implies(one: &Term, other: &Term) -> bool {
    let not_other = Term::Not(Box::new(other.clone()));
    !can_hold(&Term::And(vec![one.clone(), not_other]))
}

/// Returns lists of atoms of which one must hold; `None` when there would be too many.
fn lists(term: &Term, holds: bool) -> Option<Vec<All>> {
    match term {
        Term::Lit(Lit::Bool(b)) => Some(if *b == holds {
            vec![Vec::new()]
        } else {
            Vec::new()
        }),
        Term::Not(one) => lists(one, !holds),
        Term::And(all) if holds => product(all, true),
        Term::Or(all) if !holds => product(all, false),
        Term::And(all) | Term::Or(all) => {
            let mut found = Vec::new();
            for one in all {
                found.extend(lists(one, holds)?);
                if found.len() > MOST {
                    return None;
                }
            }
            Some(found)
        }
        atom => Some(vec![vec![of(atom, holds)]]),
    }
}

fn product(all: &[Term], holds: bool) -> Option<Vec<All>> {
    let mut found: Vec<All> = vec![Vec::new()];
    for one in all {
        let next = lists(one, holds)?;
        if found.len() * next.len() > MOST {
            return None;
        }
        let mut both = Vec::with_capacity(found.len() * next.len());
        for left in &found {
            for right in &next {
                let mut list = left.clone();
                list.extend(right.iter().cloned());
                both.push(list);
            }
        }
        found = both;
    }
    Some(found)
}

/// Returns the words of a field with few values.
fn words(at: usize) -> Option<Vec<&'static str>> {
    match FIELDS[at].ty {
        Type::Bool => Some(vec!["false", "true"]),
        Type::Word(words) => Some(words.all()).filter(|w| w.len() <= 64),
        Type::Rank(ranks) => Some(ranks.all()),
        _ => None,
    }
}

fn of(term: &Term, holds: bool) -> Atom {
    let other = || Atom::Other(term.clone(), holds);
    match term {
        Term::Has(at) => Atom::Known(*at, holds),
        Term::Field(at) if FIELDS[*at].ty == Type::Bool => {
            Atom::Among(*at, if holds { 0b10 } else { 0b01 })
        }
        Term::Cmp(how, a, b) => match (&**a, &**b) {
            (Term::Field(at), Term::Lit(lit)) => {
                compared(*at, *how, lit, holds).unwrap_or_else(other)
            }
            (Term::Lit(lit), Term::Field(at)) => {
                compared(*at, turned(*how), lit, holds).unwrap_or_else(other)
            }
            _ => other(),
        },
        Term::OneOf(one, lits) => match &**one {
            Term::Field(at) => one_of(*at, lits, holds).unwrap_or_else(other),
            _ => other(),
        },
        _ => other(),
    }
}

const fn turned(how: Cmp) -> Cmp {
    match how {
        Cmp::Lt => Cmp::Gt,
        Cmp::Le => Cmp::Ge,
        Cmp::Gt => Cmp::Lt,
        Cmp::Ge => Cmp::Le,
        same => same,
    }
}

const fn opposite(how: Cmp) -> Cmp {
    match how {
        Cmp::Eq => Cmp::Ne,
        Cmp::Ne => Cmp::Eq,
        Cmp::Lt => Cmp::Ge,
        Cmp::Le => Cmp::Gt,
        Cmp::Gt => Cmp::Le,
        Cmp::Ge => Cmp::Lt,
    }
}

fn compared(at: usize, how: Cmp, lit: &Lit, holds: bool) -> Option<Atom> {
    let how = if holds { how } else { opposite(how) };
    if let Some(words) = words(at) {
        let place = place(&words, lit)?;
        let fits = |n: usize| match how {
            Cmp::Eq => n == place,
            Cmp::Ne => n != place,
            Cmp::Lt => n < place,
            Cmp::Le => n <= place,
            Cmp::Gt => n > place,
            Cmp::Ge => n >= place,
        };
        return Some(Atom::Among(at, bits((0..words.len()).filter(|n| fits(*n)))));
    }
    let number = match lit {
        Lit::Int(n) | Lit::Time(n) | Lit::Span(n) => *n,
        Lit::Text(text) => {
            let named = how == Cmp::Eq;
            return Some(Atom::Named(at, BTreeSet::from([text.clone()]), named));
        }
        _ => return None,
    };
    let (from, to) = match how {
        Cmp::Eq => (number, number),
        Cmp::Ne => return None,
        Cmp::Lt => (i64::MIN, number.checked_sub(1)?),
        Cmp::Le => (i64::MIN, number),
        Cmp::Gt => (number.checked_add(1)?, i64::MAX),
        Cmp::Ge => (number, i64::MAX),
    };
    Some(Atom::Between(at, from, to))
}

fn one_of(at: usize, lits: &[Lit], holds: bool) -> Option<Atom> {
    if let Some(words) = words(at) {
        let places: Option<Vec<usize>> = lits.iter().map(|lit| place(&words, lit)).collect();
        let among = bits(places?.into_iter());
        let all = bits(0..words.len());
        return Some(Atom::Among(at, if holds { among } else { all & !among }));
    }
    let texts: Option<BTreeSet<String>> = lits
        .iter()
        .map(|lit| match lit {
            Lit::Text(text) => Some(text.clone()),
            _ => None,
        })
        .collect();
    Some(Atom::Named(at, texts?, holds))
}

fn place(words: &[&str], lit: &Lit) -> Option<usize> {
    match lit {
        Lit::Bool(b) => Some(usize::from(*b)),
        Lit::Rank(_, at) => Some(usize::from(*at)),
        Lit::Text(text) => words.iter().position(|w| w == text),
        _ => None,
    }
}

fn bits(places: impl Iterator<Item = usize>) -> u64 {
    places.fold(0, |bits, n| bits | (1 << n))
}

/// Returns between which numbers a field can be.
fn bounds(at: usize) -> (i64, i64) {
    match (FIELDS[at].path, FIELDS[at].ty) {
        ("alert.confidence", _) => (0, 100),
        (_, Type::Int) => (0, i64::MAX),
        _ => (i64::MIN, i64::MAX),
    }
}

/// Tells whether atoms can hold together.
fn is_possible(all: &[Atom]) -> bool {
    all.iter().enumerate().all(|(i, atom)| {
        let others = &all[..i];
        match atom {
            Atom::Among(at, mask) => {
                let left = others.iter().fold(*mask, |left, other| match other {
                    Atom::Among(o, mask) if o == at => left & mask,
                    _ => left,
                });
                left != 0 && !is_unknown(all, *at)
            }
            Atom::Between(at, from, to) => {
                let (least, most) = bounds(*at);
                let start = ((*from).max(least), (*to).min(most));
                let (from, to) = others.iter().fold(start, |(a, b), other| match other {
                    Atom::Between(o, from, to) if o == at => (a.max(*from), b.min(*to)),
                    _ => (a, b),
                });
                from <= to && !is_unknown(all, *at)
            }
            Atom::Named(at, ..) => can_be_named(all, *at) && !is_unknown(all, *at),
            Atom::Known(at, known) => !others.contains(&Atom::Known(*at, !known)),
            Atom::Other(term, holds) => !others.contains(&Atom::Other(term.clone(), !holds)),
        }
    })
}

/// A condition about a field that is said to be unknown never holds.
fn is_unknown(all: &[Atom], at: usize) -> bool {
    all.contains(&Atom::Known(at, false))
}

fn can_be_named(all: &[Atom], at: usize) -> bool {
    let mut left: Option<BTreeSet<&String>> = None;
    let mut never: BTreeSet<&String> = BTreeSet::new();
    for atom in all {
        match atom {
            Atom::Named(o, texts, true) if *o == at => {
                let texts = texts.iter().collect::<BTreeSet<_>>();
                left = Some(match left {
                    Some(left) => left.intersection(&texts).copied().collect(),
                    None => texts,
                });
            }
            Atom::Named(o, texts, false) if *o == at => never.extend(texts),
            _ => {}
        }
    }
    left.is_none_or(|left| left.difference(&never).next().is_some())
}

#[cfg(test)]
mod tests {
    use rstest::rstest;

    use super::super::check::condition;
    use super::*;

    fn term(source: &str) -> Term {
        condition(source).unwrap()
    }

    #[rstest]
    #[case("alert.pattern == 'recon' && alert.pattern == 'posture'")]
    #[case("alert.pattern in ['recon', 'posture'] && alert.pattern in ['other', 'data_exfil']")]
    #[case("alert.confidence > 100")]
    #[case("alert.confidence < 50 && alert.confidence >= 50")]
    #[case("map.breaks < 0")]
    #[case("alert.severity > severity.critical")]
    #[case("alert.severity == severity.low && alert.severity >= severity.high")]
    #[case("alert.confident && !alert.confident")]
    #[case("!has(identity.environment) && identity.environment == 'production'")]
    #[case("identity.environment == 'a' && identity.environment == 'b'")]
    #[case("identity.environment == 'a' && identity.environment != 'a'")]
    #[case("false")]
    #[case("!(alert.confident || !alert.confident)")]
    #[case("alert.action.contains('x') && !alert.action.contains('x')")]
    fn what_can_never_hold_is_found(#[case] source: &str) {
        assert!(!can_hold(&term(source)), "{source}");
    }

    #[rstest]
    #[case("alert.confidence == 100")]
    #[case("alert.pattern == 'recon' || alert.pattern == 'posture'")]
    #[case("identity.environment != 'a' && identity.environment != 'b'")]
    #[case("now - alert.exposed_since > duration('15m')")]
    fn what_can_hold_is_left(#[case] source: &str) {
        assert!(can_hold(&term(source)), "{source}");
    }

    #[rstest]
    #[case(
        "alert.severity >= severity.high",
        "alert.severity >= severity.medium",
        true
    )]
    #[case(
        "alert.severity >= severity.medium",
        "alert.severity >= severity.high",
        false
    )]
    #[case("alert.confident && map.known", "map.known", true)]
    #[case(
        "alert.pattern == 'recon'",
        "alert.pattern in ['recon', 'other']",
        true
    )]
    #[case(
        "alert.pattern in ['recon', 'other']",
        "alert.pattern == 'recon'",
        false
    )]
    fn one_condition_may_imply_another(#[case] a: &str, #[case] b: &str, #[case] want: bool) {
        assert_eq!(implies(&term(a), &term(b)), want);
    }

    #[test]
    fn what_always_holds_is_found() {
        assert!(always_holds(&term(
            "map.breaks >= 0 || !map.known || map.known"
        )));
        assert!(!always_holds(&term("map.known")));
    }
}
