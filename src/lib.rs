//! stanch: contain compromised non-human identities from a terminal.
//!
//! ```text
//!  terminal keys      alert sources        providers (reqwest)     other consoles' journals     signals, clock
//!       |                  |                      |                          |                        |
//!   term::input      intake::source          connect::*               journal::Follower            runtime
//!       |            decode, store                |                          |                        |
//!       +---------------+--+----------------------+-------------+------------+------------------------+
//!                       v                                       | results come back as Msg
//!               one bounded queue of Msg                        |
//!                       v                                       |
//!    app::update::update(&mut Model, Msg, now) -> Vec<Effect>   | pure
//!                       +---- Effect ----> runtime::effects ----+
//!                       v                  Run(digest): intent, fsync -> request -> outcome, fsync -> read-back
//!    ui::draw(&Model, Ui, area, buf)       only when something changed, one write a frame
//! ```
//!
//! Dependencies point one way: `main -> cli -> runtime -> {ui, term, intake, connect, journal, inventory, drill,
//! config} -> app -> domain`. In the middle row only `drill` may use `connect` and `intake`, and `inventory` may use
//! `connect`. `jq`, the language in which connectors and mappings shape data, and `net`, how a request leaves and secrets
//! are read, lie below the row: `intake`, `connect` and `inventory` share them. `domain` and `app` do no I/O and read no clock.
//! `tests/architecture.rs` keeps it so.
//!
//! Of all processes of one state folder one takes alerts in (`runtime::duty`): `stanch serve`, else the first console. The
//! others read what it stores, as it is stored.

#![cfg_attr(
    not(test),
    warn(clippy::unwrap_used, clippy::expect_used, clippy::panic),
    deny(clippy::print_stderr, clippy::print_stdout)
)]

#[macro_use]
mod tell;

pub mod app;
pub mod cli;
pub mod config;
pub mod connect;
pub mod domain;
pub mod drill;
pub mod intake;
pub mod inventory;
pub mod journal;
pub mod jq;
pub mod net;
pub mod runtime;
pub mod term;
pub mod ui;
