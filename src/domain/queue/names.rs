//! Texts that many alerts share, each kept once and searched once.

use std::ops::Range;

use super::room;
use crate::domain::places::Places;

/// A text of [`Names`]; by default the first one, which the queue makes the empty one.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub struct Name(u32);

impl Name {
    /// There are at most as many texts as there are alerts, and those are counted in 32 bits.
    fn new(at: usize) -> Self {
        Self(u32::try_from(at).unwrap_or(u32::MAX))
    }

    /// Returns the place among the texts.
    pub const fn at(self) -> usize {
        self.0 as usize
    }
}

/// Texts, each once, in the order in which they came.
#[derive(Clone, Debug, Default)]
pub struct Names {
    texts: Folded,
    places: Places,
    /// Room for a text in lower case.
    lower: String,
}

impl Names {
    /// Returns the name of a text, new or known.
    pub fn take(&mut self, text: &str) -> Name {
        let hash = self.places.hash(text);
        let texts = &self.texts;
        let known = self.places.find(hash, |at| texts.is(at as usize, text));
        if let Some(known) = known {
            return Name(known);
        }
        let name = Name::new(self.texts.push(text));
        self.places.add(hash, name.0);
        name
    }

    /// Returns the name of a text that is probably the same as another name's: many alerts in a row have it.
    pub fn take_again(&mut self, text: &str, last: Name) -> Name {
        match self.texts.is(last.at(), text) {
            true => last,
            false => self.take(text),
        }
    }

    /// Returns the name of a text in lower case.
    pub fn take_lower(&mut self, text: &str) -> Name {
        let mut lower = std::mem::take(&mut self.lower);
        lower.clear();
        push_lower(&mut lower, text);
        let name = self.take(&lower);
        self.lower = lower;
        name
    }

    /// Returns the text of a name.
    pub fn get(&self, name: Name) -> &str {
        self.texts.get(name.at())
    }

    /// Returns the texts.
    pub const fn texts(&self) -> &Folded {
        &self.texts
    }
}

/// Texts with what they are in lower case, where that differs for any: searches look there.
#[derive(Clone, Debug, Default)]
pub struct Folded {
    shown: Texts,
    lower: Option<Texts>,
}

impl Folded {
    /// Adds a text and returns its place.
    pub fn push(&mut self, text: &str) -> usize {
        let at = self.shown.len();
        // Most texts of sources are short and plain.
        let is_plain = text
            .bytes()
            .all(|b| b.is_ascii() && !b.is_ascii_uppercase());
        if !is_plain && self.lower.is_none() && text.to_lowercase() != text {
            self.lower = Some(self.shown.clone());
        }
        self.shown.push(text);
        match &mut self.lower {
            Some(texts) if is_plain => texts.push(text),
            Some(texts) => texts.push(&text.to_lowercase()),
            None => {}
        }
        at
    }

    /// Returns the text at a place; empty where there is none.
    pub fn get(&self, at: usize) -> &str {
        self.shown.get(at)
    }

    /// Tells whether a text stands at a place.
    pub fn is(&self, at: usize, text: &str) -> bool {
        self.shown.is(at, text)
    }

    /// Returns how many there are.
    pub fn len(&self) -> usize {
        self.shown.len()
    }

    /// Finds all texts that contain `needle`, which must be lower case.
    pub fn containing(&self, needle: &str) -> Hits {
        let mut hits = Hits::none(self.len());
        self.containing_among(needle, 0..self.len(), |at| hits.add(at));
        hits
    }

    /// Tells of those of some texts that contain `needle`, which must be lower case: one pass over all of them.
    pub fn containing_among(&self, needle: &str, places: Range<usize>, hit: impl FnMut(usize)) {
        let texts = self.lower.as_ref().unwrap_or(&self.shown);
        texts.containing(needle.as_bytes(), places, hit);
    }

    /// Returns what tells whether a text contains `needle`, which must be lower case: for few among many.
    pub fn contains<'t>(&'t self, needle: &'t str) -> impl Fn(usize) -> bool + 't {
        let texts = self.lower.as_ref().unwrap_or(&self.shown);
        let finder = memchr::memmem::Finder::new(needle);
        move |at| finder.find(texts.get(at).as_bytes()).is_some()
    }

    /// Finds all texts that pass a test.
    pub fn passing(&self, test: impl Fn(&str) -> bool) -> Hits {
        Hits::of(self.len(), |at| test(self.shown.get(at)))
    }
}

/// Writes a text in lower case behind another.
fn push_lower(out: &mut String, text: &str) {
    if text.is_ascii() {
        let from = out.len();
        out.push_str(text);
        out[from..].make_ascii_lowercase();
    } else {
        out.push_str(&text.to_lowercase());
    }
}

/// Texts end to end.
#[derive(Clone, Debug, Default)]
pub struct Texts {
    all: String,
    ends: Vec<u32>,
}

impl Texts {
    /// Most bytes kept; texts beyond are kept empty, so that nothing else breaks.
    const MOST: usize = u32::MAX as usize;

    /// Adds one.
    pub fn push(&mut self, text: &str) {
        if self.all.len() + text.len() <= Self::MOST {
            room::push_text(&mut self.all, text);
        }
        let end = u32::try_from(self.all.len()).unwrap_or(u32::MAX);
        room::push(&mut self.ends, end);
    }

    /// Returns how many there are.
    pub fn len(&self) -> usize {
        self.ends.len()
    }

    /// Returns the text at a place; empty where there is none.
    pub fn get(&self, at: usize) -> &str {
        let start = at.checked_sub(1).map_or(0, |before| self.end(before));
        self.all.get(start..self.end(at)).unwrap_or("")
    }

    /// Tells whether a text stands at a place. Asked of many: one of another length is not looked at.
    fn is(&self, at: usize, text: &str) -> bool {
        let start = at.checked_sub(1).map_or(0, |before| self.end(before));
        let end = self.end(at);
        end.wrapping_sub(start) == text.len()
            && self.all.as_bytes().get(start..end) == Some(text.as_bytes())
    }

    fn end(&self, at: usize) -> usize {
        self.ends
            .get(at)
            .map_or(self.all.len(), |end| *end as usize)
    }

    /// Tells of those of some texts that contain some bytes.
    fn containing(&self, needle: &[u8], places: Range<usize>, mut hit: impl FnMut(usize)) {
        let last = places.end.min(self.len());
        let mut at = places.start;
        if needle.is_empty() || at >= last {
            (at..last).for_each(hit);
            return;
        }
        let finder = memchr::memmem::Finder::new(needle);
        let all = &self.all.as_bytes()[..self.end(last - 1)];
        let mut from = at.checked_sub(1).map_or(0, |before| self.end(before));
        while let Some(found) = finder.find(&all[from..]) {
            let start = from + found;
            at = self.over(at, start);
            let end = self.end(at);
            if start + needle.len() <= end {
                hit(at);
                from = end;
            } else {
                // The hit lies over a seam.
                from = start + 1;
            }
        }
    }

    /// Returns the first text from `at` on that ends behind a byte. Where every text has a hit it is the next one: the
    /// steps grow from one.
    fn over(&self, mut at: usize, byte: usize) -> usize {
        let is_before = |end: &u32| *end as usize <= byte;
        let mut step = 1;
        while self.ends.get(at + step - 1).is_some_and(is_before) {
            at += step;
            step *= 2;
        }
        let until = self.ends.len().min(at + step);
        at + self.ends[at..until].partition_point(is_before)
    }
}

/// A set of places.
#[derive(Clone, Debug, Default)]
pub struct Hits {
    bits: Vec<u64>,
    len: usize,
}

impl Hits {
    /// Returns the places below `len` that pass a test.
    pub fn of(len: usize, test: impl Fn(usize) -> bool) -> Self {
        let mut hits = Self::none(len);
        (0..len).filter(|at| test(*at)).for_each(|at| hits.add(at));
        hits
    }

    /// Returns the empty set of places below `len`.
    pub fn none(len: usize) -> Self {
        Self {
            bits: vec![0; len.div_ceil(64)],
            len,
        }
    }

    /// Adds a place below the length.
    pub fn add(&mut self, at: usize) {
        self.bits[at / 64] |= 1 << (at % 64);
    }

    /// Takes a place below the length out.
    pub fn remove(&mut self, at: usize) {
        self.bits[at / 64] &= !(1 << (at % 64));
    }

    /// Makes room for places below `len`.
    pub fn grow(&mut self, len: usize) {
        self.bits.resize(len.div_ceil(64), 0);
        self.len = len;
    }

    /// Returns which of the places from one on are in it, a bit each; `from` is where a word begins.
    pub fn words(&self, from: usize) -> &[u64] {
        self.bits.get(from / 64..).unwrap_or_default()
    }

    /// Adds places from one on, a bit each; `from` is where a word begins. Bits without a place are left out.
    pub fn add_words(&mut self, from: usize, words: &[u64]) {
        for (mine, theirs) in self.bits[from / 64..].iter_mut().zip(words) {
            *mine |= theirs;
        }
        if let Some(last) = self
            .bits
            .last_mut()
            .filter(|_| !self.len.is_multiple_of(64))
        {
            *last &= (1 << (self.len % 64)) - 1;
        }
    }

    /// Returns the places in it, from the first on.
    pub fn places(&self) -> impl Iterator<Item = usize> {
        places(&self.bits)
    }

    /// Adds all places of another set of the same length.
    pub fn join(&mut self, other: &Self) {
        for (mine, theirs) in self.bits.iter_mut().zip(&other.bits) {
            *mine |= theirs;
        }
    }

    /// Returns the set if there is anything in it.
    pub fn if_any(self) -> Option<Self> {
        self.bits.iter().any(|bits| *bits != 0).then_some(self)
    }

    /// Tells whether a place is in it; places that came later are not.
    pub fn has(&self, at: usize) -> bool {
        at < self.len && self.bits[at / 64] >> (at % 64) & 1 == 1
    }

    /// Tells whether a name is in it.
    pub fn has_name(&self, name: Name) -> bool {
        self.has(name.at())
    }
}

/// Returns the places of the bits that are set, from the first on.
pub fn places(words: &[u64]) -> impl Iterator<Item = usize> {
    words.iter().enumerate().flat_map(|(word, bits)| {
        let mut left = *bits;
        std::iter::from_fn(move || {
            let at = (left != 0).then(|| word * 64 + left.trailing_zeros() as usize);
            left &= left.wrapping_sub(1);
            at
        })
    })
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn equal_texts_are_kept_once() {
        let mut names = Names::default();
        let (a, b) = (names.take("svc-a"), names.take("Svc-B"));
        assert_eq!((names.take("svc-a"), names.take("Svc-B")), (a, b));
        assert_eq!((names.texts().len(), names.get(b)), (2, "Svc-B"));
        let hits = names.texts().containing("svc-b");
        assert!(hits.has_name(b) && !hits.has_name(a));
        let late = names.take("svc-b2");
        assert!(!hits.has_name(late));
    }

    proptest! {
        #[test]
        fn one_pass_finds_what_a_look_at_each_finds(
            texts in proptest::collection::vec("[abC]{0,4}", 0..30), needle in "[abc]{0,3}",
            slice in 1_usize..9,
        ) {
            let mut names = Names::default();
            let given: Vec<Name> = texts.iter().map(|t| names.take(t)).collect();
            let hits = names.texts().containing(&needle);
            let all = names.texts().len();
            let mut in_slices = Hits::none(all);
            for from in (0..all).step_by(slice) {
                let places = from..all.min(from + slice);
                names.texts().containing_among(&needle, places, |at| in_slices.add(at));
            }
            for (text, name) in texts.iter().zip(given) {
                prop_assert_eq!(names.get(name), text.as_str());
                prop_assert_eq!(hits.has_name(name), text.to_lowercase().contains(&needle));
                prop_assert_eq!(in_slices.has_name(name), hits.has_name(name));
                prop_assert_eq!(names.texts().contains(&needle)(name.at()), hits.has_name(name));
            }
        }
    }
}
