//! The console's state machine: what the analyst sees and may do, without a terminal, a clock or a network.
//!
//! `update(&mut Model, Msg, now) -> Vec<Effect>` is the only way state changes. Keys become [`command::Command`]s by a
//! table lookup, so the keyboard, the help page and tests enter at the same door.

pub mod afterwards;
pub mod alerts;
mod authority;
pub mod automation;
pub mod away;
pub mod board;
pub mod board_screen;
pub mod born;
pub mod card;
pub mod card_screen;
pub mod choosing;
pub mod command;
pub mod contact;
pub mod context;
pub mod coverage;
pub mod deciding;
pub mod detail;
pub mod exposure;
pub mod field;
pub mod keymap;
pub mod keys;
pub mod layout;
pub mod log_screen;
pub mod map;
pub mod map_screen;
pub mod model;
pub mod msg;
pub mod pace;
pub mod palette;
pub mod passing;
pub mod planning;
pub mod pointer;
pub mod policy;
pub mod policy_screen;
pub mod reader;
pub mod readiness;
pub mod readiness_screen;
pub mod reload;
pub mod row_state;
pub mod saying;
pub mod settings;
pub mod sift;
pub mod timeline;
pub mod tour;
pub mod triage;
pub mod update;
pub mod views;
pub mod window;
