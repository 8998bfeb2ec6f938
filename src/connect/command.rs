//! Connectors that run a program instead of sending a request: no shell, an empty environment, bounded time and output.

use std::process::Stdio;

use secrecy::ExposeSecret as _;
use serde_json::Value;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::process::Command;

use super::connector::Connector;
use super::error::ConnectError;
use super::http::{Answer, Bytes, Exchange, MAX_BODY};
use super::render::RUN;
use super::secret;
use super::spec::CommandSpec;
use super::template;
use crate::app::settings::AuthSettings;
use crate::domain::plan::{Body, RenderedRequest, sha256_hex};

/// What of the console's own environment a program gets.
const KEPT: &[&str] = &["PATH", "HOME", "LANG"];

/// Runs the program once. Exit code 0 is status 200 with standard output as the body, a code that means *refused* is
/// status 400; everything else is no answer: it may or may not have taken effect.
pub async fn run(
    connector: &Connector,
    spec: &CommandSpec,
    request: &RenderedRequest,
) -> Result<Exchange, ConnectError> {
    let refuse = |why: &str| ConnectError::Refused {
        id: request.id.clone(),
        why: why.to_owned(),
    };
    if request.method != RUN || request.url != connector.base.as_str() {
        return Err(refuse("it is no run of this connector's program"));
    }
    let Body::Json { value } = &request.body else {
        return Err(refuse("it holds no arguments"));
    };
    let argv: Option<Vec<&str>> = value["argv"]
        .as_array()
        .and_then(|args| args.iter().map(Value::as_str).collect());
    let argv = argv.ok_or_else(|| refuse("its arguments are no texts"))?;
    let mut command = prepare(connector, spec).await?;
    command.args(argv);
    let input = value["input"].as_str().unwrap_or_default().to_owned();
    let mut child = match command.spawn() {
        Ok(child) => child,
        Err(e) => {
            return Ok(Exchange::NotSent(format!(
                "program `{}` cannot be started: {e}",
                spec.program
            )));
        }
    };
    let (stdin, stdout) = (child.stdin.take(), child.stdout.take());
    let work = async {
        let write = async {
            if let Some(mut pipe) = stdin {
                // A program that ends without reading tells by its exit code.
                let _ = pipe.write_all(input.as_bytes()).await;
            }
        };
        let read = async {
            let mut bytes = Bytes(Vec::new());
            if let Some(pipe) = stdout {
                pipe.take(MAX_BODY as u64 + 1)
                    .read_to_end(&mut bytes.0)
                    .await?;
            }
            Ok::<_, std::io::Error>(bytes)
        };
        let ((), bytes) = tokio::join!(write, read);
        (bytes, child.wait().await)
    };
    let lost = |why: String| Ok(Exchange::Lost(why, input.len() as u64));
    let Ok((bytes, status)) = tokio::time::timeout(connector.patience, work).await else {
        return lost(format!(
            "program `{}` did not end within {} s",
            spec.program,
            connector.patience.as_secs()
        ));
    };
    let code = status.ok().and_then(|status| status.code());
    let status = match code {
        Some(0) => 200,
        Some(code) if spec.refused.contains(&code) => 400,
        Some(code) => return lost(format!("program `{}` ended with code {code}", spec.program)),
        None => return lost(format!("program `{}` was ended by a signal", spec.program)),
    };
    let body = match bytes {
        Ok(bytes) if bytes.0.len() > MAX_BODY => {
            Err("its output is larger than what is read of one")
        }
        Ok(bytes) => Ok(bytes),
        Err(_) => Err("its output broke off"),
    };
    Ok(Exchange::Answer(Answer {
        status,
        request_id: None,
        retry_after: None,
        sent: input.len() as u64,
        headers_sha256: sha256_hex(b""),
        reset: None,
        links: Vec::new(),
        xml: false,
        body,
    }))
}

/// Prepares the program with its environment. What it says on its error output may hold parts of a secret, and would draw
/// over the screen.
async fn prepare(connector: &Connector, spec: &CommandSpec) -> Result<Command, ConnectError> {
    let mut command = Command::new(&spec.program);
    command
        .env_clear()
        .envs(
            KEPT.iter()
                .filter_map(|name| Some((name, std::env::var_os(name)?))),
        )
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::null())
        .kill_on_drop(true);
    for (name, text) in &spec.env {
        let value =
            template::text(text, &connector.params).map_err(|error| ConnectError::Template {
                block: "command.env".to_owned(),
                error,
            })?;
        command.env(name, value);
    }
    if let (Some(name), Some(path)) = (&spec.ca_env, &connector.settings.ca_file) {
        command.env(name, path);
    }
    if let AuthSettings::Basic { username, password } = &connector.settings.auth {
        if let Some(name) = &spec.username_env {
            command.env(name, username);
        }
        if let Some(name) = &spec.password_env {
            command.env(name, secret::read(password).await?.expose_secret());
        }
    }
    Ok(command)
}
