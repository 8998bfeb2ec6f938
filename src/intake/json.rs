//! Reading hostile JSON: borrowed, bounded in depth, and strict about duplicate keys.
//!
//! Two readers that disagree about which of two equal keys counts can be played off against each other (RFC 8259 §4
//! leaves it open), so a repeated key at any level is an error here. The tree borrows from the line where it can; an
//! alert has few keys an object, so objects are plain lists.

mod items;
mod quick;

use std::borrow::Cow;
use std::fmt;

use bumpalo::Bump;
use serde::de::{self, Deserialize, DeserializeSeed, Deserializer, MapAccess, SeqAccess, Visitor};
use serde_json::Number;

pub use items::Items;

use crate::domain::small::Small;

/// Objects up to this many keys are searched for duplicates pair by pair; larger ones are sorted.
const FEW_KEYS: usize = 16;

/// A parsed JSON value.
#[derive(Clone, Debug, PartialEq)]
pub enum Json<'a> {
    /// `null`.
    Null,
    /// `true` or `false`.
    Bool(bool),
    /// A number; beyond 64 bits it is the nearest double.
    Number(Number),
    /// A string.
    Text(Cow<'a, str>),
    /// An array.
    List(Items<'a, Json<'a>>),
    /// An object, in the order of the text, each key once.
    Object(Items<'a, (Cow<'a, str>, Json<'a>)>),
}

/// Why text is not one acceptable JSON value.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum JsonError {
    /// Not JSON (RFC 8259).
    #[error("not JSON: {what} at line {line} column {column}")]
    Syntax {
        /// What the parser stumbled over.
        what: String,
        /// Counted from 1.
        line: usize,
        /// Counted from 1.
        column: usize,
        /// Whether the text merely ends too early.
        incomplete: bool,
    },
    /// Nested beyond the parser's limit of 128 levels.
    #[error("JSON nested 128 levels or deeper at column {column}; such depth is refused")]
    TooDeep {
        /// Counted from 1.
        column: usize,
    },
    /// One object names a key twice.
    #[error(
        "duplicate key {key} in one JSON object; which of the two counts is undefined, so neither does"
    )]
    DuplicateKey {
        /// The key, quoted and made visible.
        key: String,
    },
}

impl JsonError {
    /// Tells whether more text could make it valid.
    pub const fn is_incomplete(&self) -> bool {
        matches!(
            self,
            Self::Syntax {
                incomplete: true,
                ..
            }
        )
    }
}

/// Parses one JSON value that fills `text` entirely.
pub fn parse(text: &str) -> Result<Json<'_>, JsonError> {
    quick::parse(text, None).map_or_else(|| parse_slowly(text), Ok)
}

/// Does the same with all lists, objects and texts in one piece of memory, which is given back as a whole.
pub fn parse_in<'a>(text: &'a str, arena: &'a Bump) -> Result<Json<'a>, JsonError> {
    quick::parse(text, Some(arena)).map_or_else(|| parse_slowly(text), Ok)
}

fn parse_slowly(text: &str) -> Result<Json<'_>, JsonError> {
    serde_json::from_str(text).map_err(|error| classify(&error))
}

fn classify(error: &serde_json::Error) -> JsonError {
    let (line, column) = (error.line(), error.column());
    let text = error.to_string();
    // serde_json appends the position to every message; it is reported as fields here.
    let what = text.split(" at line ").next().unwrap_or(&text);
    match error.classify() {
        // The visitor below takes every value, so the only error of its own is the duplicate key.
        serde_json::error::Category::Data => JsonError::DuplicateKey {
            key: text
                .rsplit_once(" at line ")
                .map_or(text.as_str(), |(message, _)| message)
                .to_owned(),
        },
        _ if what.starts_with("recursion limit") => JsonError::TooDeep { column },
        category => JsonError::Syntax {
            what: what.to_owned(),
            line,
            column,
            incomplete: category == serde_json::error::Category::Eof,
        },
    }
}

impl Json<'_> {
    /// Returns the member `key` of an object.
    pub fn get(&self, key: &str) -> Option<&Self> {
        match self {
            Self::Object(members) => {
                let first = key.as_bytes().first();
                let is = |name: &str| {
                    // Most differ in one of these.
                    name.len() == key.len() && name.as_bytes().first() == first && name == key
                };
                members.iter().find(|(k, _)| is(k)).map(|(_, v)| v)
            }
            _ => None,
        }
    }

    /// Follows `keys` through nested objects.
    pub fn at(&self, keys: &[&str]) -> Option<&Self> {
        keys.iter().try_fold(self, |value, key| value.get(key))
    }

    /// Returns the elements of an array; nothing for anything else.
    pub fn items(&self) -> &[Self] {
        match self {
            Self::List(items) => items,
            _ => &[],
        }
    }

    /// Returns a string that is not blank.
    pub fn text(&self) -> Option<&str> {
        match self {
            Self::Text(text) if !is_blank(text) => Some(text),
            _ => None,
        }
    }

    /// Returns a string that is not blank, or a number as it is written: ids come as both.
    pub fn id(&self) -> Option<Cow<'_, str>> {
        match self {
            Self::Number(number) => Some(Cow::Owned(written(number).into())),
            _ => self.text().map(Cow::Borrowed),
        }
    }

    /// Returns a whole number, also when it is written as a string.
    pub fn integer(&self) -> Option<i64> {
        match self {
            Self::Number(number) => number.as_i64().or_else(|| {
                let float = number.as_f64()?;
                (float.fract() == 0.0 && float.abs() < 1e15).then_some(float as i64)
            }),
            Self::Text(text) => text.trim().parse().ok(),
            _ => None,
        }
    }

    /// Writes a scalar as JSON text; nothing for arrays, objects and `null`.
    pub fn scalar_json(&self) -> Option<Small> {
        match self {
            Self::Bool(value) => Some(value.to_string().into()),
            Self::Number(number) => Some(written(number)),
            Self::Text(text) => serde_json::to_string(text).ok().map(Small::from),
            _ => None,
        }
    }

    /// Names the JSON type, for messages.
    pub const fn type_name(&self) -> &'static str {
        match self {
            Self::Null => "null",
            Self::Bool(_) => "a boolean",
            Self::Number(_) => "a number",
            Self::Text(_) => "a string",
            Self::List(_) => "an array",
            Self::Object(_) => "an object",
        }
    }
}

/// Tells whether text is nothing but blanks.
pub fn is_blank(text: &str) -> bool {
    // Nearly all begins with a letter or digit.
    !text.as_bytes().first().is_some_and(u8::is_ascii_graphic) && text.trim().is_empty()
}

/// Writes a number as JSON does.
fn written(number: &Number) -> Small {
    match number.as_u64() {
        Some(whole) => Small::from(whole),
        None => number.to_string().into(),
    }
}

/// What the keys of an object look like, without regard to letter case: most that are looked for are not there, and this
/// says so at once.
#[derive(Clone, Copy, Debug, Default)]
pub struct Keys([u64; 4]);

impl Keys {
    /// Looks at the keys of an object. A list may have any: some readers look into its first element.
    pub fn of(value: &Json<'_>) -> Self {
        let mut keys = Self::default();
        match value {
            Json::Object(members) => {
                for (key, _) in members {
                    let (word, bit) = Self::mark(key);
                    keys.0[word] |= bit;
                }
            }
            Json::List(_) => keys.0 = [u64::MAX; 4],
            _ => {}
        }
        keys
    }

    /// Tells whether there may be such a key.
    pub fn may_have(&self, key: &str) -> bool {
        let (word, bit) = Self::mark(key);
        self.0[word] & bit != 0
    }

    /// Tells whether there may be a key with which a path can begin: `a`, `a.b` and so on, as keys may have dots.
    pub fn may_begin(&self, path: &str) -> bool {
        let dots = path.bytes().enumerate().filter(|(_, byte)| *byte == b'.');
        let mut begins = dots.map(|(at, _)| &path[..at]);
        begins.any(|key| self.may_have(key)) || self.may_have(path)
    }

    fn mark(key: &str) -> (usize, u64) {
        let bytes = key.as_bytes();
        let end = |byte: Option<&u8>| byte.map_or(0, |b| usize::from(b.to_ascii_lowercase()));
        let mark = bytes.len() * 7 + end(bytes.first()) * 3 + end(bytes.last()) * 31;
        ((mark >> 6) & 3, 1 << (mark & 63))
    }
}

impl<'de: 'a, 'a> Deserialize<'de> for Json<'a> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(ValueVisitor)
    }
}

struct ValueVisitor;

impl<'de> Visitor<'de> for ValueVisitor {
    type Value = Json<'de>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a JSON value")
    }

    fn visit_unit<E>(self) -> Result<Self::Value, E> {
        Ok(Json::Null)
    }

    fn visit_bool<E>(self, value: bool) -> Result<Self::Value, E> {
        Ok(Json::Bool(value))
    }

    fn visit_u64<E>(self, value: u64) -> Result<Self::Value, E> {
        Ok(Json::Number(value.into()))
    }

    fn visit_i64<E>(self, value: i64) -> Result<Self::Value, E> {
        Ok(Json::Number(value.into()))
    }

    fn visit_f64<E>(self, value: f64) -> Result<Self::Value, E> {
        // The parser yields finite numbers only.
        Ok(Number::from_f64(value).map_or(Json::Null, Json::Number))
    }

    fn visit_borrowed_str<E>(self, value: &'de str) -> Result<Self::Value, E> {
        Ok(Json::Text(Cow::Borrowed(value)))
    }

    fn visit_str<E>(self, value: &str) -> Result<Self::Value, E> {
        Ok(Json::Text(Cow::Owned(value.to_owned())))
    }

    fn visit_string<E>(self, value: String) -> Result<Self::Value, E> {
        Ok(Json::Text(Cow::Owned(value)))
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut seq: A) -> Result<Self::Value, A::Error> {
        let mut items = Vec::new();
        while let Some(item) = seq.next_element()? {
            items.push(item);
        }
        Ok(Json::List(items.into()))
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Self::Value, A::Error> {
        let mut members = Vec::new();
        while let Some(key) = map.next_key_seed(Key)? {
            members.push((key, map.next_value()?));
        }
        match duplicate(&members) {
            Some(key) => {
                let quoted = serde_json::to_string(key).unwrap_or_default();
                let shown = crate::domain::text::show(&quoted).into_owned();
                Err(de::Error::custom(crate::domain::text::fit(&shown, 80, "…")))
            }
            None => Ok(Json::Object(members.into())),
        }
    }
}

/// Reads a key without copying it when it has no escapes.
struct Key;

impl<'de> DeserializeSeed<'de> for Key {
    type Value = Cow<'de, str>;

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<Self::Value, D::Error> {
        deserializer.deserialize_str(self)
    }
}

impl<'de> Visitor<'de> for Key {
    type Value = Cow<'de, str>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a key")
    }

    fn visit_borrowed_str<E>(self, value: &'de str) -> Result<Self::Value, E> {
        Ok(Cow::Borrowed(value))
    }

    fn visit_str<E>(self, value: &str) -> Result<Self::Value, E> {
        Ok(Cow::Owned(value.to_owned()))
    }
}

/// Finds a key that occurs twice.
fn duplicate<'m>(members: &'m [(Cow<'_, str>, Json<'_>)]) -> Option<&'m str> {
    if members.len() <= FEW_KEYS {
        let repeated = |i: usize| members[..i].iter().any(|(k, _)| *k == members[i].0);
        return (1..members.len())
            .find(|&i| repeated(i))
            .map(|i| &*members[i].0);
    }
    let mut keys: Vec<&str> = members.iter().map(|(k, _)| &**k).collect();
    keys.sort_unstable();
    keys.windows(2)
        .find(|pair| pair[0] == pair[1])
        .map(|pair| pair[0])
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use rstest::rstest;

    use super::*;

    #[rstest]
    #[case(r#"{"a":1,"a":2}"#, r#"duplicate key "a""#)]
    #[case(r#"{"x":[{"b":{"c":1,"\u0063":2}}]}"#, r#"duplicate key "c""#)]
    #[case(r#"{"at line 3":1,"at line 3":2}"#, r#"duplicate key "at line 3""#)]
    #[case(r#"{"a":1"#, "not JSON: EOF")]
    #[case("{'a':1}", "not JSON: key must be a string")]
    #[case(r#"{"a":NaN}"#, "not JSON: expected value")]
    #[case("{} {}", "not JSON: trailing characters")]
    fn names_the_problem(#[case] text: &str, #[case] message: &str) {
        let error = parse(text).unwrap_err().to_string();
        assert!(error.starts_with(message), "{error}");
    }

    #[test]
    fn finds_duplicates_among_many_keys() {
        let mut members: Vec<String> = (0..40).map(|i| format!("\"k{i}\":{i}")).collect();
        assert!(parse(&format!("{{{}}}", members.join(","))).is_ok());
        members.push("\"k7\":0".to_owned());
        let error = parse(&format!("{{{}}}", members.join(","))).unwrap_err();
        assert_eq!(
            error,
            JsonError::DuplicateKey {
                key: "\"k7\"".to_owned()
            }
        );
    }

    #[test]
    fn depth_is_bounded() {
        let nested = |n: usize| format!("{}{}", "[".repeat(n), "]".repeat(n));
        assert!(parse(&nested(127)).is_ok());
        assert!(matches!(
            parse(&nested(129)),
            Err(JsonError::TooDeep { .. })
        ));
        assert!(matches!(
            parse(&nested(100_000)),
            Err(JsonError::TooDeep { .. })
        ));
    }

    #[test]
    fn keys_that_are_there_are_never_missed() {
        let text = r#"{"a":1,"":2,"Straße":3,"class_uid":4,"a.b":5}"#;
        let keys = Keys::of(&parse(text).unwrap());
        for key in ["a", "A", "", "Straße", "CLASS_uid", "a.b"] {
            assert!(keys.may_have(key), "{key}");
        }
        assert!(!keys.may_have("finding_info"));
        assert!(!Keys::of(&Json::Null).may_have("a"));
    }

    /// Both ways read the same, or the quick one nothing.
    fn is_the_same(text: &str) {
        let arena = Bump::new();
        let both = [quick::parse(text, None), quick::parse(text, Some(&arena))];
        for quick in both.into_iter().flatten() {
            assert_eq!(parse_slowly(text).as_ref(), Ok(&quick), "{text:?}");
        }
    }

    #[rstest]
    #[case("-0")]
    #[case("01")]
    #[case("-")]
    #[case("1e5")]
    #[case("1.50")]
    #[case("-12")]
    #[case("999999999999999999")]
    #[case("9999999999999999999")]
    #[case("-9223372036854775808")]
    #[case("123456789012345678901234567890")]
    #[case("1e999")]
    #[case("1-2")]
    #[case(r#""\u0041\ud83d\ude00\\\"""#)]
    #[case(r#""\ud83d""#)]
    #[case(r#""a\"#)]
    #[case("\"tab\tin it\"")]
    #[case("\"1234567\u{1}9\"")]
    #[case("{\"a\":1,}")]
    #[case("[1,]")]
    #[case("[,1]")]
    #[case("{,}")]
    #[case(r#"{"a":1 "b":2}"#)]
    #[case(" \n[ 1 , { } , [ ] ] \t")]
    #[case("nul")]
    #[case("nullx")]
    #[case("\u{a0}1")]
    fn both_ways_read_the_same(#[case] text: &str) {
        is_the_same(text);
    }

    /// Strings are looked for in blocks of bytes: their ends lie at each place of a block, and on both sides of one.
    #[test]
    fn strings_end_wherever_they_end() {
        for length in 0..200 {
            let plain = "a".repeat(length);
            for text in [
                format!("[\"{plain}\",\"b\"]"),
                format!("{{\"{plain}\":\"\u{e9}{plain}\"}}"),
                format!("[\"{plain}\\n\"]"),
                format!("[\"{plain}"),
                format!("[\"{plain}\\"),
                format!("[\"{plain}\t\"]"),
            ] {
                is_the_same(&text);
            }
            let arena = Bump::new();
            let text = format!("\"{plain}\"");
            let read = quick::parse(&text, Some(&arena));
            assert_eq!(read, Some(Json::Text(plain.into())));
        }
    }

    proptest! {
        #[test]
        fn both_ways_read_the_same_of_anything(
            text in r#"( ?([\[\]{},:]|"[a-c\\\\"é\x01]{0,12}"|-?[0-9]{1,3}(\.[0-9]|e-?[0-9])?|true|null)){0,12}"#,
        ) {
            is_the_same(&text);
        }

        #[test]
        fn the_quick_way_reads_what_is_written(
            keys in proptest::collection::hash_set("[a-d]{0,3}|é[a-z]{9}", 0..24), text in ".{0,40}", number in any::<i64>(), float in any::<f64>(),
        ) {
            let values: Vec<serde_json::Value> = keys.iter().enumerate().map(|(at, key)| match at % 5 {
                0 => serde_json::json!(text),
                1 => serde_json::json!(number),
                2 => serde_json::json!(float),
                3 => serde_json::json!([{key.as_str(): [number, null]}, true, text]),
                _ => serde_json::json!({}),
            }).collect();
            let object: serde_json::Map<String, serde_json::Value> = keys.into_iter().zip(values).collect();
            let written = serde_json::to_string(&object).unwrap();
            let arena = Bump::new();
            let quick = quick::parse(&written, Some(&arena));
            prop_assert_eq!(quick, parse_slowly(&written).ok());
            let pretty = serde_json::to_string_pretty(&object).unwrap();
            prop_assert_eq!(quick::parse(&pretty, Some(&arena)), parse_slowly(&pretty).ok());
            // With a key twice it is neither way's.
            let repeated = written.replacen('{', "{\"\":0,", 1);
            prop_assert_eq!(quick::parse(&repeated, Some(&arena)), parse_slowly(&repeated).ok());
        }

        #[test]
        fn takes_or_refuses_any_text(text in any::<String>()) {
            let _ = parse(&text);
            is_the_same(&text);
        }
    }
}
