//! JSON as the journal writes and reads it: ASCII only, key order kept, duplicate keys refused.

use std::fmt;

use serde::de::{Deserialize, Deserializer, Error as _, MapAccess, SeqAccess, Visitor};
use serde_json::{Map, Number, Value};

use crate::domain::plan::write_ascii_string;

/// Writes a value without spaces, keys in their own order, everything outside 0x20-0x7E escaped.
pub fn write(value: &Value, out: &mut Vec<u8>) {
    match value {
        Value::Object(map) => {
            out.push(b'{');
            for (i, (key, value)) in map.iter().enumerate() {
                if i > 0 {
                    out.push(b',');
                }
                write_member(key, value, out);
            }
            out.push(b'}');
        }
        Value::Array(items) => {
            out.push(b'[');
            for (i, item) in items.iter().enumerate() {
                if i > 0 {
                    out.push(b',');
                }
                write(item, out);
            }
            out.push(b']');
        }
        Value::String(text) => write_ascii_string(text, out),
        other => out.extend_from_slice(other.to_string().as_bytes()),
    }
}

/// Writes `"key":value`.
pub fn write_member(key: &str, value: &Value, out: &mut Vec<u8>) {
    write_ascii_string(key, out);
    out.push(b':');
    write(value, out);
}

/// Reads one JSON value. An object with the same key twice is an error at any depth, since readers disagree on which
/// one counts; nesting beyond 128 levels is one too.
pub fn read(bytes: &[u8]) -> Result<Value, serde_json::Error> {
    serde_json::from_slice::<Strict>(bytes).map(|s| s.0)
}

struct Strict(Value);

impl<'de> Deserialize<'de> for Strict {
    fn deserialize<D: Deserializer<'de>>(input: D) -> Result<Self, D::Error> {
        input.deserialize_any(StrictVisitor).map(Strict)
    }
}

struct StrictVisitor;

impl<'de> Visitor<'de> for StrictVisitor {
    type Value = Value;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("JSON")
    }

    fn visit_bool<E>(self, v: bool) -> Result<Value, E> {
        Ok(Value::Bool(v))
    }

    fn visit_i64<E>(self, v: i64) -> Result<Value, E> {
        Ok(Value::Number(v.into()))
    }

    fn visit_u64<E>(self, v: u64) -> Result<Value, E> {
        Ok(Value::Number(v.into()))
    }

    fn visit_f64<E>(self, v: f64) -> Result<Value, E> {
        Ok(Number::from_f64(v).map_or(Value::Null, Value::Number))
    }

    fn visit_str<E>(self, v: &str) -> Result<Value, E> {
        Ok(Value::String(v.to_owned()))
    }

    fn visit_string<E>(self, v: String) -> Result<Value, E> {
        Ok(Value::String(v))
    }

    fn visit_unit<E>(self) -> Result<Value, E> {
        Ok(Value::Null)
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut seq: A) -> Result<Value, A::Error> {
        let mut items = Vec::new();
        while let Some(Strict(item)) = seq.next_element()? {
            items.push(item);
        }
        Ok(Value::Array(items))
    }

    fn visit_map<A: MapAccess<'de>>(self, mut access: A) -> Result<Value, A::Error> {
        let mut map = Map::new();
        while let Some(key) = access.next_key::<String>()? {
            let Strict(value) = access.next_value()?;
            if map.contains_key(&key) {
                return Err(A::Error::custom(format!("the key {key:?} stands twice")));
            }
            map.insert(key, value);
        }
        Ok(Value::Object(map))
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use rstest::rstest;
    use serde_json::json;

    use super::*;

    #[rstest]
    #[case(r#"{"a":1,"a":2}"#)]
    #[case(r#"{"x":[{"a":1,"b":2,"a":1}]}"#)]
    #[case(r#"{"a":1,"\u0061":2}"#)]
    #[case(r#""\ud800""#)]
    #[case("{} {}")]
    fn refuses(#[case] text: &str) {
        assert!(read(text.as_bytes()).is_err());
    }

    #[test]
    fn refuses_endless_nesting_without_overflow() {
        assert!(read("[".repeat(100_000).as_bytes()).is_err());
    }

    #[test]
    fn writes_ascii_in_order() {
        let mut out = Vec::new();
        write(
            &json!({"z": "\u{9b}\u{202e}\u{7f}", "a": [1, -2, 1.5, null, true]}),
            &mut out,
        );
        assert_eq!(
            out,
            br#"{"z":"\u009b\u202e\u007f","a":[1,-2,1.5,null,true]}"#
        );
    }

    proptest! {
        #[test]
        fn reads_what_it_writes(text in any::<String>(), n in any::<i64>(), key in any::<String>()) {
            let mut value = json!({"k": [text, n], "o": {}});
            value["o"][key] = json!(u64::MAX);
            let mut out = Vec::new();
            write(&value, &mut out);
            prop_assert!(out.iter().all(|b| (0x20..0x7f).contains(b)));
            prop_assert_eq!(read(&out).unwrap(), value);
        }
    }
}
