//! `stanch serve` and the console beside it: who takes alerts in, what the other sees, and that nothing is lost on the way.

#[path = "common/mod.rs"]
#[expect(dead_code, reason = "shared with tests that look at more")]
mod common;
#[path = "common/desk.rs"]
#[expect(dead_code, reason = "shared with tests that look at more")]
mod desk;

#[path = "intake/duty.rs"]
mod duty;
#[path = "intake/kill.rs"]
mod kill;
#[path = "intake/retain.rs"]
mod retain;
#[path = "common/served.rs"]
#[expect(dead_code, reason = "shared with tests that look at more")]
mod served;
#[path = "intake/timers.rs"]
mod timers;
