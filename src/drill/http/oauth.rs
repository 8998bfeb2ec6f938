//! Tokens: RFC 6749 §4.4 (client credentials), RFC 7662 (introspection), RFC 7009 (revocation).

use axum::extract::State;
use axum::http::StatusCode;
use axum::response::IntoResponse as _;
use serde_json::json;

use super::super::world::Deny;
use super::{Answer, App, Authorization, Call, Form, Refusal, is_console, json_answer};

/// Client credentials as the request gives them: HTTP Basic or two form fields, not both (RFC 6749 §2.3).
fn credentials(call: &Call, form: &Form) -> Result<(String, String), Refusal> {
    let in_form = (form.get("client_id")?, form.get("client_secret")?);
    match (&call.authorization, in_form) {
        (Authorization::Basic { .. }, (_, Some(_))) => {
            Err(Refusal::request("client credentials are given twice"))
        }
        (Authorization::Basic { id, secret }, _) => Ok((id.clone(), secret.clone())),
        (Authorization::None, (Some(id), Some(secret))) => Ok((id.to_owned(), secret.to_owned())),
        _ => Err(Deny::Client.into()),
    }
}

/// `POST /oauth/token`. With `deploy_key` instead of a secret, the key stands for its client.
pub(in super::super) async fn token(State(lab): State<App>, call: Call) -> Answer {
    let form = call.form();
    if form.get("grant_type")?.unwrap_or("client_credentials") != "client_credentials" {
        let what = "the lab grants client_credentials only";
        return Err(Refusal::new(
            StatusCode::BAD_REQUEST,
            "unsupported_grant_type",
            what,
        ));
    }
    let key = form.get("deploy_key")?;
    let wanted = form.get("client_id")?;
    let basic = if key.is_none() {
        Some(credentials(&call, &form)?)
    } else {
        None
    };
    let issued = lab.act(|world, rules, now| {
        let (client, with) = match (key, basic) {
            (Some(key), _) => world.check_key(key, now, rules)?,
            (None, Some((id, secret))) => {
                let client = world.check_secret(&id, &secret, rules)?;
                (client.id.clone(), "client_secret".to_owned())
            }
            (None, None) => return Err(Deny::Client),
        };
        if wanted.is_some_and(|id| world.client(&client).is_ok_and(|c| c.client_id != id)) {
            return Err(Deny::Client);
        }
        world.issue(&client, &with, &call.caller, now, rules)
    })?;
    Ok(json_answer(json!({
        "access_token": issued?.expose(),
        "token_type": "Bearer",
        "expires_in": lab.scenario.lab.token_ttl_s,
    })))
}

/// Who may ask about tokens: the console about any, a client about any, revoke its own.
fn asker(lab: &App, call: &Call, form: &Form) -> Result<Option<String>, Refusal> {
    if is_console(&call.authorization, lab) {
        return Ok(None);
    }
    let (id, secret) = credentials(call, form)?;
    let rules = &lab.scenario.lab;
    let client = lab.look(|world| {
        world
            .check_secret(&id, &secret, rules)
            .map(|c| c.id.clone())
    })?;
    Ok(Some(client))
}

/// `POST /oauth/introspect`.
pub(in super::super) async fn introspect(State(lab): State<App>, call: Call) -> Answer {
    let form = call.form();
    asker(&lab, &call, &form)?;
    let token = form
        .get("token")?
        .ok_or(Refusal::request("`token` is missing"))?;
    let now = jiff::Timestamp::now();
    let answer = lab.look(|world| {
        let Some((session, client)) = world.session(token, now, &lab.scenario.lab) else {
            return json!({"active": false});
        };
        let scope: Vec<&str> = client.roles.iter().map(|r| r.name.as_str()).collect();
        json!({
            "active": true,
            "client_id": client.client_id,
            "sub": client.client_id,
            "token_type": "Bearer",
            "iat": session.started.as_second(),
            "exp": session.expires.as_second(),
            "scope": scope.join(" "),
        })
    });
    Ok(json_answer(answer))
}

/// `POST /oauth/revoke`: 200 also for a token that is unknown or not the asker's (RFC 7009 §2.2).
pub(in super::super) async fn revoke(State(lab): State<App>, call: Call) -> Answer {
    let form = call.form();
    let asker = asker(&lab, &call, &form)?;
    let token = form
        .get("token")?
        .ok_or(Refusal::request("`token` is missing"))?;
    lab.act(|world, _, _| world.revoke_token(token, asker.as_deref()))?;
    Ok(StatusCode::OK.into_response())
}
