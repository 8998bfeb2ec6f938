//! From keys to commands by table lookup.

use std::collections::{BTreeMap, BTreeSet};

use super::command::{Command, REGISTRY, Scope, Spec};
use super::keys::Key;

/// The longest sequence of keys that means one command.
const LONGEST: usize = 4;

/// Keys that never arrive, or arrive as another: prefixes of tmux and screen, flow control, the codes of Tab, Enter, Esc.
const TAKEN: [(&str, &str); 7] = [
    ("ctrl-a", "the prefix of screen"),
    ("ctrl-b", "the prefix of tmux"),
    ("ctrl-s", "flow control of the terminal"),
    ("ctrl-q", "flow control of the terminal"),
    ("ctrl-i", "the same code as tab"),
    ("ctrl-m", "the same code as enter"),
    ("ctrl-[", "the same code as esc"),
];

/// Why keys cannot be bound so.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum KeymapError {
    /// No command has this id.
    #[error("`{id}` is no command{}; `stanch keys` lists them", like.as_ref().map_or(String::new(), |id| format!("; did you mean `{id}`?")))]
    Command {
        /// The id.
        id: String,
        /// A known one that is like it.
        like: Option<String>,
    },
    /// No key has this name.
    #[error(
        "{id}: `{key}` is no key; keys are characters, ctrl-c, tab, shift-tab, enter, esc, space, backspace, delete, up, down, left, right, home, end, pgup, pgdn; a sequence has spaces between, {LONGEST} keys at most"
    )]
    Key {
        /// Of which command.
        id: String,
        /// The name.
        key: String,
    },
    /// A key that does not reach the console as itself.
    #[error("{id}: `{key}` is {why}, so it does not reach the console")]
    Taken {
        /// Of which command.
        id: String,
        /// The key.
        key: String,
        /// Whose it is.
        why: &'static str,
    },
    /// Two commands that apply at once have one key, or one's key begins the other's sequence.
    #[error("`{key}` is bound to both {one} and {other}; unbind one of them: \"{other}\" = []")]
    Conflict {
        /// The key, or the longer sequence.
        key: String,
        /// The first command.
        one: &'static str,
        /// The second.
        other: &'static str,
    },
}

impl KeymapError {
    /// Returns the commands that it is about.
    pub fn ids(&self) -> impl Iterator<Item = &str> {
        let (one, other) = match self {
            Self::Command { id, .. } | Self::Key { id, .. } | Self::Taken { id, .. } => {
                (id.as_str(), None)
            }
            Self::Conflict { one, other, .. } => (*one, Some(*other)),
        };
        std::iter::once(one).chain(other)
    }
}

/// What keys mean so far.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Meaning {
    /// A command.
    Command(Command),
    /// The beginning of some.
    Begun,
    /// Nothing.
    Nothing,
}

type Keys = Vec<Key>;

/// The keys in force.
#[derive(Clone, Debug)]
pub struct Keymap {
    /// By where they apply; a sequence stands right behind what it begins with.
    bound: BTreeMap<Scope, BTreeMap<Keys, &'static Spec>>,
    /// By command, in the order in which they are shown.
    shown: BTreeMap<&'static str, Vec<String>>,
}

impl Default for Keymap {
    fn default() -> Self {
        let defaults = REGISTRY.iter().map(|spec| {
            let keys = spec.keys.iter().filter_map(|name| sequence(name));
            (spec, keys.collect())
        });
        Self::of(defaults)
    }
}

impl Keymap {
    /// Returns the default keys with changes: by a command's id all its keys instead of the default ones, none to unbind
    /// it. What is unbound stays in the palette.
    ///
    /// # Errors
    /// Everything that is wrong with the changes: unknown ids and keys, and keys that would mean two commands.
    pub fn changed(changes: &BTreeMap<String, Vec<String>>) -> Result<Self, Vec<KeymapError>> {
        let mut errors = Vec::new();
        for (id, keys) in changes {
            if !REGISTRY.iter().any(|spec| spec.id == id) {
                errors.push(KeymapError::Command {
                    id: id.clone(),
                    like: like(id),
                });
            }
            errors.extend(keys.iter().filter_map(|key| unusable(id, key)));
        }
        let all: Vec<(&'static Spec, Vec<Keys>)> = REGISTRY
            .iter()
            .map(|spec| {
                let own = changes.get(spec.id);
                let own = own.map(|keys| keys.iter().filter_map(|name| sequence(name)).collect());
                let usual = || spec.keys.iter().filter_map(|name| sequence(name)).collect();
                (spec, own.unwrap_or_else(usual))
            })
            .collect();
        errors.extend(conflicts(&all));
        if errors.is_empty() {
            Ok(Self::of(all.into_iter()))
        } else {
            Err(errors)
        }
    }

    fn of(all: impl Iterator<Item = (&'static Spec, Vec<Keys>)>) -> Self {
        let mut map = Self {
            bound: BTreeMap::new(),
            shown: BTreeMap::new(),
        };
        for (spec, keys) in all {
            let names = keys.iter().map(|keys| name(keys)).collect();
            map.shown.insert(spec.id, names);
            let scope = map.bound.entry(spec.scope).or_default();
            scope.extend(keys.into_iter().map(|keys| (keys, spec)));
        }
        map
    }

    /// Returns what keys, pressed one after the other, mean in a scope.
    pub fn resolve(&self, scope: Scope, keys: &[Key]) -> Meaning {
        let next = self.from(scope, keys).next();
        match next {
            Some((bound, spec)) if bound.len() == keys.len() => Meaning::Command(spec.command),
            Some(_) => Meaning::Begun,
            None => Meaning::Nothing,
        }
    }

    /// Returns how keys that begin some sequences can go on: the rest of the keys, and what they mean then.
    pub fn onward(&self, scope: Scope, keys: &[Key]) -> Vec<(String, &'static Spec)> {
        let begun = self.from(scope, keys);
        begun
            .map(|(bound, spec)| (name(&bound[keys.len()..]), spec))
            .collect()
    }

    fn from<'a>(
        &'a self,
        scope: Scope,
        keys: &'a [Key],
    ) -> impl Iterator<Item = (&'a Keys, &'static Spec)> {
        let scope = self.bound.get(&scope);
        let behind = scope
            .into_iter()
            .flat_map(move |bound| bound.range(keys.to_vec()..));
        behind
            .take_while(move |(bound, _)| bound.starts_with(keys))
            .map(|(bound, spec)| (bound, *spec))
    }

    /// Returns the names of a command's keys; none when it is unbound.
    pub fn keys(&self, spec: &Spec) -> &[String] {
        self.shown.get(spec.id).map_or(&[], Vec::as_slice)
    }

    /// Returns the key by which a command is hinted at.
    pub fn first(&self, spec: &Spec) -> Option<&str> {
        self.keys(spec).first().map(String::as_str)
    }
}

/// Reads a key or several with spaces between.
fn sequence(name: &str) -> Option<Keys> {
    if name == " " {
        return None;
    }
    let keys: Option<Keys> = name.split(' ').map(Key::parse).collect();
    keys.filter(|keys| !keys.is_empty() && keys.len() <= LONGEST)
}

fn name(keys: &[Key]) -> String {
    let names: Vec<String> = keys.iter().map(ToString::to_string).collect();
    names.join(" ")
}

fn unusable(id: &str, key: &str) -> Option<KeymapError> {
    let (id, key) = (id.to_owned(), key.to_owned());
    if sequence(&key).is_none() {
        return Some(KeymapError::Key { id, key });
    }
    let taken = |part: &str| TAKEN.iter().find(|(name, _)| *name == part);
    let (_, why) = key.split(' ').find_map(taken)?;
    Some(KeymapError::Taken { id, key, why })
}

fn conflicts(all: &[(&'static Spec, Vec<Keys>)]) -> Vec<KeymapError> {
    let mut errors = Vec::new();
    for (at, (one, keys)) in all.iter().enumerate() {
        let later = all[at + 1..]
            .iter()
            .filter(|(other, _)| other.scope == one.scope);
        for (other, others) in later {
            let pairs = keys.iter().flat_map(|a| others.iter().map(move |b| (a, b)));
            let clashes: BTreeSet<String> = pairs
                .filter(|(a, b)| a.starts_with(b) || b.starts_with(a))
                .map(|(a, b)| name(if a.len() > b.len() { a } else { b }))
                .collect();
            errors.extend(clashes.into_iter().map(|key| KeymapError::Conflict {
                key,
                one: one.id,
                other: other.id,
            }));
        }
    }
    errors
}

/// Finds the id that has most in common with one that does not exist.
fn like(id: &str) -> Option<String> {
    let last = |id: &str| id.rsplit(['.', '_']).next().unwrap_or_default().to_owned();
    let by_end = REGISTRY.iter().find(|spec| last(spec.id) == last(id));
    by_end.map(|spec| spec.id.to_owned())
}

#[cfg(test)]
mod tests {
    use rstest::rstest;

    use super::*;

    fn changed(changes: &[(&str, &[&str])]) -> Result<Keymap, Vec<KeymapError>> {
        let changes = changes.iter().map(|(id, keys)| {
            let keys = keys.iter().map(|key| (*key).to_owned()).collect();
            ((*id).to_owned(), keys)
        });
        Keymap::changed(&changes.collect())
    }

    fn pressed(keys: &str) -> Keys {
        sequence(keys).unwrap()
    }

    #[test]
    fn the_default_keys_have_no_conflict_and_all_reach_the_console() {
        assert!(changed(&[]).is_ok());
        for spec in REGISTRY {
            for key in spec.keys {
                assert_eq!(unusable(spec.id, key), None);
            }
        }
    }

    #[test]
    fn ids_are_unique() {
        let ids: BTreeSet<_> = REGISTRY.iter().map(|s| s.id).collect();
        assert_eq!(ids.len(), REGISTRY.len());
    }

    #[test]
    fn a_changed_key_takes_the_place_of_the_default_ones() {
        let map = changed(&[("triage.claim", &["U", "' c"]), ("triage.down", &[])]).unwrap();
        let means = |keys: &str| map.resolve(Scope::Triage, &pressed(keys));
        assert_eq!(means("U"), Meaning::Command(Command::Claim));
        assert_eq!(means("'"), Meaning::Begun);
        assert_eq!(means("' c"), Meaning::Command(Command::Claim));
        assert_eq!(means("' x"), Meaning::Nothing);
        assert_eq!(means("c"), Meaning::Nothing);
        assert_eq!(means("j"), Meaning::Nothing);
        let claim = Command::Claim.spec(Scope::Triage).unwrap();
        assert_eq!(map.first(claim), Some("U"));
        let onward = map.onward(Scope::Triage, &pressed("'"));
        assert_eq!(onward.len(), 1);
        assert_eq!(onward[0].0, "c");
    }

    #[rstest]
    #[case(
        "triage.clame",
        "C",
        "`triage.clame` is no command; `stanch keys` lists them"
    )]
    #[case("queue.claim", "C", "did you mean `triage.claim`?")]
    #[case(
        "triage.claim",
        "ctrl-shift-c",
        "triage.claim: `ctrl-shift-c` is no key"
    )]
    #[case("triage.claim", "a b c d e", "is no key")]
    #[case("triage.claim", "", "`` is no key")]
    #[case("triage.claim", "ctrl-b", "`ctrl-b` is the prefix of tmux")]
    #[case(
        "triage.claim",
        "j",
        "`j` is bound to both triage.down and triage.claim"
    )]
    #[case(
        "triage.claim",
        "j c",
        "`j c` is bound to both triage.down and triage.claim"
    )]
    fn mistakes_are_named(#[case] id: &str, #[case] key: &str, #[case] message: &str) {
        let errors = changed(&[(id, &[key])]).unwrap_err();
        let texts: Vec<String> = errors.iter().map(ToString::to_string).collect();
        assert!(texts.iter().any(|text| text.contains(message)), "{texts:?}");
    }
}
