//! Wires the parts together: the only place that knows a clock, tasks and channels.

pub mod anchor;
pub mod approval;
pub mod console;
mod distance;
pub mod duty;
pub mod effects;
pub mod execute;
mod gate;
pub mod hands;
pub mod history;
pub mod intake;
pub mod journal;
pub mod planner;
pub mod readiness;
pub mod reconcile;
pub mod restore;
pub mod screen;
pub mod script;
pub mod services;
pub mod silence;
mod space;
pub mod steady;
pub mod timeline;
pub mod timers;
