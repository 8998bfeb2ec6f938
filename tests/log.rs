//! The real program's decision log when system calls fail, processes die and several run at once.

#[path = "common/mod.rs"]
#[expect(dead_code, reason = "shared with tests that look at more")]
mod common;

#[path = "common/request.rs"]
mod request;

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
