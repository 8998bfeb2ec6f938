//! What a provider shows of an identity that somebody calls unused: only that proves it.

use super::services::Services;
use super::steady;
use crate::domain::campaign::shows_unused;
use crate::domain::ids::IdentityId;

/// Asks the provider; returns what shows that nobody can use it, else why that is not proven.
pub async fn proven(services: &Services, identity: &IdentityId) -> Result<String, String> {
    let card = services.inventory.identity(identity);
    let card = card.ok_or("the inventory does not list it")?;
    let connector = services.connector_of(card)?;
    let context = connector.read_context(card).await.context;
    shows_unused(&context, steady::now())
}
