//! Pure rules of containment: what an alert, an identity, a plan and a decision *are*.
//!
//! Nothing in here does I/O, reads a clock or knows a terminal. Time is always an argument.

pub mod alert;
pub mod authority;
pub mod automation;
pub mod campaign;
pub mod contact;
pub mod coverage;
pub mod debt;
pub mod decision;
pub mod digest;
pub mod drawing;
pub mod effects;
pub mod filter;
pub mod graph;
pub mod handoff;
pub mod hold;
pub mod identity;
pub mod ids;
pub mod inventory;
pub mod newcomers;
pub mod observed;
pub mod options;
pub mod overlap;
pub mod places;
pub mod plan;
pub mod playbook;
pub mod policy;
pub mod probation;
pub mod queue;
pub mod readiness;
pub mod regain;
pub mod sequence;
pub mod small;
pub mod text;
pub mod urgency;
pub mod vocabulary;
pub mod wanted;
pub mod watching;
pub mod words;
