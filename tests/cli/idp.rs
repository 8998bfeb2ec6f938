//! A provider whose one token, of `svc-a`, dies when it is revoked, if the provider obeys.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use serde_json::json;
use wiremock::matchers::{method, path};
use wiremock::{Mock, MockServer, Request, ResponseTemplate};

/// A provider, and how often it was asked to revoke.
pub struct Idp {
    /// Where other answers are mounted.
    pub server: MockServer,
    revoked: Arc<AtomicUsize>,
}

impl Idp {
    /// One that does what it is asked.
    pub async fn start() -> Self {
        Self::with(true, Duration::ZERO).await
    }

    /// One that answers 200 and revokes nothing.
    pub async fn deaf() -> Self {
        Self::with(false, Duration::ZERO).await
    }

    /// One that takes its time to look a token up.
    pub async fn slow(delay: Duration) -> Self {
        Self::with(true, delay).await
    }

    async fn with(obeys: bool, delay: Duration) -> Self {
        let server = MockServer::builder().start().await;
        let revoked = Arc::new(AtomicUsize::new(0));
        let (seen, count) = (Arc::clone(&revoked), Arc::clone(&revoked));
        let introspect = move |_: &Request| {
            let active = !obeys || seen.load(Ordering::SeqCst) == 0;
            let body = json!({"active": active, "client_id": "svc-a", "exp": 4_000_000_000_u64});
            let answer = ResponseTemplate::new(200).set_body_json(body);
            answer.set_delay(delay)
        };
        let revoke = move |_: &Request| {
            count.fetch_add(1, Ordering::SeqCst);
            ResponseTemplate::new(200)
        };
        let asked = |at: &'static str| Mock::given(method("POST")).and(path(at));
        let introspect = asked("/oauth/introspect").respond_with(introspect);
        introspect.mount(&server).await;
        let revoke = asked("/oauth/revoke").respond_with(revoke);
        revoke.mount(&server).await;
        Self { server, revoked }
    }

    /// Where it listens.
    pub fn url(&self) -> String {
        self.server.uri()
    }

    /// How often it was asked to revoke.
    pub fn revoked(&self) -> usize {
        self.revoked.load(Ordering::SeqCst)
    }
}
