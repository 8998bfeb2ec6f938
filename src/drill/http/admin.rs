//! The console's side: look at a client and cut it off. Every handler takes [`Console`] as proof of who asks.

use axum::extract::{RawQuery, State};
use axum::http::StatusCode;
use axum::response::IntoResponse as _;
use jiff::Timestamp;
use serde::Deserialize;
use serde_json::{Value, json};

use super::super::scenario::LabPart;
use super::super::seed::LabSecret;
use super::super::world::{Client, Deny, World};
use super::{Answer, App, Call, Console, Form, Id, Refusal, json_answer};

/// What is told about a client. `enabled` is whether it can act: a client made by a client that is off, or that lost
/// the role for making clients, is not.
fn describe(world: &World, client: &Client, rules: &LabPart) -> Value {
    json!({
        "id": client.id,
        "client_id": client.client_id,
        "enabled": world.usable(client, rules),
        "not_before": client.not_before,
        "secret_version": client.secret_version,
        "secret_set": client.secret_set,
        "secret_fingerprint": client.secret.fingerprint(),
        "created_by": client.created_by,
        "owner": client.owner,
    })
}

/// `GET /admin/clients?client_id=`: all clients, or those with this client id.
pub(in super::super) async fn find_clients(
    _: Console,
    State(lab): State<App>,
    RawQuery(query): RawQuery,
) -> Answer {
    let query = Form::query(query.as_deref());
    let wanted = query.get("client_id")?;
    let found: Vec<Value> = lab.look(|world| {
        let fits = |c: &&Client| wanted.is_none_or(|id| c.client_id == id);
        let described = world
            .clients
            .iter()
            .filter(fits)
            .map(|c| describe(world, c, &lab.scenario.lab));
        described.collect()
    });
    Ok(json_answer(Value::Array(found)))
}

/// `GET /admin/clients/{id}`.
pub(in super::super) async fn client(_: Console, State(lab): State<App>, Id(id): Id) -> Answer {
    look_at(&lab, &id, |world, client| {
        describe(world, client, &lab.scenario.lab)
    })
}

/// `GET /admin/clients/{id}/sessions`: oldest first.
pub(in super::super) async fn sessions(_: Console, State(lab): State<App>, Id(id): Id) -> Answer {
    let now = Timestamp::now();
    look_at(&lab, &id, |world, client| {
        let live = world
            .sessions
            .iter()
            .filter(|s| s.client == client.id && s.expires > now);
        let told = live.map(|s| {
            json!({
                "id": s.id,
                "kind": "access_token",
                "started": s.started,
                "last_seen": s.last_seen,
                "expires": s.expires,
                "source_ip": s.source_ip,
                "user_agent": s.user_agent,
                "minted_with": s.minted_with,
            })
        });
        told.collect()
    })
}

/// `GET /admin/clients/{id}/roles`.
pub(in super::super) async fn roles(_: Console, State(lab): State<App>, Id(id): Id) -> Answer {
    look_at(&lab, &id, |_, client| json!(client.roles))
}

/// `GET /admin/clients/{id}/credentials`: keys besides the client secret.
pub(in super::super) async fn credentials(
    _: Console,
    State(lab): State<App>,
    Id(id): Id,
) -> Answer {
    look_at(&lab, &id, |_, client| {
        let told = client.credentials.iter().map(|c| {
            json!({
                "id": c.id,
                "kind": c.kind,
                "store": c.store,
                "created": c.created,
                "last_used": c.last_used,
                "enabled": c.enabled,
                "fingerprint": c.value.fingerprint(),
            })
        });
        told.collect()
    })
}

/// `GET /admin/clients/{id}/children`: clients this one made.
pub(in super::super) async fn children(_: Console, State(lab): State<App>, Id(id): Id) -> Answer {
    look_at(&lab, &id, |world, client| {
        let made = |c: &&Client| c.created_by.as_ref() == Some(&client.client_id);
        let told = world.clients.iter().filter(made).map(|c| {
            let enabled = world.usable(c, &lab.scenario.lab);
            json!({"id": c.id, "client_id": c.client_id, "enabled": enabled})
        });
        told.collect()
    })
}

fn look_at(lab: &App, id: &str, read: impl FnOnce(&World, &Client) -> Value) -> Answer {
    let told = lab.look(|world| world.client(id).map(|client| read(world, client)))?;
    Ok(json_answer(told))
}

/// Changes the state and answers 204.
fn change(
    lab: &App,
    apply: impl FnOnce(&mut World, &LabPart, Timestamp) -> Result<(), Deny>,
) -> Answer {
    lab.act(apply)??;
    Ok(StatusCode::NO_CONTENT.into_response())
}

/// `POST /admin/clients/{id}/disable`. Its tokens stop working too; they work again if it is enabled before they end.
pub(in super::super) async fn disable_client(
    _: Console,
    State(lab): State<App>,
    Id(id): Id,
) -> Answer {
    change(&lab, |world, _, _| {
        world.client_mut(&id).map(|c| c.enabled = false)
    })
}

/// `POST /admin/clients/{id}/enable`.
pub(in super::super) async fn enable_client(
    _: Console,
    State(lab): State<App>,
    Id(id): Id,
) -> Answer {
    change(&lab, |world, _, _| {
        world.client_mut(&id).map(|c| c.enabled = true)
    })
}

/// `POST /admin/clients/{id}/rotate-secret`: the old secret ends at once, tokens minted with it do not.
pub(in super::super) async fn rotate_secret(
    _: Console,
    State(lab): State<App>,
    Id(id): Id,
) -> Answer {
    let answer = lab.act(|world, _, now| {
        let client = world.client_mut(&id)?;
        let secret =
            LabSecret::make("cs_").map_err(|_| Deny::Request("no random bytes for a secret"))?;
        client.secret_version += 1;
        client.secret_set = now;
        client.secret = secret;
        Ok::<_, Deny>(
            json!({"secret": client.secret.expose(), "secret_version": client.secret_version}),
        )
    })??;
    Ok(json_answer(answer))
}

/// `DELETE /admin/clients/{id}/sessions`.
pub(in super::super) async fn end_sessions(
    _: Console,
    State(lab): State<App>,
    Id(id): Id,
) -> Answer {
    change(&lab, |world, _, now| world.end_sessions(&id, now))
}

/// `DELETE /admin/sessions/{id}`.
pub(in super::super) async fn end_session(
    _: Console,
    State(lab): State<App>,
    Id(id): Id,
) -> Answer {
    change(&lab, |world, _, _| {
        let before = world.sessions.len();
        world.sessions.retain(|s| s.id != id);
        if world.sessions.len() < before {
            Ok(())
        } else {
            Err(Deny::NotFound("no session has this id"))
        }
    })
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct RolesBody {
    roles: Vec<String>,
}

/// `PUT /admin/clients/{id}/roles {"roles"}`: exactly these; 400 when one is unknown.
pub(in super::super) async fn set_roles(
    _: Console,
    State(lab): State<App>,
    Id(id): Id,
    call: Call,
) -> Answer {
    let body: RolesBody = call.json()?;
    if body.roles.len() > 100 {
        return Err(Refusal::request("a client holds at most 100 roles"));
    }
    change(&lab, |world, rules, now| {
        world.set_roles(&id, &body.roles, now, rules)
    })
}

/// `POST /admin/credentials/{id}/disable`.
pub(in super::super) async fn disable_credential(
    _: Console,
    State(lab): State<App>,
    Id(id): Id,
) -> Answer {
    change(&lab, |world, _, _| switch_credential(world, &id, false))
}

/// `POST /admin/credentials/{id}/enable`.
pub(in super::super) async fn enable_credential(
    _: Console,
    State(lab): State<App>,
    Id(id): Id,
) -> Answer {
    change(&lab, |world, _, _| switch_credential(world, &id, true))
}

fn switch_credential(world: &mut World, id: &str, enabled: bool) -> Result<(), Deny> {
    let mut all = world.clients.iter_mut().flat_map(|c| &mut c.credentials);
    let found = all.find(|c| c.id == id);
    found
        .ok_or(Deny::NotFound("no credential has this id"))?
        .enabled = enabled;
    Ok(())
}
