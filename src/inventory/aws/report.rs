//! The credential report: `aws iam get-credential-report --query Content --output text | base64 -d`.
//!
//! It says which passwords, access keys and certificates users have, but not the ids of the keys: they are called
//! `USER/access_key_1` here. `N/A`, `no_information` and `not_supported` say nothing.
//! <https://docs.aws.amazon.com/IAM/latest/UserGuide/id_credentials_getting-report.html>

use std::collections::HashMap;

use csv::StringRecord;
use jiff::Timestamp;

use crate::domain::identity::{Credential, Identity};
use crate::domain::ids::IdentityId;
use crate::domain::inventory::Loss;
use crate::domain::text::Untrusted;
use crate::domain::vocabulary::{Driver, IdentityKind};
use crate::inventory::own::table::{explain, is_row_only};
use crate::inventory::reading::Reading;

/// Tells whether a header is that of a report.
pub(in crate::inventory) fn is_header(header: &StringRecord) -> bool {
    ["user", "arn", "user_creation_time"]
        .iter()
        .all(|c| header.iter().any(|h| h == *c))
}

/// A row by its columns.
struct Row<'r> {
    columns: &'r HashMap<String, usize>,
    cells: &'r StringRecord,
}

impl Row<'_> {
    fn text(&self, column: &str) -> Option<&str> {
        let cell = self.cells.get(*self.columns.get(column)?)?.trim();
        let nothing = ["", "N/A", "no_information", "not_supported"];
        (!nothing.contains(&cell)).then_some(cell)
    }

    fn time(&self, column: &str) -> Option<Timestamp> {
        self.text(column)?.parse().ok()
    }

    fn flag(&self, column: &str) -> Option<bool> {
        match self.text(column)?.to_ascii_lowercase().as_str() {
            "true" => Some(true),
            "false" => Some(false),
            _ => None,
        }
    }
}

/// Reads the rows below a header.
pub(in crate::inventory) fn read(reading: &mut Reading, rows: &mut csv::Reader<&[u8]>) {
    reading.format = Some("aws credential report");
    let Ok(header) = rows.headers().cloned() else {
        return;
    };
    let columns = header.iter().map(str::to_owned).zip(0..).collect();
    let provider = super::provider(reading).to_owned();
    reading.folding.insert(provider.clone());
    let mut cells = StringRecord::new();
    loop {
        match rows.read_record(&mut cells) {
            Ok(false) => break,
            Ok(true) => {
                let line = cells.position().map_or(0, |p| p.line() as usize);
                let row = Row {
                    columns: &columns,
                    cells: &cells,
                };
                match card(&provider, &row) {
                    Some(card) => reading.card(line, card, None),
                    None => reading.mistake(line, "a row needs `user` and `arn`", Loss::Entry),
                }
            }
            Err(error) => {
                let line = error.position().map_or(0, |p| p.line() as usize);
                reading.mistake(line, explain(&error), Loss::Entry);
                if !is_row_only(&error) {
                    break;
                }
            }
        }
    }
}

fn card(provider: &str, row: &Row<'_>) -> Option<Identity> {
    let (user, arn) = (row.text("user")?, row.text("arn")?);
    let mut card = Identity::blank(IdentityId::new(format!("{provider}:{arn}")));
    card.name = user.into();
    card.created = row.time("user_creation_time");
    card.credentials = credentials(user, row);
    // Who has a password is a person; who has keys alone runs by itself.
    let has_password = row.flag("password_enabled") == Some(true) || user == "<root_account>";
    if has_password {
        card.kind = IdentityKind::Human;
        card.driver = Driver::Human;
    } else if !card.credentials.is_empty() {
        card.kind = IdentityKind::ServiceAccount;
        card.driver = Driver::Script;
    }
    Some(card)
}

fn credentials(user: &str, row: &Row<'_>) -> Vec<Credential> {
    let mut found = Vec::new();
    let named = |name: &str, kind: &str| Credential {
        id: Untrusted::new(format!("{user}/{name}")),
        kind: kind.into(),
        ..Credential::default()
    };
    if row.flag("password_enabled") == Some(true) {
        found.push(Credential {
            enabled: Some(true),
            rotated: row.time("password_last_changed"),
            last_used: row.time("password_last_used"),
            ..named("password", "password")
        });
    }
    for (name, kind) in [
        ("access_key_1", "access_key"),
        ("access_key_2", "access_key"),
        ("cert_1", "signing_certificate"),
        ("cert_2", "signing_certificate"),
    ] {
        let enabled = row.flag(&format!("{name}_active"));
        let rotated = row.time(&format!("{name}_last_rotated"));
        let last_used = row.time(&format!("{name}_last_used_date"));
        // Of a key that was never made, all is `N/A` but that it is not active.
        if enabled == Some(true) || rotated.is_some() || last_used.is_some() {
            found.push(Credential {
                last_used,
                rotated,
                enabled,
                ..named(name, kind)
            });
        }
    }
    found
}
