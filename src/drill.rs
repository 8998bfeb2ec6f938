//! The drill: an intruder to be put out, without anybody's systems at risk.
//!
//! [`Lab::start`] runs a small identity provider on loopback. An intruder who holds a leaked key attacks it over HTTP
//! and does not stop until everything they hold fails; rightful workloads use the same provider, so that a cut too wide
//! is felt; detection writes OCSF findings to a file that the product's ordinary source follows. Nothing in the product
//! knows that it is a drill except by a mark: connectors, plans and proof work on the lab as on anything else.
//!
//! | path | who | what |
//! |---|---|---|
//! | `POST /oauth/token` | client secret (Basic or form), or form `deploy_key` | an access token |
//! | `POST /oauth/introspect`, `/oauth/revoke` | client secret or console | RFC 7662, RFC 7009 |
//! | `GET /secrets/{name}`, `/resources/{path}` | bearer with the role | what is to be protected |
//! | `POST /roles`, `/clients` | bearer, where the rules let it | grant oneself a role; plant a client |
//! | `/admin/…` | console token | look and cut off |
//! | `GET /lab/status` | anybody | whether the intruder is in |
//!
//! The state is one JSON file, so that a plan made by one process can be run by the next; the process that serves it
//! holds a lock beside it, any other attaches. Secrets are made up for each lab and open nothing else.

mod attack;
pub mod debrief;
mod error;
mod finding;
mod http;
mod intruder;
mod lab;
mod scenario;
pub mod score;
mod seed;
mod shared;
#[cfg(test)]
mod tests;
mod traffic;
mod world;

pub use error::DrillError;
pub use lab::{Lab, LabHandle, LabOptions, LabStatus};
pub use scenario::{DEFAULT, Scenario, ScenarioInfo, scenarios};
