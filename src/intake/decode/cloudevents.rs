//! CloudEvents 1.0 whose content no decoder knows: the attributes alone make the alert.
//!
//! <https://github.com/cloudevents/spec/blob/v1.0.2/cloudevents/spec.md>: `source` and `id` together are unique.

use super::Origin;
use super::draft::Draft;
use super::fields::{Fields, has};
use super::pattern::from_type;
use super::registry::Results;
use crate::intake::json::Json;

/// Name of the kind.
pub(super) const KIND: &str = "cloudevents";

/// Tells an event in JSON format.
pub(super) fn detect(value: &Json<'_>) -> bool {
    has(value, "specversion") && (has(value, "type") || has(value, "source"))
}

/// Decodes the attributes.
pub(super) fn decode(value: &Json<'_>, origin: &Origin<'_>) -> Results {
    let fields = Fields::new(value);
    let mut draft = Draft::new(KIND);
    draft.id = fields.id(&["id"]).map(Into::into);
    let source = fields.text(&["source"]);
    if let (Some(id), Some(source)) = (&draft.id, source) {
        draft.key = Some(format!("{source}|{id}"));
    }
    draft.time = fields.time(&["time"]);
    let kind = fields.text(&["type"]);
    draft.action = kind.map(Into::into);
    draft.signal(kind.and_then(from_type));
    draft.touched(fields.text(&["subject"]), source.unwrap_or_default());
    vec![draft.finish(&fields, origin)]
}
