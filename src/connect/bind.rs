//! Binds actions to one identity: ids resolved, requests exact, what survives said.

use std::collections::BTreeSet;

use jiff::Timestamp;
use serde_json::Value;

use super::connector::Connector;
use super::error::ConnectError;
use super::jq;
use super::lint;
use super::render;
use super::resolve::Resolved;
use super::spec::{Action, UndoSpec};
use super::template;
use crate::domain::identity::Identity;
use crate::domain::plan::{Precondition, RenderedRequest, RenderedVerify, Residual, Undo};
use crate::domain::text::Untrusted;
use crate::domain::vocabulary::{Layer, Verb};

/// Actions bound to one identity.
#[derive(Clone, Debug, PartialEq)]
pub struct Bound {
    /// In the order in which the verbs were given.
    pub steps: Vec<BoundStep>,
    /// What must still hold when they run.
    pub preconditions: Vec<Precondition>,
}

impl Bound {
    /// Returns what an attacker keeps after each action taken by itself, in order.
    pub fn residual(&self) -> Vec<&Residual> {
        self.steps.iter().flat_map(|step| &step.leaves).collect()
    }
}

/// One action bound to one identity.
#[derive(Clone, Debug, PartialEq)]
pub struct BoundStep {
    /// What it does.
    pub verb: Verb,
    /// What an attacker keeps although this action is proven.
    pub leaves: Vec<Residual>,
    /// In words.
    pub title: String,
    /// Which layer it closes.
    pub layer: Layer,
    /// On what.
    pub target: Untrusted,
    /// Exact requests, in order. None means that there is nothing to do: it is already so.
    pub requests: Vec<RenderedRequest>,
    /// How it is proven; `None` when nothing could prove it, and `leaves` says why.
    pub verify: Option<RenderedVerify>,
    /// How it is taken back.
    pub undo: Undo,
    /// What it interrupts.
    pub breaks: String,
    /// Whether sending it twice has the effect of sending it once.
    pub idempotent: bool,
}

impl Connector {
    /// Binds actions to an identity at a time. Runs the lookups that they need, each once; nothing is changed.
    ///
    /// Fails as a whole when one verb cannot be bound: a plan that silently lacks a step would be approved for more than
    /// it does.
    pub async fn bind(
        &self,
        identity: &Identity,
        verbs: &[Verb],
        now: Timestamp,
    ) -> Result<Bound, ConnectError> {
        let actions: Vec<(Verb, &Action)> = verbs
            .iter()
            .map(|verb| {
                let action = self
                    .spec
                    .action
                    .get(verb)
                    .ok_or_else(|| ConnectError::NoAction {
                        connector: self.name.clone(),
                        verb: *verb,
                        offered: self
                            .spec
                            .action
                            .keys()
                            .map(|v| v.as_str())
                            .collect::<Vec<_>>()
                            .join(", "),
                    })?;
                Ok((*verb, action))
            })
            .collect::<Result<_, ConnectError>>()?;
        let mut wanted: BTreeSet<String> = actions
            .iter()
            .flat_map(|(_, a)| lint::uses_action(a))
            .collect();
        // A precondition needs its lookup to have run, whatever that yields.
        for pre in actions.iter().flat_map(|(_, a)| &a.precondition) {
            let lookup = self.spec.lookup.iter().find(|l| l.read.id == pre.lookup);
            wanted.extend(lookup.and_then(|l| l.vars.keys().next()).cloned());
        }
        for refuse in &self.spec.refuse {
            wanted.extend(
                jq::mentioned(&refuse.condition)
                    .into_iter()
                    .map(str::to_owned),
            );
        }
        let mut resolved = Resolved {
            scope: self.parameters(identity)?,
            ..Resolved::default()
        };
        resolved
            .scope
            .insert("now_s".to_owned(), Value::from(now.as_second()));
        self.resolve(identity, &wanted, &mut resolved).await?;
        for refuse in &self.spec.refuse {
            if render::holds(&refuse.condition, &resolved.scope, "refuse")? {
                return Err(ConnectError::Untouchable(refuse.says.clone()));
            }
        }

        let mut bound = Bound {
            steps: Vec::new(),
            preconditions: Vec::new(),
        };
        for (verb, action) in actions {
            self.bind_one(identity, verb, action, &resolved, &mut bound)?;
        }
        Ok(bound)
    }

    fn bind_one(
        &self,
        identity: &Identity,
        verb: Verb,
        action: &Action,
        resolved: &Resolved,
        bound: &mut Bound,
    ) -> Result<(), ConnectError> {
        let block = format!("action.{verb}");
        let scope = &resolved.scope;
        let mut requests = Vec::new();
        for spec in &action.request {
            requests.extend(render::act(
                &self.base,
                spec,
                scope,
                identity,
                self.secret_dir.as_deref(),
            )?);
        }
        let mut leaves = Vec::new();
        let mut verify = Some(render::verify(&self.base, &action.verify, scope, identity)?);
        if let Some(provable) = &action.provable
            && !render::holds(&provable.condition, scope, &block)?
        {
            verify = None;
            leaves.push(Residual {
                layer: action.layer,
                text: provable.otherwise.clone(),
                at_most_s: None,
            });
        }
        let target =
            template::text(&action.target, scope).map_err(|error| ConnectError::Template {
                block: block.clone(),
                error,
            })?;
        Self::residuals(action, resolved, &block, &mut leaves)?;
        bound.steps.push(BoundStep {
            verb,
            leaves,
            title: action.title.clone(),
            layer: action.layer,
            target: Untrusted::new(target),
            undo: self.undo(identity, &action.undo, resolved, requests.is_empty())?,
            requests,
            verify,
            breaks: action.breaks.clone(),
            idempotent: action.idempotent,
        });
        self.preconditions(action, resolved, &block, &mut bound.preconditions)
    }

    fn undo(
        &self,
        identity: &Identity,
        spec: &UndoSpec,
        resolved: &Resolved,
        nothing_done: bool,
    ) -> Result<Undo, ConnectError> {
        if nothing_done {
            return Ok(Undo::NothingToUndo);
        }
        if let Some(reason) = &spec.irreversible {
            return Ok(Undo::Irreversible {
                reason: reason.clone(),
            });
        }
        let mut requests = Vec::new();
        for request in &spec.request {
            requests.extend(render::act(
                &self.base,
                request,
                &resolved.scope,
                identity,
                self.secret_dir.as_deref(),
            )?);
        }
        if requests.is_empty() {
            return Ok(Undo::NothingToUndo);
        }
        let verify = spec
            .verify
            .as_ref()
            .map(|v| render::verify(&self.base, v, &resolved.scope, identity))
            .transpose()?;
        Ok(Undo::Requests { requests, verify })
    }

    fn residuals(
        action: &Action,
        resolved: &Resolved,
        block: &str,
        out: &mut Vec<Residual>,
    ) -> Result<(), ConnectError> {
        for spec in &action.residual {
            if let Some(when) = &spec.when
                && !render::holds(when, &resolved.scope, block)?
            {
                continue;
            }
            let at_most_s = match &spec.at_most_s {
                None => None,
                Some(value) => {
                    let filled = template::json(value, &resolved.scope).map_err(|error| {
                        ConnectError::Template {
                            block: block.to_owned(),
                            error,
                        }
                    })?;
                    // Some providers write numbers as text.
                    filled.as_u64().or_else(|| filled.as_str()?.parse().ok())
                }
            };
            let residual = Residual {
                layer: spec.layer,
                text: spec.text.clone(),
                at_most_s,
            };
            if !out.contains(&residual) {
                out.push(residual);
            }
        }
        Ok(())
    }

    fn preconditions(
        &self,
        action: &Action,
        resolved: &Resolved,
        block: &str,
        out: &mut Vec<Precondition>,
    ) -> Result<(), ConnectError> {
        for spec in &action.precondition {
            let Some((request, body)) = resolved.reads.get(&spec.lookup) else {
                continue;
            };
            let filter = jq::with_vars(&spec.filter, &resolved.scope);
            let expected = jq::first(&filter, body).map_err(|error| ConnectError::Jq {
                block: format!("{block}.precondition"),
                error,
            })?;
            let precondition = Precondition {
                connector: self.name.clone(),
                request: request.clone(),
                filter,
                expected,
                says: spec.says.clone(),
            };
            if !out.contains(&precondition) {
                out.push(precondition);
            }
        }
        Ok(())
    }
}
