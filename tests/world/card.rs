//! The tabs of the card in known states.

use jiff::SignedDuration;
use stanch::app::msg::Msg;
use stanch::domain::identity::{Credential, LiveContext, Session};

use super::evil::{self, spice};
use super::{World, held, now};

/// Everything that text from outside can try, in every place that is shown.
fn hostile() -> String {
    let bad = &evil::toml();
    format!(
        "[[identity]]\nid = 'lab:svc-deploy'\nname = 'svc-deploy'\nkind = 'oauth_client'\nconnector = 'lab'\n\
         on_call = \"{bad}\"\ntechnical_owner = \"{bad}\"\n\
         scopes = [{{ name = \"{bad}\", on = \"{bad}\", level = 'admin' }}, {{ name = '{}' }}]\n\
         [[identity.credential]]\nid = \"k{bad}\"\nkind = \"{bad}\"\nstore = \"{bad}\"\nhard_coded = [\"{bad}\"]\n\
         [[identity.grant]]\nid = \"g{bad}\"\nto = \"{bad}\"\nkind = \"{bad}\"\nscopes = [\"{bad}\"]\n\
         [[node]]\nid = \"n{bad}\"\nkind = 'resource'\nlabel = \"{bad}\"\n\
         [[edge]]\nfrom = 'lab:svc-deploy'\nkind = 'can_reach'\nto = \"n{bad}\"\n",
        "東京".repeat(100)
    )
}

/// What a provider of strange names says.
fn strange() -> LiveContext {
    let bad = spice("\u{1b}[2J\u{202e}s\u{200b}\r\n1");
    let bad = bad.as_str();
    LiveContext {
        sessions: vec![Session {
            id: bad.into(),
            kind: bad.into(),
            started: None,
            last_seen: None,
            expires: None,
            origin: Some(bad.into()),
        }],
        scopes: vec![held(bad, true)],
        grants: vec![bad.into()],
        credentials: vec![Credential {
            id: bad.into(),
            created: now().checked_sub(SignedDuration::from_mins(3)).ok(),
            ..Credential::default()
        }],
        unknown: vec![(bad.into(), bad.into())],
        ..LiveContext::default()
    }
}

impl World {
    /// Lets the provider of the selected identity answer.
    pub fn says(&mut self, context: LiveContext) {
        let identity = self.model.detail.identity.clone().unwrap().id;
        self.send(Msg::Context {
            identity,
            at: now(),
            context: Box::new(context),
        });
    }

    /// Shows the tabs, by the name of a state.
    pub(super) fn card(&mut self, screen: &str) {
        match screen {
            "card_hostile"
            | "card_hostile_grants"
            | "card_hostile_credentials"
            | "card_hostile_effects" => {
                self.with_inventory(&hostile());
                self.says(strange());
            }
            "card_nobody_says" => {
                let text = "[[identity]]\nid = 'lab:svc-deploy'\nname = 'svc-deploy'\n";
                self.with_inventory(text);
                self.model.live.clear();
                self.model.refresh_detail();
            }
            "card_born" => {
                let key = Credential {
                    id: "client-secret-2".into(),
                    kind: "client_secret".into(),
                    created: now().checked_sub(SignedDuration::from_mins(3)).ok(),
                    ..Credential::default()
                };
                self.says(LiveContext {
                    credentials: vec![key],
                    ..LiveContext::default()
                });
            }
            _ => {}
        }
        self.press("I");
        let keys = match screen {
            "card" | "card_nobody_says" | "card_hostile" => "",
            "card_sessions" => "tab",
            "card_credentials" | "card_born" | "card_hostile_credentials" => "tab tab",
            "card_grants" | "card_hostile_grants" => "tab tab tab",
            "card_effects" | "card_hostile_effects" => "tab tab tab tab",
            "card_contact" => "shift-tab",
            "card_row" => "tab tab enter",
            "card_message" => "shift-tab G enter",
            "card_plan" => "tab o",
            other => panic!("no card `{other}`"),
        };
        if !keys.is_empty() {
            self.press(keys);
        }
        self.model.toast_until = None;
    }
}
