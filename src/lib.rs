//! stanch: contain compromised non-human identities from a terminal.

pub mod app;
pub mod config;
pub mod domain;
pub mod term;
pub mod ui;
