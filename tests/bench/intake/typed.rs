//! Typed parsing: what a plain reader takes out of a line, and nothing else.

use std::hint::black_box;

use serde::Deserialize;

/// Parses a line into a typed `&str`.
pub fn parse(line: &[u8]) {
    black_box(serde_json::from_slice::<Typed<'_>>(line).unwrap());
}

/// What a plain reader would take out of a line: every field of it.
#[derive(Deserialize)]
#[expect(dead_code, reason = "what a plain reader would take out of a line")]
struct Typed<'l> {
    #[serde(borrow)]
    metadata: Metadata<'l>,
    class_uid: u32,
    time: i64,
    severity_id: u8,
    severity: &'l str,
    status_id: u8,
    status: &'l str,
    confidence_score: u8,
    risk_score: u8,
    message: &'l str,
    #[serde(borrow)]
    finding_info: Finding<'l>,
    #[serde(borrow)]
    actor: Actor<'l>,
    #[serde(borrow)]
    device: Device<'l>,
    #[serde(borrow)]
    src_endpoint: Endpoint<'l>,
    #[serde(borrow)]
    resources: Vec<Resource<'l>>,
}

#[derive(Deserialize)]
#[expect(dead_code, reason = "what a plain reader would take out of a line")]
struct Metadata<'l> {
    uid: &'l str,
    version: &'l str,
    #[serde(borrow)]
    product: Product<'l>,
    correlation_uid: &'l str,
}

#[derive(Deserialize)]
#[expect(dead_code, reason = "what a plain reader would take out of a line")]
struct Product<'l> {
    name: &'l str,
    vendor_name: &'l str,
}

#[derive(Deserialize)]
#[expect(dead_code, reason = "what a plain reader would take out of a line")]
struct Finding<'l> {
    uid: &'l str,
    title: &'l str,
    #[serde(borrow)]
    attacks: Vec<Attack<'l>>,
    created_time: i64,
    first_seen_time: i64,
    related_events_count: u32,
}

#[derive(Deserialize)]
#[expect(dead_code, reason = "what a plain reader would take out of a line")]
struct Attack<'l> {
    #[serde(borrow)]
    tactic: Named<'l>,
    #[serde(borrow)]
    technique: Named<'l>,
}

#[derive(Deserialize)]
#[expect(dead_code, reason = "what a plain reader would take out of a line")]
struct Named<'l> {
    uid: &'l str,
    name: &'l str,
}

#[derive(Deserialize)]
#[expect(dead_code, reason = "what a plain reader would take out of a line")]
struct Actor<'l> {
    #[serde(borrow)]
    user: User<'l>,
    #[serde(borrow)]
    session: Session<'l>,
}

#[derive(Deserialize)]
#[expect(dead_code, reason = "what a plain reader would take out of a line")]
struct User<'l> {
    name: &'l str,
    uid: &'l str,
    email_addr: &'l str,
    type_id: u8,
}

#[derive(Deserialize)]
#[expect(dead_code, reason = "what a plain reader would take out of a line")]
struct Session<'l> {
    uid: &'l str,
}

#[derive(Deserialize)]
#[expect(dead_code, reason = "what a plain reader would take out of a line")]
struct Device<'l> {
    hostname: &'l str,
    ip: &'l str,
    region: &'l str,
}

#[derive(Deserialize)]
#[expect(dead_code, reason = "what a plain reader would take out of a line")]
struct Endpoint<'l> {
    ip: &'l str,
    port: u32,
}

#[derive(Deserialize)]
#[expect(dead_code, reason = "what a plain reader would take out of a line")]
struct Resource<'l> {
    uid: &'l str,
    #[serde(rename = "type")]
    kind: &'l str,
    namespace: &'l str,
    #[serde(borrow)]
    labels: Vec<&'l str>,
}
