//! The shipped policy and the shipped playbooks against what was asked of them: one table a group of requirements.

#[path = "policy/desk.rs"]
mod desk;
#[path = "policy/seeds.rs"]
mod seeds;
#[path = "policy/sides.rs"]
mod sides;
#[path = "policy/strict.rs"]
mod strict;
