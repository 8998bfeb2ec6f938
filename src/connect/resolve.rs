//! Resolves variables: parameters, then those lookups and derived values that something needs, in dependency order.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::Value;

use super::connector::Connector;
use super::error::ConnectError;
use super::jq;
use super::lint;
use super::render;
use super::spec::{Lookup, ParamSource};
use super::template::Scope;
use crate::domain::identity::Identity;
use crate::domain::plan::RenderedRequest;

/// What is known about one identity while something is bound or read.
#[derive(Debug, Default)]
pub struct Resolved {
    /// Variables by name.
    pub scope: Scope,
    /// Lookups that ran: the request and the body of its answer.
    pub reads: BTreeMap<String, (RenderedRequest, Value)>,
}

impl Connector {
    /// Checks the identity's parameters and returns all parameters as variables.
    pub(super) fn parameters(&self, identity: &Identity) -> Result<Scope, ConnectError> {
        let mut scope = self.params.clone();
        let held: std::collections::BTreeSet<&str> = identity
            .credentials
            .iter()
            .filter(|c| c.secret_ref.is_some())
            .map(|c| c.kind.raw())
            .collect();
        scope.insert("held".to_owned(), held.into_iter().collect());
        let own = || {
            self.spec
                .param
                .iter()
                .filter(|(_, p)| p.from == ParamSource::Identity)
        };
        for (name, value) in &identity.params {
            let Some((_, param)) = own().find(|(n, _)| *n == name) else {
                let known: Vec<_> = own().map(|(n, _)| n.as_str()).collect();
                return Err(ConnectError::Param {
                    name: name.clone(),
                    problem: format!(
                        "of the identity is unknown to connector `{}`; it knows: {}",
                        self.name,
                        known.join(", ")
                    ),
                });
            };
            if !lint::whole(&param.pattern).is_ok_and(|p| p.is_match(value)) {
                return Err(ConnectError::Param {
                    name: name.clone(),
                    problem: format!(
                        "of the identity does not match `{}`; {}",
                        param.pattern, param.help
                    ),
                });
            }
            scope.insert(name.clone(), Value::String(value.clone()));
        }
        for (name, param) in own() {
            if let (false, Some(default)) = (scope.contains_key(name), &param.default) {
                scope.insert(name.clone(), Value::String(default.clone()));
            }
        }
        if let (Some(param), Some(own)) = (&self.spec.never_self, self.auth.own_name())
            && scope.get(param).and_then(Value::as_str) == Some(own)
        {
            return Err(ConnectError::OwnAccount(own.to_owned()));
        }
        Ok(scope)
    }

    /// Adds the wanted variables and everything they depend on; reads that already ran are not repeated.
    pub(super) async fn resolve(
        &self,
        identity: &Identity,
        wanted: &BTreeSet<String>,
        resolved: &mut Resolved,
    ) -> Result<(), ConnectError> {
        let needed = self.closure(wanted);
        loop {
            let scope = &resolved.scope;
            let ready = |names: &BTreeSet<String>| names.iter().all(|n| scope.contains_key(n));
            let derive = self.spec.derive.iter().find(|d| {
                let names = jq::mentioned(&d.filter)
                    .into_iter()
                    .map(str::to_owned)
                    .collect();
                needed.contains(&d.var) && !scope.contains_key(&d.var) && ready(&names)
            });
            if let Some(derive) = derive {
                let value = jq::first(&jq::with_vars(&derive.filter, scope), &Value::Null)
                    .map_err(|error| ConnectError::Jq {
                        block: format!("derive `{}`", derive.var),
                        error,
                    })?;
                resolved.scope.insert(derive.var.clone(), value);
                continue;
            }
            let lookup = self.spec.lookup.iter().find(|l| {
                !resolved.reads.contains_key(&l.read.id)
                    && l.vars.keys().any(|v| needed.contains(v))
                    && ready(&lint::uses(&l.read))
            });
            match lookup {
                Some(lookup) => self.look_up(identity, lookup, resolved).await?,
                None => return self.all_there(&needed, &resolved.scope),
            }
        }
    }

    /// Fails when a parameter that is needed was not given.
    fn all_there(&self, needed: &BTreeSet<String>, scope: &Scope) -> Result<(), ConnectError> {
        let absent = |name: &&String| !scope.contains_key(*name);
        match needed
            .iter()
            .filter(absent)
            .find_map(|n| Some((n, self.spec.param.get(n)?)))
        {
            Some((name, param)) => Err(ConnectError::Param {
                name: name.clone(),
                problem: format!("is missing on the identity's card; {}", param.help),
            }),
            None => Ok(()),
        }
    }

    async fn look_up(
        &self,
        identity: &Identity,
        lookup: &Lookup,
        resolved: &mut Resolved,
    ) -> Result<(), ConnectError> {
        let id = &lookup.read.id;
        let request = render::read(&self.base, &lookup.read, &resolved.scope, identity)?;
        let (_, body) = self.ask(&request).await.map_err(|why| ConnectError::Read {
            id: id.clone(),
            why,
        })?;
        for (var, filter) in &lookup.vars {
            let value =
                jq::first(&jq::with_vars(filter, &resolved.scope), &body).unwrap_or(Value::Null);
            if value.is_null() {
                return Err(ConnectError::Missing {
                    id: id.clone(),
                    var: var.clone(),
                    missing: lookup.missing.clone(),
                });
            }
            resolved.scope.insert(var.clone(), value);
        }
        resolved.reads.insert(id.clone(), (request, body));
        Ok(())
    }

    /// Returns the wanted variables with all that they depend on.
    fn closure(&self, wanted: &BTreeSet<String>) -> BTreeSet<String> {
        let mut needed = BTreeSet::new();
        let mut open: Vec<String> = wanted.iter().cloned().collect();
        while let Some(name) = open.pop() {
            if !needed.insert(name.clone()) {
                continue;
            }
            if let Some(derive) = self.spec.derive.iter().find(|d| d.var == name) {
                open.extend(jq::mentioned(&derive.filter).into_iter().map(str::to_owned));
            }
            if let Some(lookup) = self.spec.lookup.iter().find(|l| l.vars.contains_key(&name)) {
                open.extend(lint::uses(&lookup.read));
                for filter in lookup.vars.values() {
                    open.extend(jq::mentioned(filter).into_iter().map(str::to_owned));
                }
            }
        }
        needed
    }
}
