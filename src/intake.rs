//! Alerts coming in: sources are followed, lines decoded, and everything stored before anybody is told.

pub mod decode;
mod events;
mod json;
pub mod poll;
pub mod receive;
pub mod source;
pub mod store;
mod time;
