//! Where requests may go.

use url::{Host, Url};

/// Reads an address that requests go to: https, or http to a loopback address; no user, query or fragment. The error
/// says what is wrong and the way out, without the address.
pub fn parse(raw: &str) -> Result<Url, &'static str> {
    let url = Url::parse(raw).map_err(|_| "is no URL; write `https://host/prefix`")?;
    if !url.username().is_empty() || url.password().is_some() {
        return Err("holds a user or password; use `auth` with a secret reference");
    }
    if url.query().is_some() || url.fragment().is_some() {
        return Err("has a query or fragment; give scheme, host, port and path only");
    }
    let loopback = match url.host() {
        Some(Host::Ipv4(ip)) => ip.is_loopback(),
        Some(Host::Ipv6(ip)) => ip.is_loopback(),
        Some(Host::Domain(name)) => name == "localhost",
        None => return Err("has no host; write `https://host/prefix`"),
    };
    match url.scheme() {
        "https" => Ok(url),
        "http" if loopback => Ok(url),
        "http" => Err("is not https; only loopback addresses may be plain http"),
        _ => Err("is neither https nor loopback http"),
    }
}
