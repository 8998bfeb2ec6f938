//! One card of what several sources say about an identity.
//!
//! The more trusted source wins each field by itself; within one source what is newer wins. What others say differently
//! is kept beside it ([`Said::value`]), and what nobody says stays unknown. Lists are united by the names of their items.

use std::collections::BTreeMap;
use std::sync::Arc;

use jiff::Timestamp;

use super::{
    At, Credential, Field, Grant, Identity, Origin, RecoveryPath, RecoveryState, Said, Scope,
};
use crate::domain::text::Untrusted;
use crate::domain::vocabulary::{Criticality, Driver, IdentityKind};

/// What one source says about one identity.
#[derive(Clone, Debug)]
pub struct Account {
    /// Place of the source in the order of trust; 0 is trusted most.
    pub rank: usize,
    /// Where it comes from.
    pub origin: Arc<Origin>,
    /// In which line, counted from 1; 0 where there is none.
    pub line: u32,
    /// What it says.
    pub card: Box<Identity>,
}

/// Makes one card of everything that is said about one identity; `None` where nothing is.
pub fn merge(mut accounts: Vec<Account>) -> Option<Identity> {
    accounts.sort_by_key(|a| (a.rank, std::cmp::Reverse(a.origin.at)));
    let mut accounts = accounts.into_iter();
    let first = accounts.next()?;
    let mut merging = Merging {
        card: Identity::blank(first.card.id.clone()),
        ledger: Ledger {
            base: Arc::clone(&first.origin),
            line: 0,
            said: Vec::new(),
        },
    };
    merging.card.provenance.clone_from(&first.origin.source);
    for account in std::iter::once(first).chain(accounts) {
        merging.card.origins.push(Arc::clone(&account.origin));
        merging.ledger.line = account.line;
        merging.add(account);
    }
    let Merging { mut card, ledger } = merging;
    if card.name.is_empty() {
        card.name = Untrusted::new(card.native_id());
    }
    card.said = ledger.said;
    // A list of one has room for four, and there may be a hundred thousand cards.
    card.credentials.shrink_to_fit();
    card.scopes.shrink_to_fit();
    card.aliases.shrink_to_fit();
    card.grants.shrink_to_fit();
    card.recovery.shrink_to_fit();
    card.origins.shrink_to_fit();
    card.said.shrink_to_fit();
    Some(card)
}

struct Merging {
    card: Identity,
    ledger: Ledger,
}

/// A value that one source may know and another contradict.
trait Value: PartialEq + Sized {
    /// Puts it into words.
    fn told(&self) -> Untrusted;

    /// Tells whether it is no value at all.
    fn is_blank(&self) -> bool {
        false
    }
}

impl Value for Untrusted {
    fn told(&self) -> Untrusted {
        self.clone()
    }

    fn is_blank(&self) -> bool {
        self.raw().trim().is_empty()
    }
}

impl Value for String {
    fn told(&self) -> Untrusted {
        Untrusted::new(self.as_str())
    }

    fn is_blank(&self) -> bool {
        self.trim().is_empty()
    }
}

impl Value for bool {
    fn told(&self) -> Untrusted {
        Untrusted::from(if *self { "yes" } else { "no" })
    }
}

impl Value for Timestamp {
    fn told(&self) -> Untrusted {
        Untrusted::new(self.to_string())
    }
}

macro_rules! word_values {
    ($($kind:ty, $unknown:expr;)+) => { $(
        impl Value for $kind {
            fn told(&self) -> Untrusted {
                Untrusted::from(self.as_str())
            }

            fn is_blank(&self) -> bool {
                Some(*self) == $unknown
            }
        }
    )+ };
}

word_values! {
    Criticality, None::<Criticality>;
    Driver, Some(Driver::Unknown);
    IdentityKind, Some(IdentityKind::Unknown);
    RecoveryState, Some(RecoveryState::Unknown);
    super::Level, None::<super::Level>;
}

/// How two values of a field go together.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Rule {
    /// The more trusted one is in force.
    Trust,
    /// The latest one is: use is seen by each who looks, so two of them are no contradiction.
    Latest,
}

/// Who said what is not said by the most trusted source.
struct Ledger {
    base: Arc<Origin>,
    line: u32,
    said: Vec<Said>,
}

impl Ledger {
    fn note(&mut self, at: At, origin: &Arc<Origin>, value: Option<Untrusted>) {
        if value.is_some() || !Arc::ptr_eq(&self.base, origin) {
            self.said.push(Said {
                at,
                origin: Arc::clone(origin),
                line: self.line,
                value,
            });
        }
    }

    /// Takes a field over, or notes what is said differently.
    fn take<T: Value + PartialOrd>(
        &mut self,
        at: At,
        (into, from): (&mut Option<T>, Option<T>),
        origin: &Arc<Origin>,
        rule: Rule,
    ) {
        let Some(value) = from.filter(|v| !v.is_blank()) else {
            return;
        };
        match into {
            None => {
                *into = Some(value);
                self.note(at, origin, None);
            }
            Some(held) if *held == value => {}
            Some(held) if rule == Rule::Latest => {
                if value > *held {
                    *into = Some(value);
                    self.said.retain(|s| s.at != at);
                    self.note(at, origin, None);
                }
            }
            Some(_) => self.note(at, origin, Some(value.told())),
        }
    }

    /// Finds an item of a list by its key, or adds an empty one and notes who brought it.
    fn item<'l, T>(
        &mut self,
        (list, key): (&'l mut Vec<T>, &Untrusted),
        key_of: impl Fn(&T) -> &Untrusted,
        new: impl FnOnce() -> T,
        (field, origin): (Field, &Arc<Origin>),
    ) -> Option<&'l mut T> {
        if key.is_blank() {
            return None;
        }
        let index = list.iter().position(|i| key_of(i) == key);
        let index = index.unwrap_or_else(|| {
            self.note(At::of(field, key.raw()), origin, None);
            list.push(new());
            list.len() - 1
        });
        list.get_mut(index)
    }
}

/// Adds what is missing, keeping the order.
fn unite(into: &mut Vec<Untrusted>, from: Vec<Untrusted>) {
    for text in from {
        if !text.is_blank() && !into.contains(&text) {
            into.push(text);
        }
    }
}

fn some<T: Value>(value: T) -> Option<T> {
    Some(value).filter(|v| !v.is_blank())
}

type CredentialText = fn(&mut Credential) -> &mut Option<Untrusted>;
type CredentialTime = fn(&mut Credential) -> &mut Option<Timestamp>;

impl Merging {
    fn add(&mut self, account: Account) {
        let (origin, mut card) = (account.origin, *account.card);
        self.words(&mut card, &origin);
        self.texts(&mut card, &origin);
        self.connector(&mut card, &origin);
        let (ledger, own) = (&mut self.ledger, &mut self.card);
        let flag = (&mut own.enabled, card.enabled);
        ledger.take(Field::Enabled.into(), flag, &origin, Rule::Trust);
        let made = (&mut own.created, card.created);
        ledger.take(Field::Created.into(), made, &origin, Rule::Trust);
        let used = (&mut own.last_used, card.last_used);
        ledger.take(Field::LastUsed.into(), used, &origin, Rule::Latest);
        for alias in std::mem::take(&mut card.aliases) {
            if !alias.is_blank() && !own.aliases.contains(&alias) {
                ledger.note(At::of(Field::Alias, alias.raw()), &origin, None);
                own.aliases.push(alias);
            }
        }
        for (field, into, from) in [
            (Field::Intent, own.intent.is_none(), card.intent.is_some()),
            (Field::Usual, own.usual.is_none(), card.usual.is_some()),
        ] {
            if into && from {
                ledger.note(field.into(), &origin, None);
            }
        }
        own.intent = own.intent.take().or(card.intent);
        own.usual = own.usual.take().or(card.usual);
        card.scopes.into_iter().for_each(|s| self.scope(s, &origin));
        card.credentials
            .into_iter()
            .for_each(|c| self.credential(c, &origin));
        card.grants.into_iter().for_each(|g| self.grant(g, &origin));
        card.recovery
            .into_iter()
            .for_each(|r| self.recovery(r, &origin));
    }

    /// Takes over what is a word of ours, where *unknown* is no answer.
    fn words(&mut self, card: &mut Identity, origin: &Arc<Origin>) {
        let (ledger, own) = (&mut self.ledger, &mut self.card);
        let mut kind = some(own.kind);
        ledger.take(
            Field::Kind.into(),
            (&mut kind, Some(card.kind)),
            origin,
            Rule::Trust,
        );
        own.kind = kind.unwrap_or(IdentityKind::Unknown);
        let mut driver = some(own.driver);
        ledger.take(
            Field::Driver.into(),
            (&mut driver, Some(card.driver)),
            origin,
            Rule::Trust,
        );
        own.driver = driver.unwrap_or(Driver::Unknown);
        let pair = (&mut own.criticality, card.criticality);
        ledger.take(Field::Criticality.into(), pair, origin, Rule::Trust);
        let mut name = some(std::mem::take(&mut own.name));
        let pair = (&mut name, Some(std::mem::take(&mut card.name)));
        ledger.take(Field::Name.into(), pair, origin, Rule::Trust);
        own.name = name.unwrap_or_default();
    }

    fn texts(&mut self, card: &mut Identity, origin: &Arc<Origin>) {
        type Text = fn(&mut Identity) -> &mut Option<Untrusted>;
        let fields: [(Field, Text); 8] = [
            (Field::Environment, |c| &mut c.environment),
            (Field::Workload, |c| &mut c.workload),
            (Field::BusinessOwner, |c| &mut c.business_owner),
            (Field::TechnicalOwner, |c| &mut c.technical_owner),
            (Field::OnCall, |c| &mut c.on_call),
            (Field::Contact, |c| &mut c.contact),
            (Field::Uninterruptible, |c| &mut c.uninterruptible),
            (Field::StopCost, |c| &mut c.stop_cost),
        ];
        for (field, text) in fields {
            let pair = (text(&mut self.card), text(card).take());
            self.ledger.take(field.into(), pair, origin, Rule::Trust);
        }
    }

    /// Takes the connector over with its parameters: those of one connector mean nothing to another.
    fn connector(&mut self, card: &mut Identity, origin: &Arc<Origin>) {
        let fits = match (&self.card.connector, &card.connector) {
            (Some(own), Some(other)) => own == other,
            _ => true,
        };
        let pair = (&mut self.card.connector, card.connector.take());
        self.ledger
            .take(Field::Connector.into(), pair, origin, Rule::Trust);
        if fits {
            for (key, value) in std::mem::take(&mut card.params) {
                self.card.params.entry(key).or_insert(value);
            }
        }
    }

    fn scope(&mut self, from: Scope, origin: &Arc<Origin>) {
        let ledger = &mut self.ledger;
        let list = (&mut self.card.scopes, &from.name);
        let note = (Field::Scope, origin);
        let new = || Scope {
            name: from.name.clone(),
            ..Scope::default()
        };
        let Some(own) = ledger.item(list, |s| &s.name, new, note) else {
            return;
        };
        let key = from.name.raw();
        let pair = (&mut own.level, from.level);
        ledger.take(At::of(Field::ScopeLevel, key), pair, origin, Rule::Trust);
        let pair = (&mut own.on, from.on);
        ledger.take(At::of(Field::ScopeOn, key), pair, origin, Rule::Trust);
        // That it was used once stays true, whoever has not seen it.
        let pair = (&mut own.used, from.used);
        ledger.take(At::of(Field::ScopeUsed, key), pair, origin, Rule::Latest);
        let pair = (&mut own.last_used, from.last_used);
        ledger.take(
            At::of(Field::ScopeLastUsed, key),
            pair,
            origin,
            Rule::Latest,
        );
        own.privileged |= from.privileged || own.level.is_some_and(super::Level::is_privileged);
    }

    fn credential(&mut self, mut from: Credential, origin: &Arc<Origin>) {
        let ledger = &mut self.ledger;
        let list = (&mut self.card.credentials, &from.id);
        let note = (Field::Credential, origin);
        let new = || Credential {
            id: from.id.clone(),
            ..Credential::default()
        };
        let Some(own) = ledger.item(list, |c| &c.id, new, note) else {
            return;
        };
        let key = from.id.raw().to_owned();
        let at = |field| At::of(field, &key);
        let mut kind = some(std::mem::take(&mut own.kind));
        let pair = (&mut kind, Some(std::mem::take(&mut from.kind)));
        ledger.take(at(Field::CredentialKind), pair, origin, Rule::Trust);
        own.kind = kind.unwrap_or_default();
        let texts: [(Field, CredentialText); 4] = [
            (Field::CredentialStore, |c| &mut c.store),
            (Field::CredentialRotation, |c| &mut c.rotation),
            (Field::CredentialFingerprint, |c| &mut c.fingerprint),
            (Field::CredentialOffboarding, |c| &mut c.offboarding),
        ];
        for (field, text) in texts {
            let pair = (text(own), text(&mut from).take());
            ledger.take(at(field), pair, origin, Rule::Trust);
        }
        let times: [(Field, CredentialTime, Rule); 4] = [
            (Field::CredentialCreated, |c| &mut c.created, Rule::Trust),
            (Field::CredentialExpires, |c| &mut c.expires, Rule::Trust),
            (
                Field::CredentialLastUsed,
                |c| &mut c.last_used,
                Rule::Latest,
            ),
            (Field::CredentialRotated, |c| &mut c.rotated, Rule::Latest),
        ];
        for (field, time, rule) in times {
            let pair = (time(own), time(&mut from).take());
            ledger.take(at(field), pair, origin, rule);
        }
        let pair = (&mut own.enabled, from.enabled);
        ledger.take(at(Field::CredentialEnabled), pair, origin, Rule::Trust);
        own.secret_ref = own.secret_ref.take().or(from.secret_ref);
        unite(&mut own.consumers, from.consumers);
        unite(&mut own.hard_coded, from.hard_coded);
    }

    fn grant(&mut self, from: Grant, origin: &Arc<Origin>) {
        let ledger = &mut self.ledger;
        let list = (&mut self.card.grants, &from.id);
        let note = (Field::Grant, origin);
        let new = || Grant {
            id: from.id.clone(),
            ..Grant::default()
        };
        let Some(own) = ledger.item(list, |g| &g.id, new, note) else {
            return;
        };
        if own.to.is_empty() {
            own.to = from.to;
        }
        own.kind = own.kind.take().or(from.kind);
        own.since = own.since.or(from.since);
        own.expires = own.expires.or(from.expires);
        unite(&mut own.scopes, from.scopes);
    }

    fn recovery(&mut self, from: RecoveryPath, origin: &Arc<Origin>) {
        let ledger = &mut self.ledger;
        let list = (&mut self.card.recovery, &from.id);
        let note = (Field::Recovery, origin);
        let new = || RecoveryPath {
            id: from.id.clone(),
            kind: None,
            state: RecoveryState::Unknown,
        };
        let Some(own) = ledger.item(list, |r| &r.id, new, note) else {
            return;
        };
        own.kind = own.kind.take().or(from.kind);
        let mut state = some(own.state);
        let at = At::of(Field::RecoveryState, from.id.raw());
        ledger.take(at, (&mut state, Some(from.state)), origin, Rule::Trust);
        own.state = state.unwrap_or(RecoveryState::Unknown);
    }
}

/// Puts what is said about many identities together, each identity's card in the order of its first mention.
pub fn merge_all(accounts: Vec<Account>) -> Vec<Identity> {
    let mut order: BTreeMap<crate::domain::ids::IdentityId, usize> = BTreeMap::new();
    let mut groups: Vec<Vec<Account>> = Vec::new();
    for account in accounts {
        let next = groups.len();
        let index = *order.entry(account.card.id.clone()).or_insert(next);
        if index == next {
            groups.push(Vec::with_capacity(1));
        }
        groups[index].push(account);
    }
    groups.into_iter().filter_map(merge).collect()
}

#[cfg(test)]
mod tests;
