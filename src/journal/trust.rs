//! What a verifier believes before it reads a store: which key speaks for which log, and who is behind it.
//!
//! Without it the key is taken from the log itself, so a log that was written anew with another key would pass.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

use ed25519_dalek::VerifyingKey;
use serde::Deserialize;

use super::agent::{fingerprint, read_public};
use super::cosign::WitnessKey;
use super::merkle::hex;
use super::note::Verifier;
use crate::domain::authority::{Analyst, Power, Role, Roster};

/// Most bytes of a trust file: thousands of keys.
const MAX_TRUST: u64 = 4 * 1024 * 1024;

/// Why a trust file cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum TrustError {
    /// The system refused.
    #[error("cannot read the trust file {}: {source}", path.display())]
    Io {
        /// Which file.
        path: PathBuf,
        /// What the system said.
        source: std::io::Error,
    },
    /// Too long to be one.
    #[error("the trust file {} exceeds {MAX_TRUST} bytes", path.display())]
    TooLarge {
        /// Which file.
        path: PathBuf,
    },
    /// Not TOML, or with fields that mean nothing here.
    #[error("the trust file {} cannot be read: {why}", path.display())]
    Format {
        /// Which file.
        path: PathBuf,
        /// Where and what.
        why: String,
    },
    /// No usable key.
    #[error(
        "{text:?} is no key of the form `origin+id+base64`: take it from `log verify` of a log you trust"
    )]
    Key {
        /// What stands there.
        text: String,
    },
    /// No usable key of a witness.
    #[error(
        "{text:?} is no witness key of the form `name+id+base64` with signature type 4: take it from who runs the witness"
    )]
    Witness {
        /// What stands there.
        text: String,
    },
    /// No usable ssh key.
    #[error(
        "{text:?} is no Ed25519 key as ssh writes it (`ssh-ed25519 AAAA…`): take it from `ssh-add -L`"
    )]
    SshKey {
        /// What stands there.
        text: String,
    },
    /// A key of another log.
    #[error("the key {key:?} is of origin {found:?}, it stands under {expected:?}")]
    Origin {
        /// Id of the key.
        key: String,
        /// Origin in the key.
        found: String,
        /// Origin that it stands under.
        expected: String,
    },
    /// One key for two people makes approvals by a second person meaningless.
    #[error("the key {key} is listed for {first:?} and for {second:?}: each key is one person's")]
    Shared {
        /// Id of the key.
        key: String,
        /// Who has it.
        first: String,
        /// Who else.
        second: String,
    },
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct File {
    #[serde(default)]
    log: Vec<LogRow>,
    #[serde(default)]
    person: Vec<PersonRow>,
    #[serde(default)]
    witness: Vec<WitnessRow>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct WitnessRow {
    key: String,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct LogRow {
    origin: String,
    keys: Vec<String>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct PersonRow {
    name: String,
    #[serde(default)]
    keys: Vec<String>,
    #[serde(default)]
    uids: Vec<u32>,
    #[serde(default)]
    ssh_keys: Vec<String>,
    role: Option<Role>,
    #[serde(default)]
    teams: Vec<String>,
    #[serde(default)]
    accounts: Vec<String>,
    #[serde(default)]
    may: Vec<Power>,
}

/// Somebody who writes logs.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Person {
    /// What people call them; not safe to draw.
    pub name: String,
    /// Their keys.
    pub keys: Vec<Verifier>,
    /// Their user ids; none listed means that any is accepted.
    pub uids: BTreeSet<u32>,
    /// Keys of their own, in an ssh-agent, that sign approvals and countersignatures.
    pub ssh: Vec<VerifyingKey>,
    /// What they are there for; whoever has no role looks on.
    pub role: Role,
    /// Which teams they speak for.
    pub teams: Vec<String>,
    /// Identities on the map that they work as.
    pub accounts: Vec<String>,
    /// How far their role reaches; none listed means everywhere.
    pub powers: Vec<Power>,
}

/// Pinned keys and the roster.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Trust {
    keys: Vec<Verifier>,
    people: Vec<Person>,
    witnesses: Vec<WitnessKey>,
}

impl Trust {
    /// Reads a trust file.
    pub fn load(path: &Path) -> Result<Self, TrustError> {
        let io = |source| TrustError::Io {
            path: path.to_owned(),
            source,
        };
        if std::fs::metadata(path).map_err(io)?.len() > MAX_TRUST {
            return Err(TrustError::TooLarge {
                path: path.to_owned(),
            });
        }
        let text = std::fs::read_to_string(path).map_err(io)?;
        match Self::parse(&text) {
            Err(TrustError::Format { why, .. }) => Err(TrustError::Format {
                path: path.to_owned(),
                why,
            }),
            other => other,
        }
    }

    /// Reads `[[log]]` tables (`origin`, `keys`), `[[witness]]` tables (`key`) and `[[person]]` tables (`name`, `keys`, `uids`,
    /// `ssh_keys`, and for consoles `role`, `teams`, `accounts`, `may`).
    pub fn parse(text: &str) -> Result<Self, TrustError> {
        let file: File = toml::from_str(text).map_err(|e| TrustError::Format {
            path: PathBuf::new(),
            why: e.to_string(),
        })?;
        let mut trust = Self::default();
        for row in &file.log {
            for key in read_keys(&row.keys)? {
                if key.name != row.origin {
                    return Err(TrustError::Origin {
                        key: hex(&key.id()),
                        found: key.name,
                        expected: row.origin.clone(),
                    });
                }
                trust.keys.push(key);
            }
        }
        for WitnessRow { key: text } in &file.witness {
            let key = WitnessKey::from_vkey(text)
                .ok_or_else(|| TrustError::Witness { text: text.clone() })?;
            trust.witnesses.push(key);
        }
        for row in file.person {
            let keys = read_keys(&row.keys)?;
            for key in &keys {
                if let Some(other) = trust.holder(key).filter(|p| p.name != row.name) {
                    return Err(TrustError::Shared {
                        key: hex(&key.id()),
                        first: other.name.clone(),
                        second: row.name,
                    });
                }
            }
            trust.keys.extend(keys.iter().cloned());
            let ssh = read_ssh(&row.ssh_keys)?;
            for key in &ssh {
                if let Some(other) = trust.holder_of_ssh(key).filter(|p| p.name != row.name) {
                    return Err(TrustError::Shared {
                        key: fingerprint(key),
                        first: other.name.clone(),
                        second: row.name,
                    });
                }
            }
            trust.people.push(Person {
                ssh,
                name: row.name,
                keys,
                uids: row.uids.into_iter().collect(),
                role: row.role.unwrap_or(Role::Observer),
                teams: row.teams,
                accounts: row.accounts,
                powers: row.may,
            });
        }
        Ok(trust)
    }

    /// Returns the witnesses whose cosignatures count.
    pub fn witnesses(&self) -> &[WitnessKey] {
        &self.witnesses
    }

    /// Returns all origins that a key is pinned for.
    pub fn origins(&self) -> BTreeSet<&str> {
        self.keys.iter().map(|k| k.name.as_str()).collect()
    }

    /// Returns the keys pinned for one log.
    pub fn keys_of(&self, origin: &str) -> Vec<Verifier> {
        let of = |k: &&Verifier| k.name == origin;
        self.keys.iter().filter(of).cloned().collect()
    }

    /// Tells whether this very key is pinned for its origin.
    pub fn pins(&self, key: &Verifier) -> bool {
        self.keys.contains(key)
    }

    /// Returns whose key this is. The same key under another origin is the same person's.
    pub fn holder(&self, key: &Verifier) -> Option<&Person> {
        let has = |p: &&Person| p.keys.iter().any(|k| k.key == key.key);
        self.people.iter().find(has)
    }

    /// Returns whose ssh key this is.
    pub fn holder_of_ssh(&self, key: &VerifyingKey) -> Option<&Person> {
        self.people.iter().find(|p| p.ssh.contains(key))
    }

    /// Returns who may do what.
    pub fn roster(&self) -> Roster {
        let analyst = |person: &Person| Analyst {
            name: person.name.clone(),
            role: person.role,
            teams: person.teams.clone(),
            keys: person.keys.iter().map(Verifier::to_vkey).collect(),
            uids: person.uids.clone(),
            accounts: person.accounts.clone(),
            powers: person.powers.clone(),
        };
        Roster {
            analysts: self.people.iter().map(analyst).collect(),
        }
    }

    /// Returns whose key this is, as `origin+id+base64`.
    pub fn holder_named(&self, key: &str) -> Option<&Person> {
        let key = Verifier::from_vkey(key)?;
        self.holder(&key)
    }

    /// Returns who writes the log of this origin.
    pub fn writer_of(&self, origin: &str) -> Option<&Person> {
        let has = |p: &&Person| p.keys.iter().any(|k| k.name == origin);
        self.people.iter().find(has)
    }
}

fn read_ssh(lines: &[String]) -> Result<Vec<VerifyingKey>, TrustError> {
    lines
        .iter()
        .map(|line| read_public(line).ok_or_else(|| TrustError::SshKey { text: line.clone() }))
        .collect()
}

fn read_keys(texts: &[String]) -> Result<Vec<Verifier>, TrustError> {
    texts
        .iter()
        .map(|text| Verifier::from_vkey(text).ok_or_else(|| TrustError::Key { text: text.clone() }))
        .collect()
}

#[cfg(test)]
mod tests {
    use ed25519_dalek::SigningKey;
    use rstest::rstest;

    use super::*;

    fn key(origin: &str, seed: u8) -> Verifier {
        Verifier {
            name: origin.into(),
            key: SigningKey::from_bytes(&[seed; 32]).verifying_key(),
        }
    }

    #[test]
    fn knows_keys_and_people() {
        let (alice, bob) = (key("s/h/alice", 1), key("s/h/bob", 2));
        let text = format!(
            "[[log]]\norigin = \"s/h/bob\"\nkeys = [\"{}\"]\n[[person]]\nname = \"Alice\"\nuids = [7]\nkeys = [\"{}\"]\n",
            bob.to_vkey(),
            alice.to_vkey()
        );
        let trust = Trust::parse(&text).unwrap();
        assert!(trust.pins(&alice) && trust.pins(&bob));
        assert!(!trust.pins(&key("s/h/alice", 2)) && !trust.pins(&key("s/h/carol", 1)));
        assert_eq!(trust.writer_of("s/h/alice").unwrap().name, "Alice");
        // Her key is hers on another host too.
        assert_eq!(trust.holder(&key("s/h2/alice", 1)).unwrap().name, "Alice");
        assert_eq!(trust.writer_of("s/h/bob"), None);
        assert_eq!(trust.origins().len(), 2);
    }

    #[rstest]
    #[case("[[log]]\norigin = \"a\"\nkeys = [\"x\"]", "origin+id+base64")]
    #[case("[[log]]\norigin = \"a\"", "keys")]
    #[case("[[logs]]\norigin = \"a\"\nkeys = []", "logs")]
    #[case("nonsense", "cannot be read")]
    fn refuses(#[case] text: &str, #[case] says: &str) {
        let error = Trust::parse(text).unwrap_err().to_string();
        assert!(error.contains(says), "{error}");
    }

    #[test]
    fn refuses_keys_of_others() {
        let (one, two) = (key("s/h/a", 1).to_vkey(), key("s/h/b", 1).to_vkey());
        let wrong = format!("[[log]]\norigin = \"s/h/x\"\nkeys = [\"{one}\"]");
        assert!(
            Trust::parse(&wrong)
                .unwrap_err()
                .to_string()
                .contains("s/h/x")
        );
        let shared = format!(
            "[[person]]\nname = \"A\"\nkeys = [\"{one}\"]\n[[person]]\nname = \"B\"\nkeys = [\"{two}\"]"
        );
        assert!(
            Trust::parse(&shared)
                .unwrap_err()
                .to_string()
                .contains("one person's")
        );
    }
}
