//! stanch: contain compromised non-human identities from a terminal.

pub mod app;
pub mod connect;
pub mod domain;
