//! stanch: contain compromised non-human identities from a terminal.

pub mod app;
pub mod cli;
pub mod domain;
pub mod intake;
pub mod inventory;
