//! The real program's decision log when system calls fail, processes die and several run at once.

#[path = "log/canary.rs"]
mod canary;
#[path = "log/faults.rs"]
mod faults;
#[path = "log/golden.rs"]
mod golden;
#[path = "log/kills.rs"]
mod kills;
#[path = "log/provider.rs"]
mod provider;
