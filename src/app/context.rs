//! What providers say about identities: asked for when an alert is selected, and again on a key or after an act. One
//! question is under way at a time: it is dropped when the selection moves on.

use jiff::Timestamp;

use super::model::{Live, Model};
use super::msg::Effect;
use crate::domain::identity::LiveContext;
use crate::domain::ids::IdentityId;

/// Takes in what a provider said.
pub fn take(model: &mut Model, identity: &IdentityId, at: Timestamp, context: LiveContext) {
    model.live.insert(
        identity.clone(),
        Live {
            at: Some(at),
            loading: false,
            context,
        },
    );
    if model
        .detail
        .identity
        .as_ref()
        .is_some_and(|card| card.id == *identity)
    {
        model.refresh_detail();
    }
    model.dirty = true;
}

/// Asks the provider about the selected identity, unless it just answered. What is asked about somebody else is dropped.
pub fn read(model: &mut Model, again: bool) -> Vec<Effect> {
    let identity = model
        .detail
        .identity
        .clone()
        .filter(|i| i.connector.is_some());
    let dropped = drop_others(model, identity.as_ref().map(|i| &i.id));
    let known = |id: &IdentityId| {
        let live = model.live.get(id);
        live.is_some_and(|live| live.at.is_some() || live.loading)
    };
    let Some(identity) = identity.filter(|i| again || !known(&i.id)) else {
        return match dropped {
            true => vec![Effect::StopReading],
            false => Vec::new(),
        };
    };
    let entry = model
        .live
        .entry(identity.id.clone())
        .or_insert_with(|| Live {
            at: None,
            loading: true,
            context: LiveContext::default(),
        });
    entry.loading = true;
    super::card_screen::fill(model);
    vec![Effect::ReadContext(Box::new(identity))]
}

/// Forgets questions about others, so that they are asked again when somebody comes back; tells whether there was one.
fn drop_others(model: &mut Model, but: Option<&IdentityId>) -> bool {
    let mut dropped = false;
    model.live.retain(|id, live| {
        if live.loading && Some(id) != but {
            live.loading = false;
            dropped = true;
        }
        live.loading || live.at.is_some()
    });
    dropped
}
