//! Connectors, sources and the whole console against real servers: Keycloak, Glewlwyd, a certified OpenID provider, RabbitMQ, PostgreSQL, JupyterHub,
//! Keystone, the control plane of Kubernetes, an emulation of AWS IAM that enforces what it is told, and Alertmanager, which the
//! tests install and start themselves.
//!
//! Run with `cargo test --test live -- --ignored`; with `--nocapture`, lines that begin with `TIME` tell how long each act took
//! from the key to its proof. Needs java 17, mvn, node 20, npm, python 3 with venv, curl, openssl and apt-get; the first run
//! downloads about 650 MB and builds Kubernetes, with what Debian has, for four minutes or more. The servers listen on loopback
//! and end with the test process.

#[path = "live/alertmanager.rs"]
mod alertmanager;
#[path = "live/aws.rs"]
mod aws;
#[path = "common/mod.rs"]
#[expect(dead_code, reason = "shared with tests that look at more")]
mod common;
#[path = "live/console.rs"]
mod console;
#[path = "common/desk.rs"]
#[expect(dead_code, reason = "shared with tests that look at more")]
mod desk;
#[path = "live/glewlwyd.rs"]
mod glewlwyd;
#[path = "live/jupyterhub.rs"]
mod jupyterhub;
#[path = "live/keycloak.rs"]
mod keycloak;
#[path = "live/keystone.rs"]
mod keystone;
#[path = "live/kubernetes.rs"]
mod kubernetes;
#[path = "live/oauth.rs"]
mod oauth;
#[path = "live/postgresql.rs"]
mod postgresql;
#[path = "live/rabbitmq.rs"]
mod rabbitmq;
#[path = "common/served.rs"]
#[expect(dead_code, reason = "shared with tests that look at more")]
mod served;
#[path = "live/server.rs"]
mod server;
