//! What clients use: secrets, resources, self-service roles, new clients; and the drill's own status.

use std::time::Duration;

use axum::extract::{RawQuery, State};
use axum::http::StatusCode;
use axum::response::IntoResponse as _;
use serde::Deserialize;
use serde_json::json;

use super::super::finding::Act;
use super::super::world::Deny;
use super::{Answer, App, Call, Form, Id, Refusal, json_answer};

/// How long a status answer is held back for a change.
const HOLD_BACK: Duration = Duration::from_secs(5);

/// `GET /secrets/{name}`; the name may contain slashes, encoded or not. Needs `secrets.read`.
pub(in super::super) async fn secret(State(lab): State<App>, Id(name): Id, call: Call) -> Answer {
    let token = call.authorization.bearer()?;
    let value = lab.act(|world, rules, now| {
        let client = world.allow(token, Some("secrets.read"), now, rules)?;
        let value = world.secrets.get(&name).cloned();
        let value = value.ok_or(Deny::NotFound("no secret has this name"))?;
        world.notice(
            &client,
            &call.caller,
            now,
            rules,
            Act::ReadSecret { name: name.clone() },
        );
        Ok::<_, Deny>(value)
    })??;
    Ok(json_answer(
        json!({"name": name, "value": value.expose(), "version": 1}),
    ))
}

/// `GET` or `POST /resources/{path}`: the scenario says which role it needs.
pub(in super::super) async fn resource(State(lab): State<App>, Id(path): Id, call: Call) -> Answer {
    let token = call.authorization.bearer()?;
    lab.act(|world, rules, now| {
        let def = rules.resource.iter().find(|r| r.path == path);
        let def = def.ok_or(Deny::NotFound("no resource has this path"))?;
        let client = world.allow(token, Some(&def.role), now, rules)?;
        world.notice(
            &client,
            &call.caller,
            now,
            rules,
            Act::UseResource { path: path.clone() },
        );
        Ok::<_, Deny>(())
    })??;
    Ok(json_answer(json!({"path": path, "done": true})))
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct GrantBody {
    role: String,
}

/// `POST /roles {"role"}`: gives the token's own client a role, where self-service allows it. 204.
pub(in super::super) async fn grant(State(lab): State<App>, call: Call) -> Answer {
    let token = call.authorization.bearer()?;
    let body: GrantBody = call.json()?;
    lab.act(|world, rules, now| world.grant_self(token, &body.role, &call.caller, now, rules))??;
    Ok(StatusCode::NO_CONTENT.into_response())
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct MintBody {
    client_id: String,
    #[serde(default)]
    roles: Vec<String>,
}

/// `POST /clients {"client_id","roles"}`: creates a client that acts on behalf of the token's. 201 with its secret.
pub(in super::super) async fn mint_client(State(lab): State<App>, call: Call) -> Answer {
    let token = call.authorization.bearer()?;
    let body: MintBody = call.json()?;
    let (client_id, secret) = lab.act(|world, rules, now| {
        world.mint_client(
            token,
            &body.client_id,
            &body.roles,
            &call.caller,
            now,
            rules,
        )
    })??;
    let answer = json!({"client_id": client_id, "client_secret": secret.expose()});
    Ok((StatusCode::CREATED, json_answer(answer)).into_response())
}

/// `GET /lab/status`: how the drill stands. With `?after=<revision>` the answer is held back for a newer one, at most
/// 5 s. Open to anybody on this host; it tells nothing that helps to get in.
pub(in super::super) async fn status(State(lab): State<App>, RawQuery(query): RawQuery) -> Answer {
    let after = match Form::query(query.as_deref()).get("after")? {
        None => None,
        Some(text) => {
            let number = text.parse::<u64>();
            Some(number.map_err(|_| Refusal::request("`after` is a whole number"))?)
        }
    };
    if let Some(after) = after {
        let mut status = lab.subscribe();
        tokio::select! {
            _ = tokio::time::timeout(HOLD_BACK, status.wait_for(|s| s.revision > after)) => {}
            () = lab.stop.cancelled() => {}
        }
    }
    let answer = lab.look(|world| {
        json!({
            "lab_id": world.lab_id,
            "scenario": world.scenario,
            "intruder": if world.status.intruder_in { "in" } else { "out" },
            "since": world.status.since,
            "status": world.status,
        })
    });
    Ok(json_answer(answer))
}
