//! From keys to commands by table lookup.

use std::collections::BTreeMap;

use super::command::{Command, REGISTRY, Scope};
use super::keys::Key;

/// The keys in force.
#[derive(Clone, Debug)]
pub struct Keymap {
    triage: BTreeMap<Key, Command>,
    plan: BTreeMap<Key, Command>,
    reader: BTreeMap<Key, Command>,
    log: BTreeMap<Key, Command>,
    map: BTreeMap<Key, Command>,
    readiness: BTreeMap<Key, Command>,
    card: BTreeMap<Key, Command>,
    board: BTreeMap<Key, Command>,
}

impl Default for Keymap {
    fn default() -> Self {
        let table = |scope| {
            REGISTRY
                .iter()
                .filter(|s| s.scope == scope)
                .flat_map(|s| {
                    s.keys
                        .iter()
                        .filter_map(|k| Key::parse(k))
                        .map(|k| (k, s.command))
                })
                .collect()
        };
        Self {
            triage: table(Scope::Triage),
            plan: table(Scope::Plan),
            reader: table(Scope::Reader),
            log: table(Scope::Log),
            map: table(Scope::Map),
            readiness: table(Scope::Readiness),
            card: table(Scope::Card),
            board: table(Scope::Board),
        }
    }
}

impl Keymap {
    /// Returns what a key means in a scope.
    pub fn resolve(&self, scope: Scope, key: Key) -> Option<Command> {
        let table = match scope {
            Scope::Triage => &self.triage,
            Scope::Plan => &self.plan,
            Scope::Reader => &self.reader,
            Scope::Log => &self.log,
            Scope::Map => &self.map,
            Scope::Readiness => &self.readiness,
            Scope::Card => &self.card,
            Scope::Board => &self.board,
        };
        table.get(&key).copied()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_two_commands_of_a_scope_share_a_key() {
        for (i, a) in REGISTRY.iter().enumerate() {
            for b in &REGISTRY[i + 1..] {
                let clash = a
                    .keys
                    .iter()
                    .find(|k| a.scope == b.scope && b.keys.contains(k));
                assert_eq!(clash, None, "{} and {}", a.id, b.id);
            }
        }
    }

    #[test]
    fn every_default_key_exists_and_none_belongs_to_a_multiplexer_or_the_line_discipline() {
        // tmux and screen prefixes, flow control, and the codes of Tab, Enter and Esc.
        let taken = [
            "ctrl-a", "ctrl-b", "ctrl-s", "ctrl-q", "ctrl-i", "ctrl-m", "ctrl-[",
        ];
        for spec in REGISTRY {
            for key in spec.keys {
                assert!(
                    Key::parse(key).is_some() && !taken.contains(key),
                    "{}: {key}",
                    spec.id
                );
            }
        }
    }

    #[test]
    fn ids_are_unique() {
        let ids: std::collections::BTreeSet<_> = REGISTRY.iter().map(|s| s.id).collect();
        assert_eq!(ids.len(), REGISTRY.len());
    }
}
