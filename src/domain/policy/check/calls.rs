//! Operators and functions: which there are, and between what.

use cel::common::ast::operators as op;
use cel::common::ast::{CallExpr, Expr, IdedExpr, LiteralValue};

use super::{Checker, Typed, is_operator};
use crate::domain::policy::term::{Cmp, Lit, Look, Sum, Term};
use crate::domain::policy::value::{Ranks, Type, Words, nearest};

impl Checker<'_> {
    pub(super) fn call(&mut self, expr: &IdedExpr, call: &CallExpr) -> Option<Typed> {
        let name = call.func_name.as_str();
        match (name, &call.target, call.args.as_slice()) {
            (op::LOGICAL_AND | op::LOGICAL_OR, None, args) => self.logic(name, args),
            (op::LOGICAL_NOT, None, [one]) => {
                let one = self.boolean(one)?;
                Some((Term::Not(Box::new(one)), Type::Bool))
            }
            (op::CONDITIONAL, None, [a, b, c]) => self.choice(expr, a, b, c),
            (op::IN, None, [one, list]) => self.within(one, list),
            (op::NEGATE, None, [one]) => self.negative(one),
            (_, None, [a, b]) if comparison(name).is_some() => {
                let how = comparison(name)?;
                self.compare(expr, how, a, b)
            }
            (op::ADD | op::SUBSTRACT | op::MULTIPLY, None, [a, b]) => self.sum(expr, name, a, b),
            ("duration" | "timestamp", None, [one]) => self.moment(one, name),
            ("size", None, [one]) => self.size(one),
            ("size", Some(one), []) => self.size(one),
            ("contains" | "startsWith" | "endsWith", Some(text), [part]) => {
                self.look(name, text, part)
            }
            _ => {
                self.unknown_call(expr, call);
                None
            }
        }
    }

    fn negative(&mut self, one: &IdedExpr) -> Option<Typed> {
        if let (Term::Lit(Lit::Int(n)), _) = self.expr(one)?
            && let Some(n) = n.checked_neg()
        {
            return Some((Term::Lit(Lit::Int(n)), Type::Int));
        }
        self.fault(one, "only a number can be negative".to_owned());
        None
    }

    fn unknown_call(&mut self, expr: &IdedExpr, call: &CallExpr) {
        const OFFERED: &[&str] = &[
            "contains",
            "startsWith",
            "endsWith",
            "size",
            "duration",
            "timestamp",
            "has",
            "exists",
            "all",
        ];
        let name = call.func_name.as_str();
        let place = self.place(expr);
        let ahead = self.source.get(place..).unwrap_or_default();
        let at = place + ahead.find(name).unwrap_or(0);
        let problem = if OFFERED.contains(&name) {
            format!(
                "`{name}` is called wrongly: text.contains(text), size(list), duration(\"15m\"), list.exists(x, …)"
            )
        } else if is_operator(name) {
            "this operator is not offered".to_owned()
        } else {
            let near = nearest(name, OFFERED.iter().copied());
            let near = near.map_or(String::new(), |n| format!(" did you mean `{n}`?"));
            format!(
                "there is no function `{name}`;{near} offered are {}",
                OFFERED.join(", ")
            )
        };
        self.fault_at(at, problem);
    }

    pub(super) fn boolean(&mut self, expr: &IdedExpr) -> Option<Term> {
        let (term, ty) = self.expr(expr)?;
        if ty != Type::Bool {
            self.fault(
                expr,
                format!("this must be true or false, and it is a {ty}"),
            );
            return None;
        }
        Some(term)
    }

    fn logic(&mut self, name: &str, args: &[IdedExpr]) -> Option<Typed> {
        let and = name == op::LOGICAL_AND;
        // All are looked at, so that all mistakes are told at once.
        let parts: Vec<Option<Term>> = args.iter().map(|arg| self.boolean(arg)).collect();
        let mut flat = Vec::new();
        for part in parts {
            match (and, part?) {
                (true, Term::And(inner)) | (false, Term::Or(inner)) => flat.extend(inner),
                (_, other) => flat.push(other),
            }
        }
        let term = if and { Term::And(flat) } else { Term::Or(flat) };
        Some((term, Type::Bool))
    }

    fn choice(
        &mut self,
        expr: &IdedExpr,
        a: &IdedExpr,
        b: &IdedExpr,
        c: &IdedExpr,
    ) -> Option<Typed> {
        let a = self.boolean(a);
        let (b, c) = (self.expr(b), self.expr(c));
        let (a, (b, b_ty), (c, c_ty)) = (a?, b?, c?);
        if b_ty != c_ty {
            self.fault(
                expr,
                format!("both sides of `?` must be alike; one is a {b_ty}, one a {c_ty}"),
            );
            return None;
        }
        Some((Term::If(Box::new(a), Box::new(b), Box::new(c)), b_ty))
    }

    fn compare(&mut self, expr: &IdedExpr, how: Cmp, a: &IdedExpr, b: &IdedExpr) -> Option<Typed> {
        let (left, right) = (self.expr(a), self.expr(b));
        let ((left, left_ty), (right, right_ty)) = (left?, right?);
        let ordered = !matches!(how, Cmp::Eq | Cmp::Ne);
        let fits = match (left_ty, right_ty) {
            (Type::Word(words), Type::Text) => self.word(words, &right, b)?,
            (Type::Text, Type::Word(words)) => self.word(words, &left, a)?,
            (Type::Rank(ranks), Type::Text) | (Type::Text, Type::Rank(ranks)) => {
                self.rank_as_text(ranks, expr, &left, &right);
                return None;
            }
            (left, right) => left == right,
        };
        if !fits {
            let problem =
                format!("a {left_ty} is compared with a {right_ty}, which is never equal");
            self.fault(expr, problem);
            return None;
        }
        let has_order = matches!(left_ty, Type::Int | Type::Rank(_) | Type::Time | Type::Span);
        if ordered && !has_order {
            self.fault(expr, format!("a {left_ty} has no order; use == or !="));
            return None;
        }
        Some((Term::Cmp(how, Box::new(left), Box::new(right)), Type::Bool))
    }

    /// Checks that a text that is compared with a word is one of its list.
    fn word(&mut self, words: Words, text: &Term, at: &IdedExpr) -> Option<bool> {
        let Term::Lit(Lit::Text(text)) = text else {
            return Some(false);
        };
        let all = words.all();
        if all.contains(&text.as_str()) {
            return Some(true);
        }
        let near = nearest(text, all.iter().copied());
        let near = near.map_or_else(
            || format!("one of {}", all.join(", ")),
            |n| format!("`{n}`"),
        );
        self.fault(
            at,
            format!("`{text}` is no such word; did you mean {near}?"),
        );
        None
    }

    fn rank_as_text(&mut self, ranks: Ranks, expr: &IdedExpr, left: &Term, right: &Term) {
        let text = match (left, right) {
            (Term::Lit(Lit::Text(text)), _) | (_, Term::Lit(Lit::Text(text))) => text.as_str(),
            _ => "",
        };
        let all = ranks.all();
        let word = nearest(text, all.iter().copied()).unwrap_or(all[0]);
        let name = ranks.name();
        let problem = format!("{name} is a rank, not a text; compare with `{name}.{word}`");
        self.fault(expr, problem);
    }

    fn within(&mut self, one: &IdedExpr, list: &IdedExpr) -> Option<Typed> {
        let Expr::List(items) = &list.expr else {
            let (one_t, list_t) = (self.expr(one), self.expr(list));
            let ((one_t, one_ty), (list_t, list_ty)) = (one_t?, list_t?);
            if list_ty != Type::Texts || one_ty != Type::Text {
                let problem = format!(
                    "`in` wants a list of what stands left of it; here a {one_ty} in a {list_ty}"
                );
                self.fault(list, problem);
                return None;
            }
            return Some((Term::InTexts(Box::new(one_t), Box::new(list_t)), Type::Bool));
        };
        let (term, ty) = self.expr(one)?;
        if items.elements.is_empty() || !items.optional_indices.is_empty() {
            self.fault(
                list,
                "nothing is in an empty list; name what is meant".to_owned(),
            );
            return None;
        }
        let mut all = Vec::new();
        let mut clean = true;
        for item in &items.elements {
            let Some((item_term, item_ty)) = self.expr(item) else {
                clean = false;
                continue;
            };
            let fits = match (ty, item_ty) {
                (Type::Word(words), Type::Text) => {
                    let Some(fits) = self.word(words, &item_term, item) else {
                        clean = false;
                        continue;
                    };
                    fits
                }
                (ty, item) => ty == item,
            };
            match item_term {
                Term::Lit(lit) if fits && !all.contains(&lit) => all.push(lit),
                Term::Lit(_) if fits => {
                    self.fault(item, "this stands in the list twice".to_owned());
                    clean = false;
                }
                Term::Lit(_) => {
                    self.fault(item, format!("a {item_ty} is never equal to a {ty}"));
                    clean = false;
                }
                _ => {
                    self.fault(item, "only constants stand in a list".to_owned());
                    clean = false;
                }
            }
        }
        clean.then(|| (Term::OneOf(Box::new(term), all), Type::Bool))
    }

    fn sum(&mut self, expr: &IdedExpr, name: &str, a: &IdedExpr, b: &IdedExpr) -> Option<Typed> {
        let (left, right) = (self.expr(a), self.expr(b));
        let ((left, left_ty), (right, right_ty)) = (left?, right?);
        let (how, ty) = match (name, left_ty, right_ty) {
            (op::ADD, Type::Int, Type::Int) => (Sum::Add, Type::Int),
            (op::SUBSTRACT, Type::Int, Type::Int) => (Sum::Sub, Type::Int),
            (op::MULTIPLY, Type::Int, Type::Int) => (Sum::Mul, Type::Int),
            (op::SUBSTRACT, Type::Time, Type::Time) => (Sum::Sub, Type::Span),
            (op::ADD, Type::Time, Type::Span) | (op::ADD, Type::Span, Type::Time) => {
                (Sum::Add, Type::Time)
            }
            (op::SUBSTRACT, Type::Time, Type::Span) => (Sum::Sub, Type::Time),
            (op::ADD, Type::Span, Type::Span) => (Sum::Add, Type::Span),
            (op::SUBSTRACT, Type::Span, Type::Span) => (Sum::Sub, Type::Span),
            _ => {
                self.fault(expr, format!("a {left_ty} and a {right_ty} do not add up"));
                return None;
            }
        };
        Some((Term::Sum(how, Box::new(left), Box::new(right)), ty))
    }

    fn moment(&mut self, one: &IdedExpr, name: &str) -> Option<Typed> {
        let Expr::Literal(LiteralValue::String(text)) = &one.expr else {
            self.fault(one, format!("{name}() wants a constant text"));
            return None;
        };
        let text = text.inner();
        let found = if name == "duration" {
            span(text).map(|s| (Lit::Span(s), Type::Span))
        } else {
            let at = text.parse::<jiff::Timestamp>().ok();
            at.map(|t| (Lit::Time(t.as_second()), Type::Time))
        };
        let Some((lit, ty)) = found else {
            let shape = if name == "duration" {
                "`1h30m`"
            } else {
                "`2026-01-02T03:04:05Z`"
            };
            self.fault(one, format!("`{text}` is no {name}; write it as {shape}"));
            return None;
        };
        Some((Term::Lit(lit), ty))
    }

    fn size(&mut self, one: &IdedExpr) -> Option<Typed> {
        let (term, ty) = self.expr(one)?;
        if !matches!(ty, Type::Text | Type::Texts) {
            self.fault(one, format!("a {ty} has no size"));
            return None;
        }
        Some((Term::Size(Box::new(term)), Type::Int))
    }

    fn look(&mut self, name: &str, text: &IdedExpr, part: &IdedExpr) -> Option<Typed> {
        let (left, right) = (self.expr(text), self.expr(part));
        let ((left, left_ty), (right, right_ty)) = (left?, right?);
        if left_ty != Type::Text || right_ty != Type::Text {
            let hint = match left_ty {
                Type::Texts => "; ask a list with `\"…\" in list` or list.exists(x, …)",
                Type::Word(_) => "; compare a word with == or `in`",
                _ => "",
            };
            let problem = format!(
                "{name} asks a text about a text, here a {left_ty} about a {right_ty}{hint}"
            );
            self.fault(text, problem);
            return None;
        }
        let how = match name {
            "contains" => Look::Contains,
            "startsWith" => Look::Starts,
            _ => Look::Ends,
        };
        Some((Term::Look(how, Box::new(left), Box::new(right)), Type::Bool))
    }
}

fn comparison(name: &str) -> Option<Cmp> {
    Some(match name {
        op::EQUALS => Cmp::Eq,
        op::NOT_EQUALS => Cmp::Ne,
        op::LESS => Cmp::Lt,
        op::LESS_EQUALS => Cmp::Le,
        op::GREATER => Cmp::Gt,
        op::GREATER_EQUALS => Cmp::Ge,
        _ => return None,
    })
}

/// Reads a length of time as CEL writes it, in whole seconds: `1h30m`, `15m`, `90s`.
pub(super) fn span(text: &str) -> Option<i64> {
    let (mut total, mut number, mut seen) = (0_i64, None::<i64>, false);
    for c in text.chars() {
        if let Some(digit) = c.to_digit(10) {
            number = Some(
                number
                    .unwrap_or(0)
                    .checked_mul(10)?
                    .checked_add(digit.into())?,
            );
            continue;
        }
        let unit = match c {
            'h' => 3_600,
            'm' => 60,
            's' => 1,
            _ => return None,
        };
        total = total.checked_add(number.take()?.checked_mul(unit)?)?;
        seen = true;
    }
    (seen && number.is_none()).then_some(total)
}
