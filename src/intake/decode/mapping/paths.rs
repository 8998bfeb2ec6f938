//! Filters that only name places, the most common ones: read directly, without the interpreter.

use serde_json::Value;

use super::quick::plain;
use crate::intake::json::Json;

/// Alternatives, each a list of keys: `.a.b, ."c d"`.
#[derive(Debug)]
pub(super) struct Paths(Vec<Vec<String>>);

impl Paths {
    /// Reads a filter that is nothing but paths of object keys separated by commas.
    pub fn parse(source: &str) -> Option<Self> {
        let mut rest = source.trim();
        let mut paths = Vec::new();
        loop {
            let (path, after) = path(rest)?;
            paths.push(path);
            rest = after.trim_start();
            if rest.is_empty() {
                return Some(Self(paths));
            }
            rest = rest.strip_prefix(',')?.trim_start();
        }
    }

    /// Hands on what stands at each place until `take` is satisfied. Fails as the interpreter would where a key is
    /// looked up in something that has none.
    pub fn find<T>(
        &self,
        input: &Json<'_>,
        mut take: impl FnMut(Value) -> Option<T>,
    ) -> Result<Option<T>, String> {
        for path in &self.0 {
            let mut value = Some(input);
            for (depth, key) in path.iter().enumerate() {
                value = match value {
                    None | Some(Json::Null) => None,
                    Some(Json::Object(members)) => {
                        members.iter().find(|(k, _)| k == key).map(|(_, v)| v)
                    }
                    Some(other) => {
                        let place = path[..depth].join(".");
                        let found = other.type_name();
                        return Err(format!("`.{place}` is {found} where an object must be"));
                    }
                };
            }
            if let Some(taken) = take(value.map_or(Value::Null, plain)) {
                return Ok(Some(taken));
            }
        }
        Ok(None)
    }
}

/// Reads one path and returns what is behind it.
fn path(text: &str) -> Option<(Vec<String>, &str)> {
    let mut keys = Vec::new();
    let mut rest = text;
    while let Some(after) = rest.strip_prefix('.') {
        let (key, behind) = if let Some(quoted) = after.strip_prefix('"') {
            let (key, behind) = quoted.split_once('"')?;
            // An escape or an interpolation is for the interpreter.
            (!key.contains('\\')).then_some((key, behind))?
        } else {
            let end = after.find(|c: char| !c.is_ascii_alphanumeric() && c != '_');
            after.split_at(end.unwrap_or(after.len()))
        };
        if key.is_empty() {
            return None;
        }
        keys.push(key.to_owned());
        rest = behind;
    }
    (!keys.is_empty()).then_some((keys, rest))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use rstest::rstest;

    use super::*;
    use crate::intake::decode::mapping::values::from_json;
    use crate::intake::json::parse;
    use crate::jq::Filter;

    #[rstest]
    #[case(".a", true)]
    #[case(".a.b, .c", true)]
    #[case(".\"@timestamp\", .a_1", true)]
    #[case(".", false)]
    #[case(".a[0]", false)]
    #[case(".a // .b", false)]
    #[case(".a | .b", false)]
    #[case("$raw.a", false)]
    #[case(".a,", false)]
    #[case(".\"\\(env)\"", false)]
    #[case("", false)]
    fn knows_plain_paths(#[case] source: &str, #[case] want: bool) {
        assert_eq!(Paths::parse(source).is_some(), want);
    }

    proptest! {
        #[test]
        fn reads_what_the_interpreter_reads(
            source in "\\.[ab](\\.[ab])?(, \\.[ab]\\.[ab])?",
            input in r#"\{"a":(1|"x"|null|\{"b":[12]\}|\{"a":"y"\}|\[1\])(,"b":(true|\{"a":null\}|2\.5))?\}"#,
        ) {
            let value = parse(&input).unwrap();
            let filter = Filter::compile(&source, &[]).unwrap();
            let keep = |out: &mut Vec<Value>, v: Value| { out.push(v); None::<()> };
            let (mut own, mut theirs) = (Vec::new(), Vec::new());
            let mine = Paths::parse(&source).unwrap().find(&value, |v| keep(&mut own, v));
            let reference = filter.find(&from_json(&value), &[], |v| keep(&mut theirs, v));
            prop_assert_eq!(mine.is_ok(), reference.is_ok());
            prop_assert_eq!(own, theirs);
        }
    }
}
