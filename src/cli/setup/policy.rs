//! The policy and the playbooks in force, with everything that is wrong with them.

use std::collections::BTreeMap;
use std::path::Path;
use std::sync::Arc;

use anyhow::Context as _;

use crate::config::Config;
use crate::connect::Connectors;
use crate::domain::options::Capabilities;
use crate::domain::playbook::Playbook;
use crate::domain::policy::lint::{Loaded, load};
use crate::domain::policy::{Finding, Level, Policy, Source};
use crate::domain::text::show;
use crate::domain::vocabulary::Tier;
use crate::runtime::services::{SHIPPED, Services, means};

/// What is in force.
pub struct InForce {
    /// The policy; not armed where it has a mistake.
    pub policy: Arc<Policy>,
    /// The playbooks; those with a mistake are refused.
    pub playbooks: Arc<[Playbook]>,
    /// What is wrong.
    pub findings: Vec<Finding>,
}

/// Returns what is shipped.
pub fn shipped() -> anyhow::Result<InForce> {
    Ok(InForce {
        policy: Services::shipped_policy(),
        playbooks: Services::shipped_playbooks()?,
        findings: Vec::new(),
    })
}

/// Returns the shipped playbooks under a policy of one's own.
pub fn with(file: &Path, connectors: &Connectors) -> anyhow::Result<InForce> {
    let name = file.display().to_string();
    let text =
        std::fs::read_to_string(file).with_context(|| format!("cannot read {}", show(&name)))?;
    let source = Source {
        name: &name,
        text: &text,
    };
    let means = means(connectors).capabilities;
    Ok(in_force(load(source, &SHIPPED[1..], Some(&means))))
}

/// Reads what a configuration names. A mistake in a file is no error: what has it is not armed.
pub fn read(
    config: &Config,
    path: &Path,
    means: Option<&BTreeMap<String, Capabilities>>,
) -> Result<InForce, Vec<anyhow::Error>> {
    let mut errors = Vec::new();
    let mut text_of = |file: &Path, key: [&str; 2]| {
        let read = std::fs::read_to_string(file).map_err(|error| {
            let problem = format!("cannot read {}: {error}", file.display());
            Config::blame(path, &key, problem)
        });
        match read {
            Ok(text) => Some((file.display().to_string(), text)),
            Err(error) => {
                errors.push(error.into());
                None
            }
        }
    };
    let policy = config.policy.file.as_deref();
    let policy = policy.and_then(|file| text_of(file, ["policy", "file"]));
    let files = config.playbooks.files.iter();
    let books: Vec<(String, String)> = files
        .filter_map(|file| text_of(file, ["playbooks", "files"]))
        .collect();
    if !errors.is_empty() {
        return Err(errors);
    }
    let source =
        |(name, text): &(String, String)| -> (String, String) { (name.clone(), text.clone()) };
    let policy = policy.map(|p| source(&p));
    let policy = policy
        .as_ref()
        .map_or(SHIPPED[0], |(name, text)| Source { name, text });
    let own: Vec<Source<'_>> = books
        .iter()
        .map(|(name, text)| Source { name, text })
        .collect();
    let books = if config.playbooks.files.is_empty() {
        vec![SHIPPED[1]]
    } else {
        own
    };
    Ok(in_force(load(policy, &books, means)))
}

/// Without any playbook that can be read, those remain with which one only looks.
fn in_force(loaded: Loaded) -> InForce {
    let mut playbooks = loaded.playbooks;
    if playbooks.is_empty() {
        let shipped = Services::shipped_playbooks().unwrap_or_default();
        let looks = shipped.iter().filter(|book| book.tier() == Tier::Monitor);
        playbooks = looks.cloned().collect();
    }
    InForce {
        policy: Arc::new(loaded.policy),
        playbooks: playbooks.into(),
        findings: loaded.findings,
    }
}

/// Says what is not armed, in a few lines. Masked already.
pub fn trouble(findings: &[Finding]) -> Vec<String> {
    const TOLD: usize = 3;
    let errors = findings.iter().filter(|f| f.level == Level::Error);
    let all: Vec<String> = errors
        .map(|f| crate::journal::mask_tokens(&format!("not armed: {f}")).into_owned())
        .collect();
    let more = all.len().saturating_sub(TOLD);
    let more =
        (more > 0).then(|| format!("{more} more mistakes; `stanch policy lint` tells them all"));
    all.into_iter().take(TOLD).chain(more).collect()
}
