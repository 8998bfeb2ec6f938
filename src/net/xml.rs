//! Turns the XML of query APIs into JSON, so that the same filters read both.
//!
//! An element with elements in it becomes an object, one with text a string. Elements of one name beside each other become
//! an array, and so does an element that holds nothing but `member`s, which is how AWS writes lists. Attributes, comments
//! and instructions are left out; document types, and with them entities of one's own, are refused.

use serde_json::{Map, Value};

/// Deepest nesting.
const MAX_DEPTH: usize = 64;

/// The text is not what is read here.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct NotXml;

/// An element that is open.
struct Open<'a> {
    name: &'a str,
    text: String,
    children: Vec<(&'a str, Value)>,
}

/// Reads a document; the result is an object with the root element's name.
pub fn parse(bytes: &[u8]) -> Result<Value, NotXml> {
    let mut rest = std::str::from_utf8(bytes).map_err(|_| NotXml)?;
    let mut open: Vec<Open<'_>> = Vec::new();
    let mut root = None;
    while let Some(at) = rest.find('<') {
        let (text, tag) = rest.split_at(at);
        match open.last_mut() {
            Some(element) => element.text.push_str(&unescape(text)?),
            None if text.trim().trim_start_matches('\u{feff}').is_empty() => {}
            None => return Err(NotXml),
        }
        if let Some(after) = tag.strip_prefix("<!--") {
            rest = after.split_once("-->").ok_or(NotXml)?.1;
            continue;
        }
        if let Some(after) = tag.strip_prefix("<![CDATA[") {
            let (text, after) = after.split_once("]]>").ok_or(NotXml)?;
            open.last_mut().ok_or(NotXml)?.text.push_str(text);
            rest = after;
            continue;
        }
        if let Some(after) = tag.strip_prefix("<?") {
            rest = after.split_once("?>").ok_or(NotXml)?.1;
            continue;
        }
        let (inside, after) = tag[1..].split_once('>').ok_or(NotXml)?;
        rest = after;
        if let Some(name) = inside.strip_prefix('/') {
            let element = open.pop().filter(|e| e.name == name.trim()).ok_or(NotXml)?;
            close(element, &mut open, &mut root)?;
            continue;
        }
        let (inside, empty) = match inside.strip_suffix('/') {
            Some(inside) => (inside, true),
            None => (inside, false),
        };
        let name = inside.split_ascii_whitespace().next().unwrap_or_default();
        if name.is_empty() || name.starts_with('!') || open.len() >= MAX_DEPTH || root.is_some() {
            return Err(NotXml);
        }
        let element = Open {
            name,
            text: String::new(),
            children: Vec::new(),
        };
        if empty {
            close(element, &mut open, &mut root)?;
        } else {
            open.push(element);
        }
    }
    match (root, open.is_empty() && rest.trim().is_empty()) {
        (Some(root), true) => Ok(root),
        _ => Err(NotXml),
    }
}

fn close<'a>(
    element: Open<'a>,
    open: &mut [Open<'a>],
    root: &mut Option<Value>,
) -> Result<(), NotXml> {
    let name = element.name;
    let value = value(element);
    match open.last_mut() {
        Some(parent) => parent.children.push((name, value)),
        None if root.is_none() => {
            *root = Some(Value::Object(Map::from_iter([(name.to_owned(), value)])));
        }
        None => return Err(NotXml),
    }
    Ok(())
}

fn value(element: Open<'_>) -> Value {
    if element.children.is_empty() {
        return Value::String(element.text);
    }
    if element.children.iter().all(|(name, _)| *name == "member") {
        return element.children.into_iter().map(|(_, v)| v).collect();
    }
    let mut map: Map<String, Value> = Map::new();
    let mut lists: Vec<&str> = Vec::new();
    for (name, value) in element.children {
        match map.get_mut(name) {
            None => {
                map.insert(name.to_owned(), value);
            }
            Some(Value::Array(items)) if lists.contains(&name) => items.push(value),
            Some(first) => {
                lists.push(name);
                let one = std::mem::take(first);
                *first = Value::Array(vec![one, value]);
            }
        }
    }
    Value::Object(map)
}

/// Replaces the five predefined entities and numbered characters.
fn unescape(text: &str) -> Result<String, NotXml> {
    let mut out = String::with_capacity(text.len());
    let mut rest = text;
    while let Some((before, after)) = rest.split_once('&') {
        out.push_str(before);
        let (name, after) = after.split_once(';').ok_or(NotXml)?;
        let numbered = || {
            let digits = name.strip_prefix('#')?;
            let code = match digits.strip_prefix('x') {
                Some(hex) => u32::from_str_radix(hex, 16).ok()?,
                None => digits.parse().ok()?,
            };
            char::from_u32(code)
        };
        out.push(match name {
            "lt" => '<',
            "gt" => '>',
            "amp" => '&',
            "quot" => '"',
            "apos" => '\'',
            _ => numbered().ok_or(NotXml)?,
        });
        rest = after;
    }
    out.push_str(rest);
    Ok(out)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use rstest::rstest;
    use serde_json::json;

    use super::*;

    #[rstest]
    #[case("<a/>", json!({"a": ""}))]
    #[case("<?xml version=\"1.0\"?>\n<!-- x --><a b='c'><d>1 &lt; 2 &#38; &#x33;</d></a>\n", json!({"a": {"d": "1 < 2 & 3"}}))]
    #[case("<r><Keys><member><Id>1</Id></member></Keys><More>true</More></r>", json!({"r": {"Keys": [{"Id": "1"}], "More": "true"}}))]
    #[case("<r><Keys/></r>", json!({"r": {"Keys": ""}}))]
    #[case("<r><i>1</i><i>2</i><i>3</i></r>", json!({"r": {"i": ["1", "2", "3"]}}))]
    #[case("<r><i><member>1</member></i><i>2</i></r>", json!({"r": {"i": [["1"], "2"]}}))]
    #[case("<a><![CDATA[<b>&amp;]]></a>", json!({"a": "<b>&amp;"}))]
    fn reads(#[case] text: &str, #[case] want: Value) {
        assert_eq!(parse(text.as_bytes()), Ok(want));
    }

    #[rstest]
    #[case("")]
    #[case("{}")]
    #[case("<a>")]
    #[case("<a></b>")]
    #[case("</a>")]
    #[case("<a/><b/>")]
    #[case("x<a/>")]
    #[case("<a/>x")]
    #[case("<a>&x;</a>")]
    #[case("<!DOCTYPE a [<!ENTITY x \"y\">]><a>&x;</a>")]
    #[case("<a>&#xD800;</a>")]
    fn refuses(#[case] text: &str) {
        assert_eq!(parse(text.as_bytes()), Err(NotXml));
    }

    #[test]
    fn depth_is_bounded() {
        assert_eq!(parse("<a>".repeat(100_000).as_bytes()), Err(NotXml));
    }

    proptest! {
        #[test]
        fn anything_ends(text in "[<>/a&;!?\\[\\]-]{0,60}") {
            let _ = parse(text.as_bytes());
        }
    }
}
