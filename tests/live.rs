//! Connectors, sources and the whole console against real servers: Keycloak, a certified OpenID provider and Alertmanager, which the
//! tests install and start themselves.
//!
//! Run with `cargo test --test live -- --ignored`. Needs java 17, mvn, node 20, npm, curl and apt-get; the first run downloads
//! about 165 MB. The servers listen on loopback and end with the test process.

#[path = "live/alertmanager.rs"]
mod alertmanager;
#[path = "common/mod.rs"]
#[expect(dead_code, reason = "shared with tests that look at more")]
mod common;
#[path = "live/console.rs"]
mod console;
#[path = "common/desk.rs"]
#[expect(dead_code, reason = "shared with tests that look at more")]
mod desk;
#[path = "live/keycloak.rs"]
mod keycloak;
#[path = "live/oauth.rs"]
mod oauth;
#[path = "common/served.rs"]
#[expect(dead_code, reason = "shared with tests that look at more")]
mod served;
#[path = "live/server.rs"]
mod server;
