//! What providers say about identities: asked for when an alert is selected, and again on a key or after an act.

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

/// Asks the provider about the selected identity, unless it just answered.
pub fn read(model: &mut Model, again: bool) -> Vec<Effect> {
    let Some(identity) = model
        .detail
        .identity
        .clone()
        .filter(|i| i.connector.is_some())
    else {
        return Vec::new();
    };
    let known = model
        .live
        .get(&identity.id)
        .is_some_and(|live| live.at.is_some() || live.loading);
    if known && !again {
        return Vec::new();
    }
    let entry = model
        .live
        .entry(identity.id.clone())
        .or_insert_with(|| Live {
            at: None,
            loading: true,
            context: LiveContext::default(),
        });
    entry.loading = true;
    vec![Effect::ReadContext(Box::new(identity))]
}
