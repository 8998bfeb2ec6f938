//! stanch: contain compromised non-human identities from a terminal.

pub mod domain;
