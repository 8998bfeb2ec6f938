//! Reading fields by path, and saying where a value has the wrong type.
//!
//! What is absent, `null` or blank is simply not there: sources leave out most of what their documentation lists. A
//! value of another type than documented is a different matter: it may be a broken or a forged message, so the first such
//! place is remembered and the message goes to the quarantine with its path.

use std::borrow::Cow;
use std::cell::RefCell;
use std::rc::Rc;

use jiff::Timestamp;

use crate::domain::small::Small;
use crate::domain::text::{fit, show};
use crate::intake::json::{Json, Keys, is_blank};
use crate::intake::time;

/// A value of the wrong type.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Wrong {
    pub path: String,
    pub found: &'static str,
    pub wanted: &'static str,
}

/// The fields of one object. Paths are written `a.b.c`; keys that contain dots themselves are found too, letter case does
/// not matter where the exact spelling is absent, since collectors flatten and lower keys.
pub(super) struct Fields<'v, 'a> {
    root: &'v Json<'a>,
    keys: Keys,
    /// Where the object stands in the alert.
    place: Place,
    /// Whether any value may come as an array of values, as in Elasticsearch.
    arrays: bool,
    /// The first wrong type of the whole alert.
    wrong: Rc<RefCell<Option<Wrong>>>,
}

/// Where an object stands in the alert. It is written out only when something is wrong there.
#[derive(Debug)]
enum Place {
    /// At this path; empty for the alert itself.
    At(String),
    /// In a list of the alert.
    Element(&'static str, usize),
}

impl Place {
    fn is_root(&self) -> bool {
        matches!(self, Self::At(path) if path.is_empty())
    }

    fn path(&self) -> Cow<'_, str> {
        match self {
            Self::At(path) => Cow::Borrowed(path),
            Self::Element(list, index) => Cow::Owned(format!("{list}[{index}]")),
        }
    }
}

/// Most elements of a list that are looked at.
const MOST_ELEMENTS: usize = 256;

impl<'v, 'a> Fields<'v, 'a> {
    pub fn new(root: &'v Json<'a>) -> Self {
        Self {
            root,
            keys: Keys::of(root),
            place: Place::At(String::new()),
            arrays: false,
            wrong: Rc::default(),
        }
    }

    /// Takes the first of several values wherever an array stands.
    pub fn with_arrays(root: &'v Json<'a>) -> Self {
        Self {
            arrays: true,
            ..Self::new(root)
        }
    }

    /// Names where the object stands.
    pub fn placed(self, place: impl Into<String>) -> Self {
        Self {
            place: Place::At(place.into()),
            ..self
        }
    }

    /// Returns an object inside as fields of the same alert.
    pub fn object(&self, path: &str) -> Option<Self> {
        match self.value(path)? {
            Json::Text(text) if is_blank(text) => None,
            object @ Json::Object(_) => Some(self.inside(object, Place::At(path.to_owned()))),
            other => self.refuse(path, other, "an object"),
        }
    }

    /// Returns the objects of an array as fields of the same alert.
    pub fn each(&self, path: &'static str) -> Vec<Self> {
        let items = self.list(path).iter().take(MOST_ELEMENTS).enumerate();
        items
            .filter_map(|(index, item)| {
                let place = Place::Element(path, index);
                match item {
                    Json::Object(_) => Some(self.inside(item, place)),
                    Json::Null => None,
                    other => self.refuse(&place.path(), other, "an object"),
                }
            })
            .collect()
    }

    fn inside(&self, root: &'v Json<'a>, place: Place) -> Self {
        Self {
            root,
            keys: Keys::of(root),
            place: match self.place.is_root() {
                true => place,
                false => Place::At(format!("{}.{}", self.place.path(), place.path())),
            },
            arrays: self.arrays,
            wrong: Rc::clone(&self.wrong),
        }
    }

    /// Returns what the keys of the object look like.
    pub const fn keys(&self) -> Keys {
        self.keys
    }

    pub fn root(&self) -> &'v Json<'a> {
        self.root
    }

    /// Returns the first wrong type met so far.
    pub fn wrong(&self) -> Option<Wrong> {
        self.wrong.borrow().clone()
    }

    /// Returns whatever stands at `path`, unless it is absent or `null`.
    pub fn value(&self, path: &str) -> Option<&'v Json<'a>> {
        if matches!(self.root, Json::Object(_)) && !self.keys.may_begin(path) {
            return None;
        }
        let found = find(self.root, path, self.arrays);
        found.unwrap_or_else(|(at, found)| {
            self.note(at, found, "an object");
            None
        })
    }

    /// Returns the first text that is not blank.
    pub fn text(&self, paths: &[&str]) -> Option<&'v str> {
        paths.iter().find_map(|path| match self.leaf(path)? {
            Json::Text(text) => Some(&**text).filter(|t| !is_blank(t)),
            other => self.refuse(path, other, "text"),
        })
    }

    /// Returns the first text or number.
    pub fn id(&self, paths: &[&str]) -> Option<Cow<'v, str>> {
        paths.iter().find_map(|path| match self.leaf(path)? {
            value @ (Json::Text(_) | Json::Number(_)) => value.id(),
            other => self.refuse(path, other, "text or a number"),
        })
    }

    /// Returns the first text or number without minding what else stands there: for what is good to know, and no reason to
    /// put an alert aside.
    pub fn hint(&self, paths: &[&str]) -> Option<Small> {
        let found = |path: &&str| self.leaf(path)?.id().map(Small::from);
        paths.iter().find_map(found)
    }

    /// Returns the first readable time; what is no time counts as absent.
    pub fn time(&self, paths: &[&str]) -> Option<Timestamp> {
        paths.iter().find_map(|path| match self.leaf(path)? {
            value @ (Json::Text(_) | Json::Number(_)) => time::from_json(value),
            other => self.refuse(path, other, "a time"),
        })
    }

    /// Returns the earliest readable time.
    pub fn earliest(&self, paths: &[&str]) -> Option<Timestamp> {
        paths.iter().filter_map(|path| self.time(&[path])).min()
    }

    /// Returns the first number, also when it is written as text.
    pub fn number(&self, paths: &[&str]) -> Option<f64> {
        paths.iter().find_map(|path| match self.leaf(path)? {
            Json::Number(number) => number.as_f64(),
            Json::Text(text) => text.trim().parse().ok(),
            other => self.refuse(path, other, "a number"),
        })
    }

    /// Returns the first text, number or boolean as it stands.
    pub fn scalar(&self, paths: &[&str]) -> Option<&'v Json<'a>> {
        paths.iter().find_map(|path| match self.leaf(path)? {
            Json::Text(text) if is_blank(text) => None,
            value @ (Json::Text(_) | Json::Number(_) | Json::Bool(_)) => Some(value),
            other => self.refuse(path, other, "text or a number"),
        })
    }

    /// Tells whether there is `true`, also written as text.
    pub fn flag(&self, paths: &[&str]) -> bool {
        let found = paths.iter().find_map(|path| match self.leaf(path)? {
            Json::Bool(value) => Some(*value),
            Json::Text(text) => Some(text.eq_ignore_ascii_case("true")),
            other => self.refuse(path, other, "true or false"),
        });
        found.unwrap_or(false)
    }

    /// Returns the elements of an array; a single object counts as one element.
    pub fn list(&self, path: &str) -> &'v [Json<'a>] {
        match self.value(path) {
            None => &[],
            Some(Json::List(items)) => items,
            Some(object @ Json::Object(_)) => std::slice::from_ref(object),
            Some(Json::Text(text)) if is_blank(text) => &[],
            Some(other) => self.refuse(path, other, "an array").unwrap_or(&[]),
        }
    }

    /// Returns the texts of an array, or one text.
    pub fn texts(&self, path: &str) -> Vec<&'v str> {
        match self.value(path) {
            Some(Json::Text(text)) if !is_blank(text) => vec![text],
            Some(Json::List(items)) => items.iter().filter_map(Json::text).collect(),
            _ => Vec::new(),
        }
    }

    fn leaf(&self, path: &str) -> Option<&'v Json<'a>> {
        match self.value(path)? {
            Json::List(items) if self.arrays => items.iter().find(|v| **v != Json::Null),
            value => Some(value),
        }
    }

    fn refuse<T>(&self, path: &str, value: &Json<'_>, wanted: &'static str) -> Option<T> {
        self.note(path, value.type_name(), wanted);
        None
    }

    fn note(&self, path: &str, found: &'static str, wanted: &'static str) {
        let joint = if self.place.is_root() || path.is_empty() {
            ""
        } else {
            "."
        };
        let path = format!("{}{joint}{path}", self.place.path());
        let path = if path.is_empty() { "the alert" } else { &path };
        let path = fit(&show(path), 120, "…");
        self.wrong.borrow_mut().get_or_insert(Wrong {
            path,
            found,
            wanted,
        });
    }
}

type Found<'p, 'v, 'a> = Result<Option<&'v Json<'a>>, (&'p str, &'static str)>;

/// Follows a path. Fails with the part of it at which something other than an object stands.
fn find<'p, 'v, 'a>(root: &'v Json<'a>, path: &'p str, arrays: bool) -> Found<'p, 'v, 'a> {
    walk(root, path, 0, arrays)
}

fn walk<'p, 'v, 'a>(
    value: &'v Json<'a>,
    path: &'p str,
    from: usize,
    arrays: bool,
) -> Found<'p, 'v, 'a> {
    let rest = &path[from..];
    if !matches!(value, Json::Object(_)) {
        return match value {
            Json::Null => Ok(None),
            Json::Text(text) if is_blank(text) => Ok(None),
            Json::List(items) if items.is_empty() => Ok(None),
            Json::List(items) if arrays => walk(&items[0], path, from, arrays),
            other => Err((path[..from].trim_end_matches('.'), other.type_name())),
        };
    }
    // Names are short: looking byte by byte takes less than any search that has to be set up.
    let dot = |text: &str| text.bytes().position(|byte| byte == b'.');
    let mut end = dot(rest);
    let mut problem = None;
    loop {
        let key = end.map_or(rest, |end| &rest[..end]);
        if let Some(inner) = member(value, key) {
            let Some(end) = end else {
                return Ok(Some(inner).filter(|v| **v != Json::Null));
            };
            match walk(inner, path, from + end + 1, arrays) {
                Ok(None) => {}
                Ok(found) => return Ok(found),
                Err(error) => problem = problem.or(Some(error)),
            }
        }
        let Some(at) = end else {
            return problem.map_or(Ok(None), Err);
        };
        end = dot(&rest[at + 1..]).map(|next| at + 1 + next);
    }
}

/// Finds a member by its exact key, else by one that differs in letter case only.
pub(super) fn member<'v, 'a>(value: &'v Json<'a>, key: &str) -> Option<&'v Json<'a>> {
    let Json::Object(members) = value else {
        return None;
    };
    let first = key.bytes().next().map(|b| b.to_ascii_lowercase());
    let mut alike = None;
    for (name, inner) in members {
        // Most differ in one of these.
        let begins = name.bytes().next().map(|b| b.to_ascii_lowercase());
        if name.len() == key.len() && begins == first {
            if **name == *key {
                return Some(inner);
            }
            if alike.is_none() && name.eq_ignore_ascii_case(key) {
                alike = Some(inner);
            }
        }
    }
    alike
}

/// Tells whether there is something other than `null` at `path`.
pub(super) fn has(value: &Json<'_>, path: &str) -> bool {
    matches!(find(value, path, true), Ok(Some(_)))
}

/// Tells whether there is something at `path`, or something of the wrong type on the way to it.
pub(super) fn may_have(value: &Json<'_>, path: &str) -> bool {
    matches!(find(value, path, true), Ok(Some(_)) | Err(_))
}

/// Tells whether something at `path` or on the way to it is neither text nor a number.
pub(super) fn is_mistyped(value: &Json<'_>, path: &str) -> bool {
    match find(value, path, true) {
        Ok(Some(found)) => !matches!(found, Json::Text(_) | Json::Number(_)),
        Ok(None) => false,
        Err(_) => true,
    }
}

/// Returns the text at `path`, if that is what stands there.
pub(super) fn text_at<'v>(value: &'v Json<'_>, path: &str) -> Option<&'v str> {
    find(value, path, true).ok().flatten()?.text()
}

/// Returns the text or number at `path`, if that is what stands there.
pub(super) fn id_at<'v>(value: &'v Json<'_>, path: &str) -> Option<Cow<'v, str>> {
    find(value, path, true).ok().flatten()?.id()
}

#[cfg(test)]
mod tests {
    use rstest::rstest;

    use super::*;
    use crate::intake::json::parse;

    #[rstest]
    #[case(r#"{"a":{"b":"x"}}"#, Some("x"))]
    #[case(r#"{"a.b":"x"}"#, Some("x"))]
    #[case(r#"{"A":{"B":"x"}}"#, Some("x"))]
    #[case(r#"{"a":null,"a.b":"x"}"#, Some("x"))]
    #[case(r#"{"a":""}"#, None)]
    #[case(r#"{"a":{"b":" "}}"#, None)]
    fn finds(#[case] text: &str, #[case] want: Option<&str>) {
        let value = parse(text).unwrap();
        let fields = Fields::new(&value);
        assert_eq!(fields.text(&["a.b"]), want);
        assert_eq!(fields.wrong(), None);
    }

    #[rstest]
    #[case(r#"{"a":{"b":{}}}"#, "a.b", "an object", "text")]
    #[case(r#"{"a":7}"#, "a", "a number", "an object")]
    #[case(r#"{"a":{"b":[]}}"#, "a.b", "an array", "text")]
    fn names_the_place(
        #[case] text: &str,
        #[case] path: &str,
        #[case] found: &'static str,
        #[case] wanted: &'static str,
    ) {
        let value = parse(text).unwrap();
        let fields = Fields::new(&value);
        assert_eq!(fields.text(&["a.b"]), None);
        let path = path.to_owned();
        let wrong = Wrong {
            path,
            found,
            wanted,
        };
        assert_eq!(fields.wrong(), Some(wrong));
    }

    #[test]
    fn arrays_yield_their_first() {
        let value = parse(r#"{"user":[{"id":["u1","u2"]}]}"#).unwrap();
        assert_eq!(Fields::with_arrays(&value).text(&["user.id"]), Some("u1"));
    }
}
