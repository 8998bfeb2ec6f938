//! The intruder: a script of first acts, then rounds in which everything held is tried, over HTTP like anybody else.

use std::sync::Arc;
use std::time::Duration;

use reqwest::{Method, RequestBuilder, StatusCode};
use serde_json::{Value, json};

use super::intruder::{Child, record_round, record_try};
use super::scenario::{ActKind, AttackPart, ScriptedAct};
use super::seed::LabSecret;
use super::shared::{Closed, Shared};

/// Most tokens tried in one round.
const TOKENS_A_ROUND: usize = 6;
/// While the first ways in still work, the clients they made are used only every so many rounds.
const CHILDREN_EVERY: u64 = 3;

/// Plays the intruder until the lab ends.
pub(super) struct Attack {
    pub shared: Arc<Shared>,
    pub http: reqwest::Client,
    pub base_url: String,
}

/// The intruder cannot go on: the lab has ended or does not answer, which says nothing about containment.
struct Interrupted;

impl From<Closed> for Interrupted {
    fn from(_: Closed) -> Self {
        Self
    }
}

/// What came of one try.
enum Reply {
    Granted(Value),
    /// 403: the token lives, the right is missing.
    Forbidden,
    /// Anything else that is not success.
    Refused,
}

impl Reply {
    fn granted(&self) -> bool {
        matches!(self, Self::Granted(_))
    }
}

type Tried<T> = Result<T, Interrupted>;

impl Attack {
    /// Runs the script from where it stopped, then rounds without end. Returns only when the lab has ended.
    pub async fn run(self) {
        self.script().await;
        let every = self.part().every_s;
        loop {
            let round = self.shared.look(|w| w.intruder.rounds);
            let beat = self.shared.seed.jitter(&format!("round/{round}"));
            self.sleep(every * beat).await;
            if self.shared.stop.is_cancelled() {
                return;
            }
            // An interrupted round concludes nothing; the next one tries again.
            let _ = self.round(round).await;
        }
    }

    fn part(&self) -> &AttackPart {
        &self.shared.scenario.attack
    }

    async fn sleep(&self, seconds: f64) {
        let seconds = (seconds / self.shared.speed).max(0.0);
        tokio::time::sleep(Duration::from_secs_f64(seconds)).await;
    }

    async fn script(&self) {
        let done = self.shared.look(|w| w.intruder.script_done);
        let acts = &self.part().act;
        let mut clock = match done {
            0 => 0.0,
            n => acts.get(n - 1).map_or(0.0, |a| a.at),
        };
        for (index, act) in acts.iter().enumerate().skip(done) {
            self.sleep(act.at - clock).await;
            clock = act.at;
            let _ = self.scripted(act).await;
            if self
                .shared
                .act(|w, _, _| w.intruder.script_done = index + 1)
                .is_err()
            {
                return;
            }
        }
    }

    async fn scripted(&self, act: &ScriptedAct) -> Tried<()> {
        let token = self.shared.look(|w| w.intruder.tokens.last().cloned());
        match (act.act, token) {
            (ActKind::UseKey, _) => {
                self.log_in().await?;
            }
            (ActKind::ReadSecret, Some(token)) => {
                self.read_secret(&token, &act.secret).await?;
            }
            (ActKind::Grant, Some(token)) => {
                self.grant(&token, &act.role).await?;
            }
            (ActKind::MintClient, Some(token)) => {
                self.mint_client(&token).await?;
            }
            (_, None) => {}
        }
        Ok(())
    }

    /// Tries everything held; the intruder is out when all of it fails in one round.
    async fn round(&self, round: u64) -> Tried<()> {
        let by_key = self.log_in().await?;
        let by_token = self.use_tokens().await?;
        let mut inside = by_key || by_token;
        let childless = self.shared.look(|w| w.intruder.children.is_empty());
        if !inside || childless || round % CHILDREN_EVERY == CHILDREN_EVERY - 1 {
            let by_child = self.use_children().await?;
            inside |= by_child;
            if by_token && !by_child {
                self.plant_another().await?;
            }
        }
        self.shared.act(|w, _, now| {
            w.intruder.rounds += 1;
            record_round(&mut w.status, inside, now);
        })?;
        Ok(())
    }

    /// Logs in with everything that leaked.
    async fn log_in(&self) -> Tried<bool> {
        let by_key = self.use_key().await?;
        let by_secret = self.use_secret().await?;
        Ok(by_key || by_secret)
    }

    async fn use_secret(&self) -> Tried<bool> {
        let Some(secret) = self.shared.look(|w| w.intruder.secret.clone()) else {
            return Ok(false);
        };
        let request = self
            .request(Method::POST, "oauth/token")
            .basic_auth(&self.part().client, Some(secret.expose()))
            .form(&[("grant_type", "client_credentials")]);
        let Some(token) = token_in(self.attempt(request).await?) else {
            return Ok(false);
        };
        self.shared.act(|w, _, _| w.intruder.keep(token))?;
        Ok(true)
    }

    async fn use_key(&self) -> Tried<bool> {
        let Some(key) = self.shared.look(|w| w.intruder.key.clone()) else {
            return Ok(false);
        };
        let form = [
            ("grant_type", "client_credentials"),
            ("deploy_key", key.expose()),
        ];
        let request = self.request(Method::POST, "oauth/token").form(&form);
        let Some(token) = token_in(self.attempt(request).await?) else {
            return Ok(false);
        };
        self.shared.act(|w, _, _| w.intruder.keep(token))?;
        Ok(true)
    }

    /// Tries held tokens, newest first, until one is good for something.
    async fn use_tokens(&self) -> Tried<bool> {
        let held: Vec<LabSecret> = self.shared.look(|w| {
            w.intruder
                .tokens
                .iter()
                .rev()
                .take(TOKENS_A_ROUND)
                .cloned()
                .collect()
        });
        for token in held {
            if self.use_token(&token).await? {
                return Ok(true);
            }
        }
        Ok(false)
    }

    async fn use_token(&self, token: &LabSecret) -> Tried<bool> {
        let wanted = self.next_secret();
        match self.read_secret(token, &wanted).await? {
            Reply::Granted(_) => return Ok(true),
            Reply::Refused => return Ok(false),
            Reply::Forbidden => {}
        }
        let mut regained = false;
        for role in &self.part().wanted_roles {
            regained |= self.grant(token, role).await?.granted();
        }
        if regained {
            self.read_secret(token, &wanted).await?;
            return Ok(true);
        }
        let path = format!("resources/{}", self.part().also_reads);
        let request = self.request(Method::GET, &path).bearer_auth(token.expose());
        Ok(self.attempt(request).await?.granted())
    }

    async fn use_children(&self) -> Tried<bool> {
        let mut inside = false;
        for child in self.shared.look(|w| w.intruder.children.clone()) {
            let request = self
                .request(Method::POST, "oauth/token")
                .basic_auth(&child.client_id, Some(child.secret.expose()))
                .form(&[("grant_type", "client_credentials")]);
            let fresh = token_in(self.attempt(request).await?);
            if let Some(token) = fresh.clone() {
                inside = true;
                self.shared
                    .act(|w, _, _| w.intruder.keep_for_child(&child.client_id, token))?;
            }
            if let Some(token) = fresh.or(child.token) {
                inside |= self
                    .read_secret(&token, &self.next_secret())
                    .await?
                    .granted();
            }
        }
        Ok(inside)
    }

    async fn plant_another(&self) -> Tried<()> {
        let (count, token) = self
            .shared
            .look(|w| (w.intruder.children.len(), w.intruder.tokens.last().cloned()));
        match token {
            Some(token) if count < self.part().most_children => self.mint_client(&token).await,
            _ => Ok(()),
        }
    }

    async fn mint_client(&self, token: &LabSecret) -> Tried<()> {
        let body =
            json!({"client_id": self.part().child_client_id, "roles": self.part().child_roles});
        let request = self
            .request(Method::POST, "clients")
            .bearer_auth(token.expose())
            .json(&body);
        let Reply::Granted(answer) = self.attempt(request).await? else {
            return Ok(());
        };
        if let (Some(id), Some(secret)) = (
            answer["client_id"].as_str(),
            answer["client_secret"].as_str(),
        ) {
            let child = Child {
                client_id: id.to_owned(),
                secret: LabSecret::new(secret.to_owned()),
                token: None,
            };
            self.shared.act(|w, _, _| w.intruder.children.push(child))?;
        }
        Ok(())
    }

    async fn grant(&self, token: &LabSecret, role: &str) -> Tried<Reply> {
        let request = self
            .request(Method::POST, "roles")
            .bearer_auth(token.expose())
            .json(&json!({"role": role}));
        self.attempt(request).await
    }

    async fn read_secret(&self, token: &LabSecret, name: &str) -> Tried<Reply> {
        let request = self
            .request(Method::GET, &format!("secrets/{name}"))
            .bearer_auth(token.expose());
        let reply = self.attempt(request).await?;
        if reply.granted() {
            self.shared.act(|w, _, _| {
                w.intruder.read.insert(name.to_owned());
                w.status.secrets_read = w.intruder.read.len() as u64;
            })?;
        }
        Ok(reply)
    }

    /// Returns the first secret not read yet, else one by turns.
    fn next_secret(&self) -> String {
        let names = &self.shared.scenario.lab.secret;
        let unread = self.shared.look(|w| {
            let turn = w.intruder.rounds as usize % names.len().max(1);
            let unread = names.iter().find(|s| !w.intruder.read.contains(&s.name));
            unread.or(names.get(turn)).map(|s| s.name.clone())
        });
        unread.unwrap_or_default()
    }

    fn request(&self, method: Method, path: &str) -> RequestBuilder {
        self.http
            .request(method, format!("{}/{path}", self.base_url))
            .header("X-Forwarded-For", &self.part().source_ip)
            .header("User-Agent", &self.part().user_agent)
    }

    async fn attempt(&self, request: RequestBuilder) -> Tried<Reply> {
        let answer = request.send().await.map_err(|_| Interrupted)?;
        let status = answer.status();
        if status.is_server_error() {
            return Err(Interrupted);
        }
        let body = answer.bytes().await.map_err(|_| Interrupted)?;
        self.shared
            .act(|w, _, now| record_try(&mut w.status, status.is_success(), now))?;
        Ok(match status {
            s if s.is_success() => {
                Reply::Granted(serde_json::from_slice(&body).unwrap_or(Value::Null))
            }
            StatusCode::FORBIDDEN => Reply::Forbidden,
            _ => Reply::Refused,
        })
    }
}

fn token_in(reply: Reply) -> Option<LabSecret> {
    match reply {
        Reply::Granted(answer) => answer["access_token"]
            .as_str()
            .map(|token| LabSecret::new(token.to_owned())),
        _ => None,
    }
}
