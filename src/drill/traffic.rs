//! Who else is around: rightful workloads, hurt by cuts that are too wide, and alerts about other identities.

use std::sync::Arc;
use std::time::Duration;

use reqwest::{Method, StatusCode};
use serde_json::Value;

use super::scenario::Workload;
use super::seed::LabSecret;
use super::shared::Shared;

/// A token is renewed after this many runs, as a client with any hygiene does.
const RUNS_A_TOKEN: u32 = 20;

/// Logins in a row after which a client gives up: each of several cuts may hit it between two calls.
const TRIES: u32 = 4;

/// Plays one rightful workload until the lab ends.
pub(super) struct Worker {
    pub shared: Arc<Shared>,
    pub http: reqwest::Client,
    pub base_url: String,
    pub index: usize,
}

/// What came of one call.
enum Call {
    Done(Value),
    /// 401: log in again.
    LoginAgain,
    Refused,
    /// The lab ended or does not answer; not the analyst's doing.
    Interrupted,
}

impl Worker {
    /// Runs without end.
    pub async fn run(self) {
        let Some(workload) = self.shared.scenario.workload.get(self.index).cloned() else {
            return;
        };
        let mut token = None;
        for run in 0_u32.. {
            let beat = self.shared.seed.jitter(&format!("{}/{run}", workload.name));
            let wait = workload.every_s * beat / self.shared.speed;
            tokio::time::sleep(Duration::from_secs_f64(wait)).await;
            if run % RUNS_A_TOKEN == RUNS_A_TOKEN - 1 {
                self.log_out(&workload, token.take()).await;
            }
            let Some(ok) = self.once(&workload, &mut token).await else {
                continue;
            };
            let counted = self.shared.act(|w, _, _| {
                if ok {
                    w.status.legit_ok += 1;
                } else {
                    w.status.legit_failed += 1;
                }
            });
            if counted.is_err() {
                return;
            }
        }
    }

    /// Makes all calls once. An ended session is no failure: whoever still has a good secret logs in again.
    async fn once(&self, workload: &Workload, token: &mut Option<LabSecret>) -> Option<bool> {
        for call in &workload.calls {
            for tried in 1..=TRIES {
                let retry = tried < TRIES;
                if token.is_none() {
                    match self.log_in(workload).await {
                        Call::Done(answer) => *token = token_in(&answer),
                        // The secret was replaced between reading and using it.
                        Call::LoginAgain if retry => continue,
                        Call::Interrupted => return None,
                        _ => return Some(false),
                    }
                }
                match self.use_resource(workload, call, token.as_ref()).await {
                    Call::Done(_) => break,
                    Call::LoginAgain if retry => *token = None,
                    Call::Interrupted => return None,
                    _ => return Some(false),
                }
            }
        }
        Some(true)
    }

    async fn log_in(&self, workload: &Workload) -> Call {
        // The workload reads its secret from the store each time, so a rotation reaches it at once.
        let secret = self
            .shared
            .look(|w| w.by_client_id(&workload.client).map(|c| c.secret.clone()));
        let Some(secret) = secret else {
            return Call::Refused;
        };
        let request = self
            .request(workload, Method::POST, "oauth/token")
            .basic_auth(&workload.client, Some(secret.expose()))
            .form(&[("grant_type", "client_credentials")]);
        send(request).await
    }

    async fn log_out(&self, workload: &Workload, token: Option<LabSecret>) {
        let secret = self
            .shared
            .look(|w| w.by_client_id(&workload.client).map(|c| c.secret.clone()));
        if let (Some(token), Some(secret)) = (token, secret) {
            let request = self
                .request(workload, Method::POST, "oauth/revoke")
                .basic_auth(&workload.client, Some(secret.expose()))
                .form(&[("token", token.expose())]);
            // A token that could not be given back ends by itself.
            let _ = send(request).await;
        }
    }

    async fn use_resource(
        &self,
        workload: &Workload,
        path: &str,
        token: Option<&LabSecret>,
    ) -> Call {
        let Some(token) = token else {
            return Call::Refused;
        };
        let request = self
            .request(workload, Method::GET, &format!("resources/{path}"))
            .bearer_auth(token.expose());
        send(request).await
    }

    fn request(&self, workload: &Workload, method: Method, path: &str) -> reqwest::RequestBuilder {
        self.http
            .request(method, format!("{}/{path}", self.base_url))
            .header("X-Forwarded-For", &workload.source_ip)
            .header("User-Agent", &workload.user_agent)
    }
}

fn token_in(answer: &Value) -> Option<LabSecret> {
    let token = answer["access_token"].as_str();
    token.map(|token| LabSecret::new(token.to_owned()))
}

async fn send(request: reqwest::RequestBuilder) -> Call {
    let Ok(answer) = request.send().await else {
        return Call::Interrupted;
    };
    let status = answer.status();
    let Ok(body) = answer.bytes().await else {
        return Call::Interrupted;
    };
    match status {
        s if s.is_success() => Call::Done(serde_json::from_slice(&body).unwrap_or(Value::Null)),
        s if s.is_server_error() => Call::Interrupted,
        StatusCode::UNAUTHORIZED => Call::LoginAgain,
        _ => Call::Refused,
    }
}

/// Writes the scenario's other alerts, each at its time, from where an earlier process stopped.
pub(super) async fn noise(shared: Arc<Shared>) {
    let done = shared.look(|w| w.noise_written);
    let list = &shared.scenario.noise;
    let mut clock = match done {
        0 => 0.0,
        n => list.get(n - 1).map_or(0.0, |line| line.at),
    };
    for (index, line) in list.iter().enumerate().skip(done) {
        let wait = ((line.at - clock) / shared.speed).max(0.0);
        tokio::time::sleep(Duration::from_secs_f64(wait)).await;
        clock = line.at;
        if shared.make_noise(index).is_err() {
            return;
        }
    }
}
