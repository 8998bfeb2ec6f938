//! The quick way through JSON that is plain and whole, which is nearly all of it. What it cannot read at once, right or
//! wrong, it leaves to the other way, which also says what is wrong.

use std::borrow::Cow;

use serde_json::Number;

use super::{FEW_KEYS, Json, Keys, duplicate};

/// Levels that are read here.
const MOST_LEVELS: usize = 100;

/// Reads a value that fills the text. Nothing means that the other way must be gone.
pub(super) fn parse(text: &str) -> Option<Json<'_>> {
    let mut reader = Reader {
        text,
        bytes: text.as_bytes(),
        at: 0,
        members: Vec::with_capacity(32),
        items: Vec::new(),
    };
    let value = reader.value(0)?;
    reader.blanks();
    (reader.at == text.len()).then_some(value)
}

struct Reader<'a> {
    text: &'a str,
    bytes: &'a [u8],
    at: usize,
    /// Members of the objects that are being read, the innermost last: each object takes its own in one piece.
    members: Vec<(Cow<'a, str>, Json<'a>)>,
    items: Vec<Json<'a>>,
}

impl<'a> Reader<'a> {
    fn peek(&self) -> Option<u8> {
        self.bytes.get(self.at).copied()
    }

    fn blanks(&mut self) {
        while matches!(self.peek(), Some(b' ' | b'\n' | b'\t' | b'\r')) {
            self.at += 1;
        }
    }

    /// Returns the next byte that is no blank.
    fn next(&mut self) -> Option<u8> {
        self.blanks();
        let byte = self.peek()?;
        self.at += 1;
        Some(byte)
    }

    fn value(&mut self, level: usize) -> Option<Json<'a>> {
        match self.next()? {
            b'"' => self.string().map(Json::Text),
            b'{' if level < MOST_LEVELS => self.object(level),
            b'[' if level < MOST_LEVELS => self.list(level),
            b't' => self.word("rue", Json::Bool(true)),
            b'f' => self.word("alse", Json::Bool(false)),
            b'n' => self.word("ull", Json::Null),
            b'-' | b'0'..=b'9' => self.number(),
            _ => None,
        }
    }

    fn word(&mut self, rest: &str, value: Json<'a>) -> Option<Json<'a>> {
        let found = self.bytes.get(self.at..self.at + rest.len())?;
        self.at += rest.len();
        (found == rest.as_bytes()).then_some(value)
    }

    fn object(&mut self, level: usize) -> Option<Json<'a>> {
        let from = self.members.len();
        let mut byte = self.next()?;
        while byte != b'}' {
            if byte != b'"' {
                return None;
            }
            let key = self.string()?;
            if self.next()? != b':' {
                return None;
            }
            let value = self.value(level + 1)?;
            self.members.push((key, value));
            byte = self.next()?;
            if byte == b',' {
                byte = self.next()?;
                if byte == b'}' {
                    return None;
                }
            } else if byte != b'}' {
                return None;
            }
        }
        let members = self.members.split_off(from);
        (!is_repetitive(&members)).then_some(Json::Object(members))
    }

    fn list(&mut self, level: usize) -> Option<Json<'a>> {
        let from = self.items.len();
        self.blanks();
        if self.peek()? == b']' {
            self.at += 1;
            return Some(Json::List(Vec::new()));
        }
        loop {
            let value = self.value(level + 1)?;
            self.items.push(value);
            match self.next()? {
                b',' => {}
                b']' => return Some(Json::List(self.items.split_off(from))),
                _ => return None,
            }
        }
    }

    /// Reads a string whose first quote was taken.
    fn string(&mut self) -> Option<Cow<'a, str>> {
        let from = self.at;
        match self.skip_plain()? {
            b'"' => {
                let text = self.text.get(from..self.at)?;
                self.at += 1;
                Some(Cow::Borrowed(text))
            }
            b'\\' => {
                loop {
                    match self.skip_plain()? {
                        b'"' => break,
                        // Whatever is escaped is not the end.
                        b'\\' => self.at += 2,
                        _ => return None,
                    }
                }
                self.at += 1;
                let quoted = self.text.get(from - 1..self.at)?;
                serde_json::from_str(quoted).ok().map(Cow::Owned)
            }
            _ => None,
        }
    }

    /// Goes to the next quote, backslash or control character, eight bytes at a time, and returns it.
    fn skip_plain(&mut self) -> Option<u8> {
        const LOW: u64 = 0x0101_0101_0101_0101;
        const HIGH: u64 = LOW << 7;
        // Marks at least the first zero byte, and none before it.
        let zero = |word: u64| word.wrapping_sub(LOW) & !word & HIGH;
        while let Some(bytes) = self.bytes.get(self.at..).and_then(<[u8]>::first_chunk) {
            let word = u64::from_le_bytes(*bytes);
            let quote = zero(word ^ (LOW * u64::from(b'"')));
            let backslash = zero(word ^ (LOW * u64::from(b'\\')));
            let control = word.wrapping_sub(LOW * 0x20) & !word & HIGH;
            let found = quote | backslash | control;
            if found != 0 {
                self.at += found.trailing_zeros() as usize / 8;
                return self.peek();
            }
            self.at += 8;
        }
        loop {
            match self.peek()? {
                byte @ (b'"' | b'\\' | ..0x20) => return Some(byte),
                _ => self.at += 1,
            }
        }
    }

    /// Reads a number whose first byte was taken.
    fn number(&mut self) -> Option<Json<'a>> {
        let from = self.at - 1;
        let is_number = |b: u8| b.is_ascii_digit() || matches!(b, b'.' | b'e' | b'E' | b'+' | b'-');
        while self.peek().is_some_and(is_number) {
            self.at += 1;
        }
        let text = self.text.get(from..self.at)?;
        let digits = text.strip_prefix('-').unwrap_or(text).as_bytes();
        let is_short = digits.len() < 19 && digits.iter().all(u8::is_ascii_digit);
        if !is_short || digits.is_empty() || (digits[0] == b'0' && text.len() > 1) {
            // The other way takes every number as it takes it alone.
            return match serde_json::from_str::<Json<'_>>(text).ok()? {
                Json::Number(number) => Some(Json::Number(number)),
                _ => None,
            };
        }
        let value = digits
            .iter()
            .fold(0_u64, |n, d| n * 10 + u64::from(d - b'0'));
        let number = match digits.len() == text.len() {
            true => Number::from(value),
            false => Number::from(-value.cast_signed()),
        };
        Some(Json::Number(number))
    }
}

/// Tells whether a key occurs twice.
fn is_repetitive(members: &[(Cow<'_, str>, Json<'_>)]) -> bool {
    if members.len() > FEW_KEYS {
        return duplicate(members).is_some();
    }
    // Keys that differ in length or ends are different; the few others are compared.
    let mut seen = [0_u64; 4];
    members.iter().enumerate().any(|(at, (key, _))| {
        let (word, bit) = Keys::mark(key);
        let is_met = seen[word] & bit != 0;
        seen[word] |= bit;
        is_met && members[..at].iter().any(|(other, _)| other == key)
    })
}
