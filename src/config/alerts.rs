//! How long alerts are kept.

use serde::{Deserialize, Serialize};

use super::Broken;
use crate::app::settings::Retention;
use crate::domain::filter::span_s;

/// Shortest time for which alerts are kept, in seconds: an alert is looked at before it is gone.
const SHORTEST_S: u64 = 86_400;

/// Least room for alerts, in bytes: some segments of the spool and the rows to them.
const LEAST_BYTES: u64 = 256_000_000;

/// What says that there is no limit.
const UNLIMITED: &str = "unlimited";

/// How long alerts are kept, and how much of them.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct AlertSettings {
    /// How long after they last came: `90d`, `26w`, or `unlimited`.
    pub keep: String,
    /// How much room they may take: `500MB`, `10GB`, `8GiB`, or `unlimited`; the oldest go first.
    pub keep_bytes: String,
}

impl Default for AlertSettings {
    fn default() -> Self {
        Self {
            keep: "90d".to_owned(),
            keep_bytes: "10GB".to_owned(),
        }
    }
}

/// Returns the limits; one that cannot be used is none, see [`validate`].
pub fn retention(settings: &AlertSettings) -> Retention {
    Retention {
        keep_s: keep_s(&settings.keep).ok().flatten(),
        most_bytes: most_bytes(&settings.keep_bytes).ok().flatten(),
    }
}

fn keep_s(text: &str) -> Result<Option<u64>, String> {
    if text == UNLIMITED {
        return Ok(None);
    }
    match span_s(text)
        .map_err(|error| format!("{error}, or `unlimited`"))?
        .min(i64::MAX.unsigned_abs())
    {
        ..SHORTEST_S => Err(format!(
            "`{text}` is too short; keep alerts for at least a day"
        )),
        s => Ok(Some(s)),
    }
}

fn most_bytes(text: &str) -> Result<Option<u64>, String> {
    if text == UNLIMITED {
        return Ok(None);
    }
    let end = text.find(|c: char| !c.is_ascii_digit());
    let (digits, unit) = text.split_at(end.unwrap_or(text.len()));
    let factor = match unit.trim_start() {
        "MB" => 1_000_000,
        "GB" => 1_000_000_000,
        "TB" => 1_000_000_000_000,
        "MiB" => 1 << 20,
        "GiB" => 1 << 30,
        "TiB" => 1 << 40,
        _ => 0,
    };
    let bytes = digits
        .parse::<u64>()
        .ok()
        .filter(|_| factor > 0)
        .and_then(|n| n.checked_mul(factor));
    match bytes {
        None => Err(format!(
            "`{text}` is no size; write 500MB, 10GB, 8GiB, or `unlimited`"
        )),
        Some(..LEAST_BYTES) => Err(format!(
            "`{text}` is too little for the store to work; give it at least 256MB"
        )),
        some => Ok(some),
    }
}

/// Returns what in these settings cannot be used.
pub fn validate(settings: &AlertSettings) -> Vec<Broken> {
    let key = |name: &str| vec!["alerts".to_owned(), name.to_owned()];
    let keep = keep_s(&settings.keep).err();
    let bytes = most_bytes(&settings.keep_bytes).err();
    let keep = keep.map(|problem| (key("keep"), problem));
    let bytes = bytes.map(|problem| (key("keep_bytes"), problem));
    keep.into_iter().chain(bytes).collect()
}

#[cfg(test)]
mod tests {
    use rstest::rstest;

    use super::*;

    #[rstest]
    #[case("90d", "10GB", Some(7_776_000), Some(10_000_000_000))]
    #[case("1w", "1 GiB", Some(604_800), Some(1 << 30))]
    #[case("unlimited", "unlimited", None, None)]
    fn limits(
        #[case] keep: &str,
        #[case] keep_bytes: &str,
        #[case] keep_s: Option<u64>,
        #[case] most_bytes: Option<u64>,
    ) {
        let settings = AlertSettings {
            keep: keep.to_owned(),
            keep_bytes: keep_bytes.to_owned(),
        };
        assert_eq!(validate(&settings), []);
        let want = Retention { keep_s, most_bytes };
        assert_eq!(retention(&settings), want);
    }
}
