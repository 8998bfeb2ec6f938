//! What somebody types before it counts: why a plan is refused, how they know that a gate holds, why they act alone.

use jiff::Timestamp;
use tui_input::Input;

use super::field;
use super::keys::{Code, Key};
use super::model::{Level, Model, Overlay, PlanView};
use super::msg::Effect;
use crate::domain::campaign;
use crate::domain::hold::Gate;
use crate::domain::ids::{AlertId, IdentityId, PlanDigest};
use crate::domain::inventory::Resolution;
use crate::domain::text::show_identifier;

/// What it is typed for.
#[derive(Debug)]
pub enum Saying {
    /// A plan of somebody else is refused.
    Refuse(PlanDigest),
    /// Something must hold before an identity is trusted again, and it does.
    Vouch(IdentityId, Gate),
    /// Every control on an identity is lifted; its id is typed before the reason.
    Lift(IdentityId),
    /// A plan runs without those who would have to agree.
    Alone(PlanDigest, Box<PlanView>),
    /// The identities of these alerts become a campaign.
    Campaign(Vec<AlertId>),
}

impl Saying {
    /// Returns the question.
    pub fn asks(&self) -> String {
        match self {
            Self::Refuse(_) => "Refuse: why?".to_owned(),
            Self::Vouch(_, gate) => format!("{}: how do you know?", gate.as_str()),
            Self::Lift(_) => "Lift every control: its id, then why".to_owned(),
            Self::Alone(..) => "Act alone: why can nobody be asked?".to_owned(),
            Self::Campaign(alerts) => {
                format!("Campaign of {} alerts: what is it about?", alerts.len())
            }
        }
    }

    /// Says about what, and what the keys do.
    pub fn about(&self) -> String {
        let what = match self {
            Self::Refuse(digest) => format!("plan {}", digest.short()),
            Self::Vouch(id, gate) => format!("{}: {}", show_identifier(id.as_str()), gate.says()),
            Self::Lift(id) => format!("type {} and why", show_identifier(id.as_str())),
            Self::Alone(digest, _) => format!(
                "plan {} runs at once, is marked everywhere, and somebody reviews it",
                digest.short()
            ),
            Self::Campaign(_) => {
                "PLAYBOOK and why; nothing is planned, each gets a plan of its own".to_owned()
            }
        };
        format!("{what}   Enter records it, Esc leaves")
    }
}

/// Asks.
pub fn ask(model: &mut Model, saying: Saying) {
    model.overlay = Overlay::Say(saying, Input::default());
}

/// Handles a key while it is typed.
pub fn key(model: &mut Model, key: Key, now: Timestamp) -> Vec<Effect> {
    model.dirty = true;
    let Overlay::Say(_, input) = &mut model.overlay else {
        return Vec::new();
    };
    match key.code {
        Code::Esc => back(model),
        Code::Enter => return said(model, now),
        _ => field::edit(input, key),
    }
    Vec::new()
}

/// Goes back to where it was asked.
fn back(model: &mut Model) {
    let resting = model.resting();
    let left = std::mem::replace(&mut model.overlay, resting);
    if let Overlay::Say(Saying::Alone(_, view), _) = left {
        model.overlay = Overlay::Plan(view);
    }
}

fn said(model: &mut Model, now: Timestamp) -> Vec<Effect> {
    let Overlay::Say(saying, input) = &model.overlay else {
        return Vec::new();
    };
    let text = input.value().trim().to_owned();
    let effects = match judged(model, saying, &text, now) {
        Ok(effects) => effects,
        Err(why) => {
            model.say(now, Level::Warn, why);
            return Vec::new();
        }
    };
    if matches!(&model.overlay, Overlay::Say(Saying::Campaign(_), _)) {
        model.marks.clear();
    }
    back(model);
    effects
}

/// Returns what follows from what was typed, or what is missing of it.
fn judged(
    model: &Model,
    saying: &Saying,
    text: &str,
    now: Timestamp,
) -> Result<Vec<Effect>, String> {
    if text.is_empty() {
        return Err("say why: it stands in the log; Esc leaves".to_owned());
    }
    let reason = text.to_owned();
    Ok(match saying {
        Saying::Refuse(digest) => vec![Effect::Verdict {
            digest: digest.clone(),
            approved: false,
            reason: Some(reason),
        }],
        Saying::Vouch(identity, gate) => vec![Effect::Vouch {
            identity: identity.clone(),
            gate: *gate,
            reason,
        }],
        Saying::Lift(identity) => {
            let rest = text.strip_prefix(identity.as_str()).unwrap_or_default();
            let why = rest.trim();
            if why.is_empty() || !rest.starts_with(char::is_whitespace) {
                return Err(format!(
                    "not lifted: type {} and why",
                    show_identifier(identity.as_str())
                ));
            }
            vec![Effect::Lift {
                identity: identity.clone(),
                reason: why.to_owned(),
            }]
        }
        Saying::Alone(digest, _) => vec![
            Effect::Stop(digest.clone()),
            Effect::BreakGlass(digest.clone(), reason),
        ],
        Saying::Campaign(alerts) => vec![Effect::Record(begun(model, alerts, text, now)?)],
    })
}

/// Makes the records of a campaign from alerts: `PLAYBOOK why`.
fn begun(
    model: &Model,
    alerts: &[AlertId],
    text: &str,
    now: Timestamp,
) -> Result<Vec<crate::domain::decision::Decision>, String> {
    let (book, why) = text.split_once(char::is_whitespace).unwrap_or((text, ""));
    if !model.playbooks.iter().any(|b| b.id == book) {
        return Err(format!(
            "`{}` is no playbook; P lists them",
            show_identifier(book)
        ));
    }
    if why.trim().is_empty() {
        return Err("say what it is about after the playbook".to_owned());
    }
    let whose = alerts.iter().filter_map(|id| {
        let subject = model.queue.subject(model.queue.slot(id)?)?;
        match model.inventory.resolve_subject(&subject) {
            Resolution::Known(identity) => Some((identity, id.clone())),
            _ => None,
        }
    });
    let whose: Vec<(IdentityId, AlertId)> = whose.collect();
    if whose.is_empty() {
        return Err("none of these alerts names an identity of the inventory".to_owned());
    }
    Ok(campaign::begin(whose, why.trim(), None, Some(book), now))
}
