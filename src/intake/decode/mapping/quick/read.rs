//! Reading the filters that are run here. Whatever is not known is for the interpreter: nothing here is an error.

use super::{Call, Term};
use crate::intake::json::Json;

/// Deepest brackets.
const MOST_LEVELS: usize = 16;

/// Reads a whole filter.
pub(super) fn filter<'s>(source: &'s str, vars: &[&'s str]) -> Option<Term> {
    let mut reader = Reader {
        rest: source,
        vars: vars.to_vec(),
        level: 0,
        may_bind: false,
    };
    let term = reader.pipe()?;
    reader.blanks();
    reader.rest.is_empty().then_some(term)
}

struct Reader<'s> {
    rest: &'s str,
    /// Names of variables, those that are bound on the way behind the others.
    vars: Vec<&'s str>,
    level: usize,
    /// Whether `as` may stand behind the next term: behind a sign, what is bound is more than that term.
    may_bind: bool,
}

fn boxed(one: Term, other: Term) -> (Box<Term>, Box<Term>) {
    (Box::new(one), Box::new(other))
}

impl<'s> Reader<'s> {
    fn blanks(&mut self) {
        self.rest = self.rest.trim_ascii_start();
    }

    /// Takes a sign if it stands next and does not go on as another one.
    fn sign(&mut self, sign: &str, but: &[&str]) -> bool {
        self.blanks();
        let is = self.rest.starts_with(sign) && !but.iter().any(|b| self.rest.starts_with(b));
        if is {
            self.rest = &self.rest[sign.len()..];
        }
        is
    }

    /// Returns the word that stands next, without taking it.
    fn peek_word(&mut self) -> &'s str {
        self.blanks();
        let is_word = |c: char| c.is_ascii_alphanumeric() || c == '_';
        let end = self.rest.find(|c| !is_word(c));
        &self.rest[..end.unwrap_or(self.rest.len())]
    }

    fn word(&mut self, wanted: &str) -> bool {
        let is = self.peek_word() == wanted;
        if is {
            self.rest = &self.rest[wanted.len()..];
        }
        is
    }

    /// `a | b` binds the least, then `a, b`, `a // b`, `or`, `and`, comparisons.
    fn pipe(&mut self) -> Option<Term> {
        self.level += 1;
        if self.level > MOST_LEVELS {
            return None;
        }
        let mut term = self.both()?;
        if self.sign("|", &["|="]) {
            // To the right: what is bound there is bound once.
            let (from, to) = boxed(term, self.pipe()?);
            term = Term::Pipe(from, to);
        }
        self.level -= 1;
        Some(term)
    }

    fn both(&mut self) -> Option<Term> {
        self.may_bind = true;
        let mut term = self.otherwise()?;
        while self.sign(",", &[]) {
            self.may_bind = true;
            let (one, other) = boxed(term, self.otherwise()?);
            term = Term::Both(one, other);
        }
        Some(term)
    }

    fn otherwise(&mut self) -> Option<Term> {
        let term = self.or()?;
        if self.sign("//", &["//="]) {
            let (one, other) = boxed(term, self.otherwise()?);
            return Some(Term::Else(one, other));
        }
        Some(term)
    }

    fn or(&mut self) -> Option<Term> {
        let mut term = self.and()?;
        while self.word("or") {
            let (one, other) = boxed(term, self.and()?);
            term = Term::Or(one, other);
        }
        Some(term)
    }

    fn and(&mut self) -> Option<Term> {
        let mut term = self.compared()?;
        while self.word("and") {
            let (one, other) = boxed(term, self.compared()?);
            term = Term::And(one, other);
        }
        Some(term)
    }

    fn compared(&mut self) -> Option<Term> {
        let term = self.suffixed()?;
        if self.sign("==", &[]) {
            let (one, other) = boxed(term, self.suffixed()?);
            return Some(Term::Same(one, other, true));
        }
        if self.sign("!=", &[]) {
            let (one, other) = boxed(term, self.suffixed()?);
            return Some(Term::Same(one, other, false));
        }
        if self.sign(">", &[">="]) {
            let (one, other) = boxed(term, self.suffixed()?);
            return Some(Term::More(one, other));
        }
        if self.sign("<", &["<="]) {
            let (one, other) = boxed(self.suffixed()?, term);
            return Some(Term::More(one, other));
        }
        Some(term)
    }

    /// A term with what stands behind it without a blank: `.key`, `."key"`, `[]`, `["key"]`, `[0]`.
    fn suffixed(&mut self) -> Option<Term> {
        let may_bind = std::mem::take(&mut self.may_bind);
        let mut term = self.term()?;
        loop {
            if let Some(after) = self.rest.strip_prefix('[') {
                self.rest = after;
                term = self.index(term)?;
            } else if self.rest.starts_with('.') {
                self.rest = &self.rest[1..];
                if let Some(after) = self.rest.strip_prefix('[') {
                    self.rest = after;
                    term = self.index(term)?;
                } else {
                    term = Term::Key(Box::new(term), self.key()?);
                }
            } else {
                break;
            }
        }
        // `?` is not known here.
        if self.rest.starts_with('?') {
            return None;
        }
        match self.word("as") {
            true if may_bind => self.bound(term),
            true => None,
            false => Some(term),
        }
    }

    /// `$name | b` behind `a as`: `b` goes as far as it can, and only there the name is known.
    fn bound(&mut self, of: Term) -> Option<Term> {
        if !self.sign("$", &[]) {
            return None;
        }
        let name = self.peek_word();
        self.rest = self.rest.strip_prefix(name)?;
        if name.is_empty() || !self.sign("|", &["|="]) {
            return None;
        }
        self.vars.push(name);
        let body = self.pipe();
        self.vars.pop();
        let (of, body) = boxed(of, body?);
        Some(Term::Bind(of, body))
    }

    fn index(&mut self, of: Term) -> Option<Term> {
        self.blanks();
        let of = Box::new(of);
        let term = if self.rest.starts_with(']') {
            Term::Each(of)
        } else if self.rest.starts_with('"') {
            Term::Key(of, self.literal()?)
        } else if self.rest.starts_with(|c: char| c.is_ascii_digit()) {
            let word = self.peek_word();
            let at = word.parse().ok()?;
            self.rest = &self.rest[word.len()..];
            if self.sign(":", &[]) {
                Term::From(of, at)
            } else {
                Term::At(of, at)
            }
        } else {
            Term::KeyOf(of, Box::new(self.pipe()?))
        };
        self.sign("]", &[]).then_some(term)
    }

    fn key(&mut self) -> Option<String> {
        if self.rest.starts_with('"') {
            return self.literal();
        }
        let word = self.peek_word();
        let is_key = word.starts_with(|c: char| c.is_ascii_alphabetic() || c == '_');
        // No blank may stand before it.
        if !is_key || !self.rest.starts_with(word) {
            return None;
        }
        self.rest = &self.rest[word.len()..];
        Some(word.to_owned())
    }

    fn term(&mut self) -> Option<Term> {
        self.blanks();
        let first = self.rest.chars().next()?;
        match first {
            '.' => self.path(),
            '"' => self.text(),
            '(' => {
                self.rest = &self.rest[1..];
                let term = self.pipe()?;
                self.sign(")", &[]).then_some(term)
            }
            '[' => {
                self.rest = &self.rest[1..];
                if self.sign("]", &[]) {
                    return Some(Term::List(None));
                }
                let of = self.pipe()?;
                self.sign("]", &[]).then(|| Term::List(Some(Box::new(of))))
            }
            '{' => self.object(),
            '$' => {
                self.rest = &self.rest[1..];
                let word = self.peek_word();
                let at = self.vars.iter().rposition(|var| *var == word)?;
                self.rest = &self.rest[word.len()..];
                Some(Term::Var(at))
            }
            '0'..='9' => {
                let word = self.peek_word();
                let number: u32 = word.parse().ok()?;
                self.rest = &self.rest[word.len()..];
                // A fraction is not known here.
                let number = Json::Number(number.into());
                (!self.rest.starts_with('.')).then_some(Term::Value(number))
            }
            _ => self.call(),
        }
    }

    /// `.`, `.key`, `."key"`, `.[…]`: the input and the first thing behind it.
    fn path(&mut self) -> Option<Term> {
        self.rest = &self.rest[1..];
        let next = self.rest.chars().next();
        match next {
            Some('.') => None,
            Some(c) if c == '"' || c == '_' || c.is_ascii_alphabetic() => {
                Some(Term::Key(Box::new(Term::Input), self.key()?))
            }
            _ => Some(Term::Input),
        }
    }

    fn object(&mut self) -> Option<Term> {
        self.rest = &self.rest[1..];
        let mut members: Vec<(String, Term)> = Vec::new();
        if self.sign("}", &[]) {
            return Some(Term::Object(members));
        }
        loop {
            self.blanks();
            let key = self.key()?;
            if members.iter().any(|(known, _)| *known == key) || !self.sign(":", &[]) {
                return None;
            }
            members.push((key, self.suffixed()?));
            if self.sign("}", &[]) {
                return Some(Term::Object(members));
            }
            if !self.sign(",", &[]) {
                return None;
            }
        }
    }

    fn call(&mut self) -> Option<Term> {
        let word = self.peek_word();
        self.rest = &self.rest[word.len()..];
        if word == "if" {
            return self.branch();
        }
        let plain = match word {
            "true" => return Some(Term::Value(Json::Bool(true))),
            "false" => return Some(Term::Value(Json::Bool(false))),
            "null" => return Some(Term::Value(Json::Null)),
            "objects" => Call::Objects,
            "arrays" => Call::Arrays,
            "strings" => Call::Strings,
            "numbers" => Call::Numbers,
            "values" => Call::Values,
            "empty" => Call::Empty,
            "not" => Call::Not,
            "length" => Call::Length,
            "tostring" => Call::ToString,
            "keys" => Call::Keys,
            "unique" => Call::Unique,
            "select" | "map" | "join" | "split" | "startswith" => return self.given(word),
            _ => return None,
        };
        (!self.rest.starts_with('(')).then_some(Term::Call(plain))
    }

    /// A function with one argument.
    fn given(&mut self, word: &str) -> Option<Term> {
        if !self.sign("(", &[]) {
            return None;
        }
        self.blanks();
        let call = match word {
            "select" => Call::Select(Box::new(self.pipe()?)),
            "map" => Call::Map(Box::new(self.pipe()?)),
            "join" => Call::Join(self.literal()?),
            "split" => Call::Split(self.literal()?),
            _ => Call::StartsWith(self.literal()?),
        };
        self.sign(")", &[]).then_some(Term::Call(call))
    }

    fn branch(&mut self) -> Option<Term> {
        let when = Box::new(self.pipe()?);
        if !self.word("then") {
            return None;
        }
        let then = Box::new(self.pipe()?);
        let otherwise = if self.word("elif") {
            self.branch()?
        } else if self.word("else") {
            let otherwise = self.pipe()?;
            if !self.word("end") {
                return None;
            }
            otherwise
        } else if self.word("end") {
            Term::Input
        } else {
            return None;
        };
        Some(Term::If(when, then, Box::new(otherwise)))
    }

    /// A text without anything in it that stands for something else.
    fn literal(&mut self) -> Option<String> {
        let after = self.rest.strip_prefix('"')?;
        let (text, rest) = after.split_once('"')?;
        self.rest = rest;
        (!text.contains('\\')).then(|| text.to_owned())
    }

    /// A text, possibly with `\(…)` in it.
    fn text(&mut self) -> Option<Term> {
        self.rest = &self.rest[1..];
        let (mut parts, mut plain) = (Vec::new(), String::new());
        loop {
            let at = self.rest.find(['"', '\\'])?;
            plain.push_str(&self.rest[..at]);
            let is_end = self.rest[at..].starts_with('"');
            self.rest = &self.rest[at + 1..];
            if !plain.is_empty() {
                let text = std::mem::take(&mut plain);
                parts.push(Term::Value(Json::Text(text.into())));
            }
            if is_end {
                break;
            }
            self.rest = self.rest.strip_prefix('(')?;
            parts.push(self.pipe()?);
            if !self.sign(")", &[]) {
                return None;
            }
        }
        match parts.len() {
            0 => Some(Term::Value(Json::Text("".into()))),
            1 if matches!(parts[0], Term::Value(_)) => parts.pop(),
            _ => Some(Term::Text(parts)),
        }
    }
}
