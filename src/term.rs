//! The terminal: modes, frames, keys. No terminal query is ever sent: over SSH and in multiplexers the answers come
//! late, or arrive as key presses.

pub mod clipboard;
pub mod encode;
pub mod input;
pub mod session;
