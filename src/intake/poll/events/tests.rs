use tokio::sync::mpsc;
use wiremock::matchers::{header, method};
use wiremock::{Mock, MockServer, ResponseTemplate};

use super::*;
use crate::app::settings::{AuthSettings, SecretRef};
use crate::intake::events::testing::{ISSUER, Signer};
use crate::intake::store::Store;

struct Place {
    server: MockServer,
    store: Arc<LockedStore>,
    signer: Signer,
    _dir: tempfile::TempDir,
}

impl Place {
    async fn new() -> Self {
        let dir = tempfile::tempdir().unwrap();
        Self {
            server: MockServer::builder().start().await,
            store: Arc::new(LockedStore::new(Store::open(dir.path()).unwrap())),
            signer: Signer::new(),
            _dir: dir,
        }
    }

    /// Answers the questions in this order.
    async fn answers(&self, answers: &[Value]) {
        for answer in answers {
            Mock::given(method("POST"))
                .and(header("authorization", "Bearer t0ken"))
                .respond_with(ResponseTemplate::new(200).set_body_json(answer))
                .up_to_n_times(1)
                .mount(&self.server)
                .await;
        }
    }

    async fn sweep(&self) -> (Result<(), String>, Vec<IntakeEvent>) {
        let settings = SourceSettings::EventsPoll {
            name: "idp".to_owned(),
            url: self.server.uri(),
            issuer: ISSUER.to_owned(),
            audience: "soc".to_owned(),
            auth: AuthSettings::Bearer {
                token: SecretRef::Cmd(vec!["printf".to_owned(), "t0ken".to_owned()]),
            },
            ca_file: None,
            every_s: 1,
        };
        let poller = EventsPoller::new(&settings, &self.signer.decoders())
            .unwrap()
            .unwrap();
        let (tx, mut events) = mpsc::channel(1_000);
        let telling = Telling::new(
            "idp".to_owned(),
            Arc::clone(&self.store),
            tx,
            CancellationToken::new(),
        );
        let swept = poller
            .sweep(&telling)
            .await
            .map_err(|trouble| trouble.to_string());
        drop(telling);
        let mut told = Vec::new();
        while let Some(event) = events.recv().await {
            told.push(event);
        }
        (swept, told)
    }

    fn stored(&self) -> usize {
        self.store.lock().alerts(100).unwrap().len()
    }

    async fn questions(&self) -> Vec<Value> {
        let asked = self.server.received_requests().await.unwrap();
        asked
            .iter()
            .map(|request| request.body_json().unwrap())
            .collect()
    }
}

#[tokio::test]
async fn events_are_acknowledged_when_they_are_stored() {
    let place = Place::new().await;
    let first = json!({"sets": {"a": place.signer.good("a"), "b": place.signer.good("b")}, "moreAvailable": true});
    let second = json!({"sets": {"c": place.signer.good("c")}});
    place.answers(&[first, second, json!({"sets": {}})]).await;
    let (swept, _) = place.sweep().await;
    assert_eq!(swept, Ok(()));
    assert_eq!(place.stored(), 3);
    let acks: Vec<Value> = place
        .questions()
        .await
        .into_iter()
        .map(|q| q["ack"].clone())
        .collect();
    assert_eq!(acks, [json!([]), json!(["a", "b"]), json!(["c"])]);
}

#[tokio::test]
async fn a_crash_before_the_acknowledgement_doubles_nothing() {
    let place = Place::new().await;
    place
        .answers(&[json!({"sets": {"a": place.signer.good("a")}})])
        .await;
    // The second question is not answered.
    let (swept, _) = place.sweep().await;
    assert_eq!(
        swept.unwrap_err(),
        "answers 404 (there is no such path; check base_url and params)"
    );
    assert_eq!(place.stored(), 1);
    place
        .answers(&[json!({"sets": {}}), json!({"sets": {}})])
        .await;
    place.sweep().await.0.unwrap();
    assert_eq!(
        place.questions().await[2]["ack"],
        json!(["a"]),
        "said again after the crash"
    );
    let row = &place.store.lock().alerts(9).unwrap()[0];
    assert_eq!(row.count, 1);
}

#[tokio::test]
async fn what_is_not_accepted_is_told_with_its_code() {
    let place = Place::new().await;
    let caep = "https://schemas.openid.net/secevent/caep/event-type/session-revoked";
    let sets = json!({
        "key": Signer::new().good("key"),
        "issuer": place.signer.token("issuer", "https://evil.example/", "soc", caep),
        "audience": place.signer.token("audience", ISSUER, "other", caep),
        "form": "not.a.token",
        "good": place.signer.good("good"),
        "live": place.signer.token("live", ISSUER, "soc", "https://schemas.openid.net/secevent/ssf/event-type/verification"),
    });
    place
        .answers(&[json!({"sets": sets}), json!({"sets": {}})])
        .await;
    let (swept, told) = place.sweep().await;
    assert_eq!(swept, Ok(()));
    assert_eq!(place.stored(), 1);
    let question = &place.questions().await[1];
    assert_eq!(question["ack"], json!(["good", "live"]));
    let codes: Vec<(&str, &str)> = question["setErrs"]
        .as_object()
        .unwrap()
        .iter()
        .map(|(jti, fault)| (jti.as_str(), fault["err"].as_str().unwrap()))
        .collect();
    let wanted = [
        ("audience", "invalid_audience"),
        ("form", "invalid_request"),
        ("issuer", "invalid_issuer"),
        ("key", "invalid_key"),
    ];
    assert_eq!(codes, wanted);
    let notices = told
        .iter()
        .filter(|e| matches!(e, IntakeEvent::Notice { .. }))
        .count();
    assert_eq!(notices, 4);
}

#[tokio::test]
async fn events_that_come_again_although_acknowledged_end_the_sweep() {
    let place = Place::new().await;
    let same = json!({"sets": {"a": place.signer.good("a")}});
    place.answers(&[same.clone(), same]).await;
    let (swept, _) = place.sweep().await;
    assert!(
        swept
            .unwrap_err()
            .contains("its cursor repeats after 2 pages")
    );
    assert_eq!(place.stored(), 1);
}
