//! x
pub mod jq;
