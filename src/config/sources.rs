//! What sources of alerts must keep to.

use std::net::SocketAddr;

use super::{Broken, Config};
use crate::app::settings::SourceSettings;

/// Checks ranges, addresses and what belongs together.
pub(super) fn check(config: &Config) -> Vec<Broken> {
    let mut found = Vec::new();
    for (i, source) in config.source.iter().enumerate() {
        let mut blame = |field: &str, problem: String| {
            found.push((
                vec!["source".to_owned(), i.to_string(), field.to_owned()],
                problem,
            ));
        };
        match source {
            SourceSettings::Poll {
                preset,
                file,
                every_s,
                gap_ms,
                ..
            } => {
                if preset.is_some() == file.is_some() {
                    blame(
                        if preset.is_some() { "file" } else { "preset" },
                        "set exactly one of `preset` and `file`".to_owned(),
                    );
                }
                if let Some(given) = every_s.filter(|s| !(1..=86_400).contains(s)) {
                    blame("every_s", out_of_range(given, "1 to 86400 seconds"));
                }
                if let Some(given) = gap_ms.filter(|ms| *ms > 60_000) {
                    blame("gap_ms", out_of_range(given, "0 to 60000 milliseconds"));
                }
            }
            SourceSettings::EventsPoll { every_s, .. } => {
                if !(1..=86_400).contains(every_s) {
                    blame("every_s", out_of_range(*every_s, "1 to 86400 seconds"));
                }
                needs_keys(config, &mut blame);
            }
            SourceSettings::EventsPush { .. } => needs_keys(config, &mut blame),
            SourceSettings::Webhook { max_body_kib, .. } => {
                if !(1..=16_384).contains(max_body_kib) {
                    blame(
                        "max_body_kib",
                        out_of_range((*max_body_kib).into(), "1 to 16384 KiB"),
                    );
                }
            }
            SourceSettings::File { .. }
            | SourceSettings::Stdin { .. }
            | SourceSettings::Spool { .. }
            | SourceSettings::Socket { .. } => {}
        }
    }
    found.extend(listen(config));
    let patience = config.receiver.patience_s;
    if !(1..=300).contains(&patience) {
        let key = vec!["receiver".to_owned(), "patience_s".to_owned()];
        found.push((key, out_of_range(patience, "1 to 300 seconds")));
    }
    found
}

fn out_of_range(given: u64, range: &str) -> String {
    format!("{given} is out of range; use {range}")
}

/// A stream of security events is worth what its signatures are worth.
fn needs_keys(config: &Config, blame: &mut impl FnMut(&str, String)) {
    if config.decoders.token_keys.is_none() {
        let problem = "security events need the keys they are signed with; set `decoders.token_keys` to the \
                       transmitter's key set";
        blame("kind", problem.to_owned());
    }
}

fn listen(config: &Config) -> Option<Broken> {
    let settings = &config.receiver;
    let problem = match settings.listen.parse::<SocketAddr>() {
        Err(_) => format!(
            "`{}` is no address and port; write `127.0.0.1:8460`",
            settings.listen
        ),
        Ok(address) if !address.ip().is_loopback() && !settings.allow_remote => format!(
            "{address} is reachable from outside, in plain HTTP; use a loopback address behind a proxy with TLS, or say \
             `allow_remote = true`"
        ),
        Ok(_) => return None,
    };
    Some((vec!["receiver".to_owned(), "listen".to_owned()], problem))
}
