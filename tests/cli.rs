//! The real program from the command line: what it prints, which exit code it ends with, what it leaves alone.

#[path = "common/desk.rs"]
mod desk;

#[path = "common/mod.rs"]
#[expect(dead_code, reason = "shared with tests that look at more")]
mod common;

#[path = "common/served.rs"]
#[expect(dead_code, reason = "shared with tests that look at more")]
mod served;

#[path = "common/oracle.rs"]
#[expect(dead_code, reason = "shared with tests that look at more")]
mod oracle;

#[path = "common/payloads.rs"]
mod payloads;

#[path = "cli/alerts.rs"]
mod alerts;
#[path = "cli/away.rs"]
mod away;
#[path = "cli/campaign.rs"]
mod campaign;
#[path = "cli/damaged.rs"]
mod damaged;
#[path = "cli/deaf.rs"]
mod deaf;
#[path = "cli/doctor.rs"]
mod doctor;
#[path = "cli/drill.rs"]
mod drill;
#[path = "cli/escapes.rs"]
mod escapes;
#[path = "cli/fields.rs"]
mod fields;
#[path = "cli/identity.rs"]
mod identity;
#[path = "cli/idp.rs"]
mod idp;
#[path = "cli/input.rs"]
mod input;
#[path = "cli/map.rs"]
mod map;
#[path = "cli/overlap.rs"]
mod overlap;
#[path = "cli/policy.rs"]
mod policy;
#[path = "cli/refusals.rs"]
mod refusals;
#[path = "cli/restore.rs"]
mod restore;
#[path = "cli/tickets.rs"]
mod tickets;
#[path = "cli/twice.rs"]
mod twice;
#[path = "cli/unattended.rs"]
mod unattended;
#[path = "cli/watch.rs"]
mod watch;
