//! Lists that only name their items: what they name is asked for in a second step, many at once.

use std::sync::Arc;
use std::time::Duration;

use serde_json::Value;

use super::Sweeper;
use super::contact::Trouble;
use super::page::Page;
use super::request::Vars;

impl Sweeper {
    /// Returns a page with its items in full, where the list names them only. What the source does not give any more is
    /// not among them.
    pub(super) async fn in_full(&self, listed: Page, vars: &Vars<'_>) -> Result<Page, Trouble> {
        let api = &self.poller.api;
        let Some(detail) = &api.spec.detail else {
            return Ok(listed);
        };
        let mut page = Page {
            next: listed.next,
            ..Page::default()
        };
        let names: Vec<Value> = listed
            .items
            .iter()
            .filter_map(|item| serde_json::from_slice(&item.raw).ok())
            .collect();
        for some in names.chunks(detail.size.max(1)) {
            if self.poller.gap_ms > 0 {
                tokio::time::sleep(Duration::from_millis(self.poller.gap_ms)).await;
            }
            let ids = Value::Array(some.to_vec());
            let vars = Vars {
                ids: Some(&ids),
                ..*vars
            };
            let filled = vars
                .filled(&detail.request, &self.poller.base)
                .map_err(Trouble::Elsewhere)?;
            let answer = self.poller.contact.ask(filled).await?;
            let api = Arc::clone(api);
            let read = tokio::task::spawn_blocking(move || {
                page.extend(&api, &answer)?;
                Ok(page)
            });
            page = read
                .await
                .map_err(|error| Trouble::Died(error.to_string()))?
                .map_err(Trouble::Unreadable)?;
        }
        Ok(page)
    }
}
