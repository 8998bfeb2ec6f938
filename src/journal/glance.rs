//! What most checks need of a record, read without building it: the frame borrowed from the line, the body only held
//! to be usable JSON. Accepts exactly the lines that [`record::read`](super::record::read) accepts.

use std::borrow::Cow;
use std::fmt;
use std::ops::Range;

use jiff::Timestamp;
use serde::de::{DeserializeSeed, Deserializer, MapAccess, SeqAccess, Visitor};

use crate::domain::decision::RecordType;

use super::record::ReadError;

/// Keys of a body that some check looks into.
const TELLING: [&str; 5] = ["evidence", "countersigned", "damaged", "blobs", "withheld"];
/// More keys than any record of ours has are compared by hash.
const FEW: usize = 16;

/// The frame of one record.
#[derive(Clone, Debug, PartialEq)]
pub struct Glance<'l> {
    /// Place in the log.
    pub seq: u64,
    /// What it is.
    pub kind: RecordType,
    /// Wall clock.
    pub ts: Timestamp,
    /// `CLOCK_BOOTTIME` in nanoseconds.
    pub mono: Option<u64>,
    /// Whether the wall clock was synchronised, where that was known.
    pub synchronised: Option<bool>,
    /// Whether it is about the drill's world.
    pub drill: bool,
    /// User id of the process that wrote it.
    pub uid: Option<u64>,
    /// Boot of the host.
    pub boot: Cow<'l, str>,
    /// Process, and when it began.
    pub process: [Scalar<'l>; 2],
    /// Whether the body has a key that some check looks into.
    pub telling: bool,
}

impl Glance<'_> {
    /// Parts with the line that it was read from, which [`Self::rejoin`] takes again. Almost nothing is copied then: memory
    /// that one thread takes and another gives back keeps both waiting.
    pub fn part(self, line: &[u8]) -> Parted {
        let at = match &self.boot {
            Cow::Borrowed(text) => (text.as_ptr() as usize)
                .checked_sub(line.as_ptr() as usize)
                .map(|from| from..from + text.len()),
            Cow::Owned(_) => None,
        };
        let boot = match (&at, self.boot) {
            (Some(_), _) => Cow::Borrowed(""),
            (None, text) => Cow::Owned(text.into_owned()),
        };
        let glance = Glance {
            boot,
            process: self.process.map(Scalar::into_owned),
            ..self
        };
        Parted { glance, boot: at }
    }
}

/// A glance without its line.
#[derive(Debug)]
pub struct Parted {
    glance: Glance<'static>,
    /// Where in the line the boot stands.
    boot: Option<Range<usize>>,
}

impl Parted {
    /// Gives the line back.
    pub fn rejoin(self, line: &[u8]) -> Glance<'_> {
        let text = |at: Range<usize>| std::str::from_utf8(line.get(at)?).ok();
        match self.boot.and_then(text) {
            Some(boot) => Glance {
                boot: Cow::Borrowed(boot),
                ..self.glance
            },
            None => self.glance,
        }
    }
}

/// A value that is no object and no list, or the fact that it is one.
#[derive(Clone, Debug, Default, PartialEq)]
pub enum Scalar<'l> {
    /// `null`, or not there.
    #[default]
    Null,
    /// A truth value.
    Bool(bool),
    /// A whole number from 0 on.
    Whole(u64),
    /// A negative number.
    Negative(i64),
    /// Another number.
    Float(f64),
    /// A text.
    Text(Cow<'l, str>),
    /// An object or a list.
    Nested,
}

impl Scalar<'_> {
    /// The same, with its own text.
    pub fn into_owned(self) -> Scalar<'static> {
        match self {
            Self::Null => Scalar::Null,
            Self::Bool(b) => Scalar::Bool(b),
            Self::Whole(n) => Scalar::Whole(n),
            Self::Negative(n) => Scalar::Negative(n),
            Self::Float(n) => Scalar::Float(n),
            Self::Text(t) => Scalar::Text(Cow::Owned(t.into_owned())),
            Self::Nested => Scalar::Nested,
        }
    }

    fn whole(&self) -> Option<u64> {
        match self {
            Self::Whole(n) => Some(*n),
            _ => None,
        }
    }
}

/// Looks at one line (no checkpoint) without its line feed.
pub fn at(line: &[u8]) -> Result<Glance<'_>, ReadError> {
    let mut input = serde_json::Deserializer::from_slice(line);
    let found = input
        .deserialize_map(Line)
        .and_then(|found| input.end().map(|()| found))
        .map_err(|e| ReadError::Json(e.to_string()))?;
    found.finish()
}

/// What was met in a line.
#[derive(Default)]
struct Parts<'l> {
    v: Option<Scalar<'l>>,
    seq: Option<Scalar<'l>>,
    prev: bool,
    kind: Option<Scalar<'l>>,
    ts: Option<Scalar<'l>>,
    actor: Option<Fields<'l>>,
    drill: bool,
    mono: Option<u64>,
    clk: Fields<'l>,
    telling: bool,
}

/// The members of an actor or a clock that are looked at; `object` tells whether it was an object at all.
#[derive(Default)]
struct Fields<'l> {
    object: bool,
    uid: Option<u64>,
    boot: Cow<'l, str>,
    process: [Scalar<'l>; 2],
    sync: Option<bool>,
}

impl<'l> Parts<'l> {
    fn finish(self) -> Result<Glance<'l>, ReadError> {
        let frame = |key| move || ReadError::Frame(key);
        let text = |value: Option<Scalar<'l>>| match value {
            Some(Scalar::Text(text)) => Some(text),
            _ => None,
        };
        if self.v.as_ref().and_then(Scalar::whole) != Some(1) {
            return Err(ReadError::Frame("v"));
        }
        let seq = self.seq.as_ref().and_then(Scalar::whole);
        let seq = seq.ok_or_else(frame("seq"))?;
        if !self.prev {
            return Err(ReadError::Frame("prev"));
        }
        let word = text(self.kind).ok_or_else(frame("type"))?;
        let kind = RecordType::parse(&word).ok_or_else(|| ReadError::Unknown(word.into_owned()))?;
        let ts = text(self.ts).and_then(|t| t.parse().ok());
        let ts = ts.ok_or_else(frame("ts"))?;
        let actor = self.actor.filter(|a| a.object);
        let actor = actor.ok_or_else(frame("actor"))?;
        Ok(Glance {
            seq,
            kind,
            ts,
            mono: self.mono,
            synchronised: self.clk.sync,
            drill: self.drill,
            uid: actor.uid,
            boot: actor.boot,
            process: actor.process,
            telling: self.telling,
        })
    }
}

/// Keys of one object so far: none may stand twice.
struct Keys<'l> {
    few: [Cow<'l, str>; FEW],
    len: usize,
    many: std::collections::HashSet<Cow<'l, str>>,
}

impl Default for Keys<'_> {
    fn default() -> Self {
        Self {
            few: [const { Cow::Borrowed("") }; FEW],
            len: 0,
            many: std::collections::HashSet::new(),
        }
    }
}

impl<'l> Keys<'l> {
    fn add<E: serde::de::Error>(&mut self, key: Cow<'l, str>) -> Result<(), E> {
        let twice = self.few[..self.len].contains(&key)
            || (!self.many.is_empty() && self.many.contains(&key));
        if twice {
            return Err(E::custom(format!("the key {key:?} stands twice")));
        }
        if self.len < FEW {
            self.few[self.len] = key;
            self.len += 1;
        } else {
            self.many.insert(key);
        }
        Ok(())
    }
}

struct Line;

impl<'l> Visitor<'l> for Line {
    type Value = Parts<'l>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("an object")
    }

    fn visit_map<A: MapAccess<'l>>(self, mut map: A) -> Result<Parts<'l>, A::Error> {
        let mut parts = Parts::default();
        let mut keys = Keys::default();
        while let Some(key) = map.next_key_seed(Text)? {
            match &*key {
                "v" => parts.v = Some(map.next_value_seed(Any)?),
                "seq" => parts.seq = Some(map.next_value_seed(Any)?),
                "prev" => {
                    map.next_value_seed(Any)?;
                    parts.prev = true;
                }
                "type" => parts.kind = Some(map.next_value_seed(Any)?),
                "ts" => parts.ts = Some(map.next_value_seed(Any)?),
                "actor" => parts.actor = Some(map.next_value_seed(Members)?),
                "clk" => parts.clk = map.next_value_seed(Members)?,
                "drill" => parts.drill = map.next_value_seed(Any)? == Scalar::Bool(true),
                "mono" => parts.mono = map.next_value_seed(Any)?.whole(),
                other => {
                    parts.telling |= TELLING.contains(&other);
                    map.next_value_seed(Any)?;
                }
            }
            keys.add::<A::Error>(key)?;
        }
        Ok(parts)
    }
}

struct Members;

impl<'l> DeserializeSeed<'l> for Members {
    type Value = Fields<'l>;

    fn deserialize<D: Deserializer<'l>>(self, input: D) -> Result<Fields<'l>, D::Error> {
        input.deserialize_any(self)
    }
}

/// Everything but an object is passed over.
macro_rules! scalars {
    ($value:ty, $($name:ident($kind:ty)),*) => {
        $(fn $name<E>(self, _: $kind) -> Result<$value, E> { Ok(<$value>::default()) })*
    };
}

impl<'l> Visitor<'l> for Members {
    type Value = Fields<'l>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("JSON")
    }

    scalars!(
        Fields<'l>,
        visit_bool(bool),
        visit_i64(i64),
        visit_u64(u64),
        visit_f64(f64),
        visit_str(&str)
    );

    fn visit_unit<E>(self) -> Result<Fields<'l>, E> {
        Ok(Fields::default())
    }

    fn visit_seq<A: SeqAccess<'l>>(self, mut seq: A) -> Result<Fields<'l>, A::Error> {
        while seq.next_element_seed(Any)?.is_some() {}
        Ok(Fields::default())
    }

    fn visit_map<A: MapAccess<'l>>(self, mut map: A) -> Result<Fields<'l>, A::Error> {
        let mut fields = Fields {
            object: true,
            ..Fields::default()
        };
        let mut keys = Keys::default();
        while let Some(key) = map.next_key_seed(Text)? {
            let value = map.next_value_seed(Any)?;
            match (&*key, value) {
                ("uid", value) => fields.uid = value.whole(),
                ("boot", Scalar::Text(text)) => fields.boot = text,
                ("pid", value) => fields.process[0] = value,
                ("start", value) => fields.process[1] = value,
                ("sync", Scalar::Bool(sync)) => fields.sync = Some(sync),
                _ => {}
            }
            keys.add::<A::Error>(key)?;
        }
        Ok(fields)
    }
}

struct Text;

impl<'l> DeserializeSeed<'l> for Text {
    type Value = Cow<'l, str>;

    fn deserialize<D: Deserializer<'l>>(self, input: D) -> Result<Cow<'l, str>, D::Error> {
        input.deserialize_str(self)
    }
}

impl<'l> Visitor<'l> for Text {
    type Value = Cow<'l, str>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a text")
    }

    fn visit_borrowed_str<E>(self, text: &'l str) -> Result<Cow<'l, str>, E> {
        Ok(Cow::Borrowed(text))
    }

    fn visit_str<E>(self, text: &str) -> Result<Cow<'l, str>, E> {
        Ok(Cow::Owned(text.to_owned()))
    }
}

struct Any;

impl<'l> DeserializeSeed<'l> for Any {
    type Value = Scalar<'l>;

    fn deserialize<D: Deserializer<'l>>(self, input: D) -> Result<Scalar<'l>, D::Error> {
        input.deserialize_any(self)
    }
}

impl<'l> Visitor<'l> for Any {
    type Value = Scalar<'l>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("JSON")
    }

    fn visit_bool<E>(self, v: bool) -> Result<Scalar<'l>, E> {
        Ok(Scalar::Bool(v))
    }

    fn visit_i64<E>(self, v: i64) -> Result<Scalar<'l>, E> {
        Ok(u64::try_from(v).map_or(Scalar::Negative(v), Scalar::Whole))
    }

    fn visit_u64<E>(self, v: u64) -> Result<Scalar<'l>, E> {
        Ok(Scalar::Whole(v))
    }

    fn visit_f64<E>(self, v: f64) -> Result<Scalar<'l>, E> {
        Ok(Scalar::Float(v))
    }

    fn visit_borrowed_str<E>(self, text: &'l str) -> Result<Scalar<'l>, E> {
        Ok(Scalar::Text(Cow::Borrowed(text)))
    }

    fn visit_str<E>(self, text: &str) -> Result<Scalar<'l>, E> {
        Ok(Scalar::Text(Cow::Owned(text.to_owned())))
    }

    fn visit_unit<E>(self) -> Result<Scalar<'l>, E> {
        Ok(Scalar::Null)
    }

    fn visit_seq<A: SeqAccess<'l>>(self, mut seq: A) -> Result<Scalar<'l>, A::Error> {
        while seq.next_element_seed(Any)?.is_some() {}
        Ok(Scalar::Nested)
    }

    fn visit_map<A: MapAccess<'l>>(self, mut map: A) -> Result<Scalar<'l>, A::Error> {
        let mut keys = Keys::default();
        while let Some(key) = map.next_key_seed(Text)? {
            map.next_value_seed(Any)?;
            keys.add::<A::Error>(key)?;
        }
        Ok(Scalar::Nested)
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use rstest::rstest;
    use serde_json::{Value, json};

    use super::super::merkle::ZERO;
    use super::super::record::{self, Frame};
    use super::*;

    fn line(body: &Value, drill: bool) -> Vec<u8> {
        let actor = br#"{"user":"alice","uid":1000,"pid":7,"start":99,"boot":"b-1"}"#;
        let frame = Frame {
            seq: 41,
            prev: ZERO,
            ts: "2026-11-21T08:15:00.123456789Z".parse().unwrap(),
            actor,
            drill,
            policy: None,
            mono: 7,
            synchronised: Some(true),
        };
        record::write(&frame, RecordType::View, body).unwrap()
    }

    /// Both readers must say the same of the same bytes.
    fn agree(bytes: &[u8]) {
        match (at(bytes), record::read(bytes)) {
            (Ok(glance), Ok(record)) => {
                let glance = glance.part(bytes).rejoin(bytes);
                let field = |name: &str| record.actor.get(name).cloned().unwrap_or(Value::Null);
                assert_eq!(
                    (
                        glance.seq,
                        glance.kind,
                        glance.ts,
                        glance.mono,
                        glance.drill
                    ),
                    (
                        record.seq,
                        record.kind,
                        record.ts,
                        record.mono,
                        record.drill
                    )
                );
                assert_eq!(glance.synchronised, record.synchronised);
                assert_eq!(glance.uid, field("uid").as_u64());
                assert_eq!(glance.boot, field("boot").as_str().unwrap_or_default());
                let telling = TELLING.iter().any(|k| record.body.contains_key(*k));
                assert_eq!(glance.telling, telling);
            }
            (Err(_), Err(_)) => {}
            (glance, record) => panic!("{glance:?} {record:?}"),
        }
    }

    #[rstest]
    #[case(r#"{"v":1}"#)]
    #[case(r#"{"v":1,"seq":1,"prev":0,"type":"view","ts":"2026-11-21T08:15:00Z","actor":{}}"#)]
    #[case(r#"{"v":1,"seq":1,"prev":0,"type":"view","ts":"2026-11-21T08:15:00Z","actor":[]}"#)]
    #[case(r#"{"v":1,"seq":-1,"prev":0,"type":"view","ts":"2026-11-21T08:15:00Z","actor":{}}"#)]
    #[case(r#"{"v":1,"seq":1,"prev":0,"type":"vi\u0065w","ts":"2026-11-21T08:15:00Z","actor":{"a":1,"\u0061":2}}"#)]
    #[case(r#"{"v":1,"seq":1,"prev":0,"type":"view","ts":"2026-11-21T08:15:00Z","actor":{},"clk":7,"x":1e999}"#)]
    #[case(r#"{"v":1,"seq":1,"prev":0,"type":"view","ts":"2026-11-21T08:15:00Z","actor":{},"clk":{"sync":1},"drill":1} x"#)]
    #[case("[]")]
    #[case("7")]
    fn says_what_the_whole_reader_says(#[case] text: &str) {
        agree(text.as_bytes());
    }

    #[test]
    fn endless_nesting_is_refused_alike() {
        let deep = format!(
            r#"{{"v":1,"seq":1,"prev":0,"type":"view","ts":"2026-11-21T08:15:00Z","actor":{{}},"x":{}}}"#,
            "[".repeat(100_000)
        );
        agree(deep.as_bytes());
        let pairs: Vec<String> = (0..90).map(|n| format!("\"k{}\":1", n % 80)).collect();
        agree(format!("{{{}}}", pairs.join(",")).as_bytes());
    }

    proptest! {
        #[test]
        fn agrees_with_the_whole_reader(
            text in any::<String>(), key in "[a-z]{6,9}|evidence|damaged", drill in any::<bool>(),
            at in any::<prop::sample::Index>(), byte in any::<u8>(),
        ) {
            let mut bytes = line(&json!({key: [text, {"n": 1.5}, null]}), drill);
            agree(&bytes);
            let place = at.index(bytes.len());
            bytes[place] = byte;
            agree(&bytes);
            bytes.truncate(place);
            agree(&bytes);
        }
    }
}
