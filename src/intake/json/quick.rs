//! The quick way through JSON that is plain and whole, which is nearly all of it. What it cannot read at once, right or
//! wrong, it leaves to the other way, which also says what is wrong.

use std::borrow::Cow;
use std::cell::Cell;

use bumpalo::Bump;
use serde_json::Number;

use super::{Items, Json, Keys, duplicate};

/// Levels that are read here.
const MOST_LEVELS: usize = 100;

/// Objects up to this many keys are searched for duplicates by what their keys look like; larger ones are sorted.
const MOST_MARKED: usize = 64;

/// Most members for which room is kept from one text to the next: 14 KiB.
const MOST_SPARE: usize = 256;

/// Most words of marks that are kept from one text to the next: those of 64 KiB.
const MOST_SPARE_MARKS: usize = 1_024;

/// Bytes that a word of marks stands for.
const BLOCK: usize = 64;

/// What stands where nothing was read.
const NOTHING: Member<'static> = (Cow::Borrowed(""), Json::Null);

/// A member of an object; an element of a list has no key.
type Member<'a> = (Cow<'a, str>, Json<'a>);

thread_local! {
    /// Room for members: as much as any text needs is more than an allocator gives quickly.
    static SPARE: Cell<Vec<Member<'static>>> = const { Cell::new(Vec::new()) };
    /// Room for marks.
    static SPARE_MARKS: Cell<Vec<u64>> = const { Cell::new(Vec::new()) };
}

/// Reads a value that fills the text. Nothing means that the other way must be gone.
pub(super) fn parse<'a>(text: &'a str, arena: Option<&'a Bump>) -> Option<Json<'a>> {
    let mut marks = SPARE_MARKS.take();
    mark(text.as_bytes(), &mut marks);
    let mut reader = Reader {
        text,
        arena,
        bytes: text.as_bytes(),
        marks: &marks,
        at: 0,
        open: SPARE.take(),
    };
    let is_read = reader.read().is_some() && reader.open.len() == 1;
    let value = reader.open.pop().map(|(_, value)| value);
    // After a failure what was read is still there.
    if reader.open.is_empty() && reader.open.capacity() <= MOST_SPARE {
        // Nothing is in it; what changes is for how long what is put in may live.
        SPARE.set(reader.open.into_iter().map(|_| NOTHING).collect());
    }
    if marks.capacity() <= MOST_SPARE_MARKS {
        SPARE_MARKS.set(marks);
    }
    value.filter(|_| is_read)
}

/// Marks the bytes at which a string can end or is not plain: quotes, backslashes and control characters. Strings are
/// short, so looking for the end of each by itself takes longer than looking at all bytes once.
fn mark(bytes: &[u8], marks: &mut Vec<u64>) {
    const BACKSLASH: u8 = b'\\';
    // Puts the lowest bits of eight bytes beside each other.
    const GATHER: u64 = 0x0102_0408_1020_4080;
    let is_mark =
        |byte: u8| u8::from(byte == b'"') | u8::from(byte == BACKSLASH) | u8::from(byte < 0x20);
    let word = |block: &[u8; BLOCK]| {
        let flags = block.map(is_mark);
        let (eights, _) = flags.as_chunks::<8>();
        eights.iter().rev().fold(0, |word, eight| {
            let gathered = u64::from_le_bytes(*eight).wrapping_mul(GATHER) >> 56;
            word << 8 | gathered
        })
    };
    marks.clear();
    let (blocks, rest) = bytes.as_chunks::<BLOCK>();
    marks.extend(blocks.iter().map(word));
    let mut last = [b' '; BLOCK];
    if let Some(begin) = last.get_mut(..rest.len()) {
        begin.copy_from_slice(rest);
        marks.push(word(&last));
    }
}

struct Reader<'a, 'm> {
    text: &'a str,
    /// Where lists, objects and texts are put. What lies there is never dropped, so nothing there owns anything.
    arena: Option<&'a Bump>,
    bytes: &'a [u8],
    /// Where strings can end: a bit for each byte.
    marks: &'m [u64],
    at: usize,
    /// Members and elements of what is being read, the innermost last: each object and list takes its own in one piece.
    /// A value is written where it stays, part by part, as moving one takes longer than reading it.
    open: Vec<Member<'a>>,
}

impl<'a> Reader<'a, '_> {
    /// Reads all of the text.
    fn read(&mut self) -> Option<()> {
        let to = self.begin("");
        self.value(0, to)?;
        self.blanks();
        (self.at == self.bytes.len()).then_some(())
    }

    /// Begins a member, and returns its place.
    #[expect(
        clippy::inline_always,
        reason = "parts that are written by themselves are not moved as a whole"
    )]
    #[inline(always)]
    fn begin(&mut self, key: &'a str) -> usize {
        let to = self.open.len();
        self.open.push(NOTHING);
        if let Some(member) = self.open.get_mut(to) {
            std::mem::forget(std::mem::replace(&mut member.0, Cow::Borrowed(key)));
        }
        to
    }

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
        let mut byte = self.peek()?;
        // Machines write none.
        if byte <= b' ' {
            self.blanks();
            byte = self.peek()?;
        }
        self.at += 1;
        Some(byte)
    }

    /// Reads a value into a place of what is open.
    fn value(&mut self, level: usize, to: usize) -> Option<()> {
        // Each is put by itself: what is put together first is moved as a whole.
        match self.next()? {
            b'"' => {
                let text = self.string()?;
                self.put(to, || Json::Text(Cow::Borrowed(text)))
            }
            b'{' if level < MOST_LEVELS => self.object(level, to),
            b'[' if level < MOST_LEVELS => self.list(level, to),
            b't' => self
                .word("rue")
                .and_then(|()| self.put(to, || Json::Bool(true))),
            b'f' => self
                .word("alse")
                .and_then(|()| self.put(to, || Json::Bool(false))),
            // Nothing is what stands there.
            b'n' => self.word("ull"),
            b'-' | b'0'..=b'9' => self.number(to),
            _ => None,
        }
    }

    /// Writes a value into its place. What stands there is [`Json::Null`], so there is nothing to drop.
    #[expect(
        clippy::inline_always,
        reason = "parts that are written by themselves are not moved as a whole"
    )]
    #[inline(always)]
    fn put(&mut self, to: usize, value: impl FnOnce() -> Json<'a>) -> Option<()> {
        let place = &mut self.open.get_mut(to)?.1;
        std::mem::forget(std::mem::replace(place, value()));
        Some(())
    }

    fn word(&mut self, rest: &str) -> Option<()> {
        let found = self.bytes.get(self.at..self.at + rest.len())?;
        self.at += rest.len();
        (found == rest.as_bytes()).then_some(())
    }

    fn object(&mut self, level: usize, to: usize) -> Option<()> {
        let from = self.open.len();
        let mut byte = self.next()?;
        while byte != b'}' {
            if byte != b'"' {
                return None;
            }
            let key = self.string()?;
            if self.next()? != b':' {
                return None;
            }
            let member = self.begin(key);
            self.value(level + 1, member)?;
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
        if is_repetitive(self.open.get(from..)?) {
            return None;
        }
        let members = self.open.drain(from..);
        if let Some(arena) = self.arena {
            let members = arena.alloc_slice_fill_iter(members);
            self.put(to, || Json::Object(Items::Lent(members)))
        } else {
            let members = members.collect();
            self.put(to, || Json::Object(members))
        }
    }

    fn list(&mut self, level: usize, to: usize) -> Option<()> {
        let from = self.open.len();
        self.blanks();
        if self.peek()? == b']' {
            self.at += 1;
        } else {
            loop {
                let element = self.begin("");
                self.value(level + 1, element)?;
                match self.next()? {
                    b',' => {}
                    b']' => break,
                    _ => return None,
                }
            }
        }
        let elements = self.open.drain(from..).map(|(_, value)| value);
        if let Some(arena) = self.arena {
            let elements = arena.alloc_slice_fill_iter(elements);
            self.put(to, || Json::List(Items::Lent(elements)))
        } else {
            let elements = elements.collect();
            self.put(to, || Json::List(elements))
        }
    }

    /// Reads a string whose first quote was taken.
    #[inline]
    fn string(&mut self) -> Option<&'a str> {
        let from = self.at;
        match self.skip_plain()? {
            b'"' => {
                let text = self.text.get(from..self.at)?;
                self.at += 1;
                Some(text)
            }
            b'\\' => self.escaped(from),
            _ => None,
        }
    }

    /// Reads a string from its first backslash on. Without an arena there is nowhere to put it.
    #[cold]
    fn escaped(&mut self, from: usize) -> Option<&'a str> {
        let arena = self.arena?;
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
        let text: String = serde_json::from_str(quoted).ok()?;
        Some(arena.alloc_str(&text))
    }

    /// Goes to the next quote, backslash or control character, and returns it.
    #[inline]
    fn skip_plain(&mut self) -> Option<u8> {
        let mut block = self.at / BLOCK;
        let mut marks = self.marks.get(block)? >> (self.at % BLOCK) << (self.at % BLOCK);
        while marks == 0 {
            block += 1;
            marks = *self.marks.get(block)?;
        }
        self.at = block * BLOCK + marks.trailing_zeros() as usize;
        self.peek()
    }

    /// Reads a number whose first byte was taken.
    fn number(&mut self, to: usize) -> Option<()> {
        let from = self.at - 1;
        let is_negative = self.bytes.get(from) == Some(&b'-');
        let begin = from + usize::from(is_negative);
        let (mut at, mut value) = (begin, 0_u64);
        while let Some(digit @ b'0'..=b'9') = self.bytes.get(at) {
            value = value.wrapping_mul(10).wrapping_add(u64::from(digit - b'0'));
            at += 1;
        }
        let count = at - begin;
        let goes_on = matches!(self.bytes.get(at), Some(b'.' | b'e' | b'E' | b'+' | b'-'));
        let has_zero = self.bytes.get(begin) == Some(&b'0') && (count > 1 || is_negative);
        if goes_on || has_zero || !(1..19).contains(&count) {
            let number = self.other_number(from)?;
            return self.put(to, || Json::Number(number));
        }
        self.at = at;
        if is_negative {
            self.put(to, || Json::Number(Number::from(-value.cast_signed())))
        } else {
            self.put(to, || Json::Number(Number::from(value)))
        }
    }

    /// Reads what begins like a number as the other way takes it alone.
    fn other_number(&mut self, from: usize) -> Option<Number> {
        let is_number = |b: u8| b.is_ascii_digit() || matches!(b, b'.' | b'e' | b'E' | b'+' | b'-');
        self.at = from;
        while self.peek().is_some_and(is_number) {
            self.at += 1;
        }
        let text = self.text.get(from..self.at)?;
        match serde_json::from_str::<Json<'_>>(text).ok()? {
            Json::Number(number) => Some(number),
            _ => None,
        }
    }
}

/// Tells whether a key occurs twice.
fn is_repetitive(members: &[(Cow<'_, str>, Json<'_>)]) -> bool {
    if members.len() > MOST_MARKED {
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
