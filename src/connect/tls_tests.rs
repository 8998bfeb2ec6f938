//! TLS: a private authority is trusted by file only, and every other doubt means that nothing is sent.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use rcgen::{BasicConstraints, CertificateParams, CertifiedIssuer, IsCa, KeyPair, date_time_ymd};
use rstest::rstest;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpListener;
use tokio_rustls::TlsAcceptor;
use tokio_rustls::rustls::ServerConfig;
use tokio_rustls::rustls::pki_types::PrivateKeyDer;
use tokio_rustls::rustls::server::WebPkiClientVerifier;

use super::Connector;
use super::testing::settings;
use crate::app::settings::{AuthSettings, SecretRef};
use crate::domain::coverage::WireOutcome::{self, *};
use crate::domain::plan::{Body, RenderedRequest};

fn authority() -> CertifiedIssuer<'static, KeyPair> {
    let mut params = CertificateParams::new(Vec::new()).unwrap();
    params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    CertifiedIssuer::self_signed(params, KeyPair::generate().unwrap()).unwrap()
}

/// Starts a TLS server with a certificate for `name`; returns its port and a count of requests that it could read.
async fn server(
    ca: &CertifiedIssuer<'static, KeyPair>,
    name: &str,
    last_year: i32,
    client_ca: Option<&CertifiedIssuer<'static, KeyPair>>,
) -> (u16, Arc<AtomicUsize>) {
    let key = KeyPair::generate().unwrap();
    let mut params = CertificateParams::new(vec![name.to_owned()]).unwrap();
    params.not_before = date_time_ymd(2001, 1, 1);
    params.not_after = date_time_ymd(last_year, 1, 1);
    let certificate = params.signed_by(&key, ca).unwrap();
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let config = ServerConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .unwrap();
    let config = match client_ca {
        None => config.with_no_client_auth(),
        Some(ca) => {
            let mut roots = tokio_rustls::rustls::RootCertStore::empty();
            roots.add(ca.der().clone()).unwrap();
            let provider = Arc::new(rustls::crypto::ring::default_provider());
            let verifier = WebPkiClientVerifier::builder_with_provider(Arc::new(roots), provider);
            config.with_client_cert_verifier(verifier.build().unwrap())
        }
    };
    let config = config
        .with_single_cert(
            vec![certificate.der().clone()],
            PrivateKeyDer::Pkcs8(key.serialize_der().into()),
        )
        .unwrap();
    let acceptor = TlsAcceptor::from(Arc::new(config));
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let port = listener.local_addr().unwrap().port();
    let calls = Arc::new(AtomicUsize::new(0));
    let count = Arc::clone(&calls);
    tokio::spawn(async move {
        while let Ok((socket, _)) = listener.accept().await {
            if let Ok(mut stream) = acceptor.accept(socket).await
                && stream.read(&mut [0; 4096]).await.is_ok_and(|n| n > 0)
            {
                count.fetch_add(1, Ordering::SeqCst);
                let _ = stream.write_all(b"HTTP/1.1 204 N\r\n\r\n").await;
                let _ = stream.shutdown().await;
            }
        }
    });
    (port, calls)
}

fn act(port: u16) -> RenderedRequest {
    RenderedRequest {
        id: "act".into(),
        method: "POST".into(),
        url: format!("https://127.0.0.1:{port}/act"),
        headers: Vec::new(),
        body: Body::None,
        expect: vec![204],
        already: Vec::new(),
        accept_if: None,
        capture: None,
        next: None,
    }
}

/// The console shows a certificate of its own where it is told to, and its key is read when it is needed.
#[rstest]
#[case::known(true, Accepted, 1)]
#[case::of_another_authority(false, Unknown, 0)]
#[tokio::test]
async fn a_certificate_of_the_console_is_shown(
    #[case] known: bool,
    #[case] want: WireOutcome,
    #[case] calls: usize,
) {
    use std::os::unix::fs::PermissionsExt as _;
    let (ca, other) = (authority(), authority());
    let trusted = if known { &ca } else { &other };
    let (port, seen) = server(&ca, "127.0.0.1", 2099, Some(trusted)).await;
    let dir = tempfile::tempdir().unwrap();
    let put = |name: &str, text: &str| {
        let path = dir.path().join(name);
        std::fs::write(&path, text).unwrap();
        std::fs::set_permissions(&path, std::fs::Permissions::from_mode(0o600)).unwrap();
        path
    };
    let key = KeyPair::generate().unwrap();
    let own = CertificateParams::new(vec!["console".to_owned()]).unwrap();
    let own = own.signed_by(&key, &ca).unwrap();
    let mut settings = settings(&format!("https://127.0.0.1:{port}"), "lab");
    settings.ca_file = Some(put("ca.pem", &ca.pem()));
    settings.auth = AuthSettings::Mtls {
        certificate: put("own.pem", &own.pem()),
        key: SecretRef::File(put("own.key", &key.serialize_pem())),
    };
    let connector = Connector::new("c", &settings).unwrap();
    let result = connector.run(&[act(port)], "k").await;
    let seen = seen.load(Ordering::SeqCst);
    assert_eq!((result.outcome, seen), (want, calls), "{result:?}");
}

#[rstest]
#[case::trusted_by_file("127.0.0.1", 2099, true, Accepted, 1)]
#[case::unknown_authority("127.0.0.1", 2099, false, NotSent, 0)]
#[case::wrong_host("other.example", 2099, true, NotSent, 0)]
#[case::expired("127.0.0.1", 2002, true, NotSent, 0)]
#[tokio::test]
async fn only_a_good_certificate_gets_a_request(
    #[case] name: &str,
    #[case] last_year: i32,
    #[case] trusted: bool,
    #[case] want: WireOutcome,
    #[case] calls: usize,
) {
    let ca = authority();
    let (port, seen) = server(&ca, name, last_year, None).await;
    let dir = tempfile::tempdir().unwrap();
    let file = dir.path().join("ca.pem");
    std::fs::write(&file, ca.pem()).unwrap();
    let mut settings = settings(&format!("https://127.0.0.1:{port}"), "lab");
    settings.ca_file = trusted.then_some(file);
    let connector = Connector::new("c", &settings).unwrap();
    let result = connector.run(&[act(port)], "k").await;
    assert_eq!(
        (result.outcome, seen.load(Ordering::SeqCst)),
        (want, calls),
        "{result:?}"
    );
}

#[rstest]
#[case::missing(None)]
#[case::no_certificate(Some("hello"))]
#[case::broken(Some("-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n"))]
fn unusable_authority_files_are_named(#[case] content: Option<&str>) {
    let dir = tempfile::tempdir().unwrap();
    let file = dir.path().join("ca.pem");
    if let Some(content) = content {
        std::fs::write(&file, content).unwrap();
    }
    let mut settings = settings("https://provider.example", "lab");
    settings.ca_file = Some(file);
    let error = Connector::new("c", &settings).unwrap_err().to_string();
    assert!(error.contains("ca") && error.contains('`'), "{error}");
}
