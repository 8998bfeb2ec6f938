//! Connectors: what a provider's HTTP API offers for containment, as a TOML file, and the one engine that runs such files.
//!
//! A file declares **parameters** (each with a pattern for the whole value), **lookups** that resolve ids and yield
//! variables, **context** reads for the identity card, and **actions** with requests, a read-back that proves the effect,
//! and an undo or the reason why there is none. The files are checked when they are loaded ([`lint`]); values reach a URL
//! percent-encoded and a body as values ([`template`]); data is shaped by jq filters that always end ([`crate::jq`]).
//!
//! [`Connector::bind`] makes the exact requests of a plan, [`Connector::run`] sends exactly those, [`Connector::verify`]
//! proves them. Requests and read-backs in a plan stand alone: they hold no variables, and secrets only as references.

pub mod ask;
pub mod bind;
pub mod capture;
pub mod command;
pub mod connector;
pub mod context;
pub mod error;
pub mod evidence;
pub mod examine;
pub mod execute;
pub mod lint;
pub mod load;
pub mod outcome;
pub mod payload;
pub mod preset;
pub mod prove;
pub mod render;
pub mod resolve;
pub mod spec;
pub mod template;

use crate::jq;
pub use crate::net::{auth, http, secret};

pub use bind::{Bound, BoundStep};
pub use connector::{ActionInfo, Connector, Connectors, MAY_NOT_READ};
pub use context::ContextRead;
pub use error::ConnectError;
pub use execute::RunResult;
pub use preset::names as presets;
pub use prove::{Drift, VerifyResult};

#[cfg(test)]
mod ask_tests;
#[cfg(test)]
mod auth_tests;
#[cfg(test)]
mod command_tests;
#[cfg(test)]
mod context_tests;
#[cfg(test)]
mod examine_tests;
#[cfg(test)]
mod flow_tests;
#[cfg(test)]
mod hostile_tests;
#[cfg(test)]
mod overlap_tests;
#[cfg(test)]
mod peer_kind_tests;
#[cfg(test)]
mod peer_tests;
#[cfg(test)]
mod preset_tests;
#[cfg(test)]
mod testing;
#[cfg(test)]
mod tls_tests;
#[cfg(test)]
mod vendor_tests;
