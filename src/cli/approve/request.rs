//! A request for an approval as a block of text for another host. It needs no signature: the plan in it hashes to its digest,
//! and what agrees to it is bound to that.

use std::io::Read as _;
use std::path::Path;

use anyhow::{Context as _, bail};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde::{Deserialize, Serialize};

use crate::domain::decision::{Place, PlanState};
use crate::domain::ids::PlanDigest;
use crate::domain::plan::Plan;
use crate::journal::VerdictBlock;

const BEGIN: &str = "-----BEGIN STANCH REQUEST-----";
const END: &str = "-----END STANCH REQUEST-----";
/// Most bytes that are read.
const MOST: u64 = 1024 * 1024;
/// Width of a line of the block.
const WIDTH: usize = 76;

/// What somebody pasted.
pub enum Pasted {
    /// Somebody asks.
    Request(PlanDigest, Box<PlanState>),
    /// Somebody answered: the verdict, and the note that is signed.
    Verdict(VerdictBlock, String),
}

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Request {
    /// The key of whoever asks.
    by: Option<String>,
    who: String,
    plan: Plan,
}

/// Writes the block.
pub fn block(digest: &PlanDigest, state: &PlanState) -> String {
    let request = Request {
        by: state.signer.as_deref().map(str::to_owned),
        who: state.actor.clone(),
        plan: state.plan.clone(),
    };
    // A plan always serialises.
    let text = STANDARD.encode(serde_json::to_vec(&request).unwrap_or_default());
    let mut out = format!("{BEGIN}\nplan {}\n", digest.as_str());
    for line in text.as_bytes().chunks(WIDTH) {
        out.push_str(&String::from_utf8_lossy(line));
        out.push('\n');
    }
    out + END + "\n"
}

/// Reads a request or a verdict from a file.
pub fn pasted(path: &Path) -> anyhow::Result<Pasted> {
    let mut text = String::new();
    let read = match path.to_str() {
        Some("-") => std::io::stdin().lock().take(MOST).read_to_string(&mut text),
        _ => std::fs::File::open(path).and_then(|f| f.take(MOST).read_to_string(&mut text)),
    };
    read.with_context(|| format!("cannot read {}", path.display()))?;
    if text.contains(BEGIN) {
        return request(&text).with_context(|| format!("in {}", path.display()));
    }
    let (block, signed) =
        VerdictBlock::find(&text).with_context(|| format!("in {}", path.display()))?;
    Ok(Pasted::Verdict(block, signed))
}

fn request(text: &str) -> anyhow::Result<Pasted> {
    let inside = text
        .split_once(BEGIN)
        .and_then(|(_, rest)| rest.split_once(END));
    let (inside, _) = inside.context("the request has no end; copy all of it")?;
    let mut lines = inside.lines().map(str::trim).filter(|l| !l.is_empty());
    let named = lines.next().and_then(|line| line.strip_prefix("plan "));
    let named = named.context("the request names no plan")?;
    let encoded: String = lines.collect();
    let bytes = STANDARD
        .decode(encoded)
        .context("the request is damaged; copy all of it")?;
    let request: Request = serde_json::from_slice(&bytes).context("the request is no plan")?;
    let digest = request.plan.digest();
    if digest.as_str() != named {
        bail!("the plan in the request does not hash to the digest that names it");
    }
    let state = PlanState {
        at: request.plan.created,
        actor: request.who,
        place: Place {
            log: String::new(),
            seq: 0,
        },
        signer: request.by.map(Into::into),
        asked: None,
        needs: None,
        timed_out: None,
        verdicts: Vec::new(),
        outlived: false,
        plan: request.plan,
    };
    Ok(Pasted::Request(digest, Box::new(state)))
}
