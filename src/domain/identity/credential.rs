//! Long-lived secrets and keys, by their handles.

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use crate::domain::text::Untrusted;

/// One long-lived secret or key: a handle, never the value.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Credential {
    /// The provider's handle: key id, secret name, token id.
    pub id: Untrusted,
    /// `client_secret`, `access_key`, `deploy_key`, …; empty while nobody says.
    pub kind: Untrusted,
    /// Which secrets manager or file holds it.
    pub store: Option<Untrusted>,
    /// When it was issued.
    pub created: Option<Timestamp>,
    /// When it ends by itself.
    pub expires: Option<Timestamp>,
    /// When it was last seen in use.
    pub last_used: Option<Timestamp>,
    /// The rule for renewing it, in words (`every 90 d`).
    pub rotation: Option<Untrusted>,
    /// Where a copy may be read for proving revocation (`file:`, `env:`, `cmd:`); never the secret itself.
    pub secret_ref: Option<String>,
    /// A digest by which it is recognised (`SHA256:…`); never the value.
    #[serde(default)]
    pub fingerprint: Option<Untrusted>,
    /// When it was last renewed, where that is not its issue.
    #[serde(default)]
    pub rotated: Option<Timestamp>,
    /// Whether it could be used when its source looked.
    #[serde(default)]
    pub enabled: Option<bool>,
    /// Who uses it.
    #[serde(default)]
    pub consumers: Vec<Untrusted>,
    /// How this class of secret is put out of use.
    #[serde(default)]
    pub offboarding: Option<Untrusted>,
    /// Where copies of it are written down: repositories, images, files.
    #[serde(default)]
    pub hard_coded: Vec<Untrusted>,
}

/// Seconds of a day.
const DAY: i64 = 86_400;

impl Credential {
    /// Returns after how many days it is to be renewed, where its rule says so: the first number that a word for days,
    /// weeks, months or years follows.
    pub fn rotation_days(&self) -> Option<u32> {
        let rule = self.rotation.as_ref()?.raw().to_lowercase();
        let mut number: Option<u32> = None;
        for word in rule.split(|c: char| c.is_whitespace() || matches!(c, ',' | ';' | '(' | ')')) {
            let digits = word.len() - word.trim_start_matches(|c: char| c.is_ascii_digit()).len();
            let (figure, unit) = word.split_at(digits);
            number = figure.parse().ok().or(number);
            let days = match unit {
                "d" | "day" | "days" => 1,
                "w" | "week" | "weeks" => 7,
                "month" | "months" => 30,
                "y" | "year" | "years" => 365,
                "" => continue,
                _ => {
                    number = None;
                    continue;
                }
            };
            if let Some(number) = number {
                return number.checked_mul(days).filter(|d| *d > 0);
            }
        }
        None
    }

    /// Returns how many days ago it was to be renewed; `None` when it was, or nobody knows.
    pub fn overdue_days(&self, now: Timestamp) -> Option<i64> {
        let since = self.rotated.or(self.created)?;
        let old = (now.as_second() - since.as_second()) / DAY;
        let late = old - i64::from(self.rotation_days()?);
        (late > 0).then_some(late)
    }
}

#[cfg(test)]
mod tests {
    use rstest::rstest;

    use super::*;

    #[rstest]
    #[case("every 90 d", Some(90))]
    #[case("every 30 d, by vault", Some(30))]
    #[case("90d", Some(90))]
    #[case("every 2 weeks", Some(14))]
    #[case("1 year", Some(365))]
    #[case("never agreed", None)]
    #[case("every 4294967295 years", None)]
    #[case("2 keys, d", None)]
    #[case("0 d", None)]
    #[case("every ½ d", None)]
    fn rules_in_words_have_days(#[case] rule: &str, #[case] days: Option<u32>) {
        let credential = Credential {
            rotation: Some(rule.into()),
            ..Credential::default()
        };
        assert_eq!(credential.rotation_days(), days);
    }
}
