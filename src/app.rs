//! The console's state machine: what the analyst sees and may do, without a terminal, a clock or a network.

pub mod settings;
