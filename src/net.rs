//! What everybody who speaks HTTP to the outside shares: one request to one place, how it is authenticated, and where
//! secrets are read. Connectors act through it; sources of alerts ask through it.

pub mod auth;
pub mod http;
pub mod jwt;
pub mod pace;
pub mod place;
pub mod secret;
pub mod sigv4;
pub mod xml;
