//! The decision journal: append-only, chained, signed lines, one log per user and host.
//!
//! Nothing that changes the world leaves this program before its intent is durable here. A line's leaf hash
//! (RFC 6962) is the next line's `prev`, and every write ends in a signed C2SP checkpoint, which is the commit mark.

mod actor;
mod agent;
mod anchor;
mod blob;
mod block;
mod checkpoint;
mod clock;
mod cosign;
mod error;
mod fallback;
mod find;
mod follow;
mod fs;
mod glance;
mod heads;
mod index;
mod json;
mod keys;
mod layout;
mod lock;
mod merkle;
mod note;
mod proof;
mod reader;
mod record;
mod recovery;
mod redact;
mod remains;
mod statement;
mod trust;
mod verify;
mod walk;
mod writer;

#[cfg(test)]
mod fault;
#[cfg(test)]
mod tests;

pub use actor::{Actor, host_name, is_alive, process};
pub use agent::{Agent, AgentError, AgentKey};
pub use anchor::{AnchorState, Note};
pub use blob::{BlobRef, Shelf};
pub use block::{BlockError, VerdictBlock};
pub use cosign::{WitnessKey, request as witness_request};
pub use error::JournalError;
#[cfg(test)]
pub use fault::Disk;
pub use find::{BlobState, FoundLine, find};
pub use follow::Follower;
pub use heads::SEEN_FILE;
pub use index::{Block, Hit, Index, IndexError, Search};
pub use keys::KeyError;
pub use proof::{MAX_PROOF, Proof, ProofError, Prover};
pub use reader::{Line, Place, Problem, check_chains, merge, read_lines, read_store};
pub use record::MAX_LINE;
pub use recovery::{Damaged, Recovered};
pub use redact::tokens as mask_tokens;
pub use statement::{Signer, approval as approval_text, check as check_statement};
pub use trust::{Person, Trust, TrustError};
pub use verify::{
    Content, Finding, FirstBad, KeyReport, Level, LogReport, Options, Report, VERIFY_PY, VERIFY_SH,
    verify, write_text,
};
pub use writer::{Health, JournalConfig, Lot, Opened, Prune, Pruned, Writer, Written};
#[cfg(test)]
pub use {cosign::cosign, merkle::hex, proof::consistent};
