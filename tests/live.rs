//! Connectors against real servers: Keycloak and a certified OpenID provider, which the tests install and start themselves.
//!
//! Run with `cargo test --test live -- --ignored`. Needs java 17, mvn, node 20, npm and curl; the first run downloads
//! about 165 MB. The servers listen on loopback and end with the test process.

#[path = "live/keycloak.rs"]
mod keycloak;
#[path = "live/oauth.rs"]
mod oauth;
#[path = "live/server.rs"]
mod server;
