//! Where identity cards and the dependency map come from.

pub mod file;

pub use file::{InventoryError, load, parse};
