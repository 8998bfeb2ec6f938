//! The readiness screen in known states.

use std::sync::Arc;

use stanch::app::msg::Msg;
use stanch::app::readiness::Judged;
use stanch::domain::readiness::{Means, of_all};

use super::evil;
use super::{World, now};

/// Everything that text from outside can try, in every place that is shown.
fn hostile() -> String {
    let bad = &evil::toml();
    format!(
        "[[identity]]\nid = \"lab:a{bad}\"\nname = \"{bad}\"\nkind = 'oauth_client'\nconnector = \"c{bad}\"\n\
         [[identity.credential]]\nid = \"k{bad}\"\nkind = 'key'\nhard_coded = [\"{bad}\"]\n\
         [[identity]]\nid = 'lab:{}'\nname = '{}'\n",
        "東京".repeat(100),
        "長".repeat(300)
    )
}

impl World {
    /// Judges as the runtime does in the background.
    pub fn judge(&mut self) {
        let means = Means {
            capabilities: (*self.model.capabilities).clone(),
            ..Means::default()
        };
        let all = of_all(&self.model.inventory, &means, now());
        self.send(Msg::Judged(Arc::new(Judged::new(all, now()))));
    }

    /// Shows the readiness screen, by the name of a state.
    pub(super) fn ready(&mut self, screen: &str) {
        match screen {
            "ready_hostile" => self.with_inventory(&hostile()),
            "ready_nobody" => self.with_inventory(""),
            _ => {}
        }
        if screen == "ready_judging" {
            let key = stanch::app::keys::Key::char('R');
            self.send(Msg::Key(key));
            return;
        }
        self.press("R");
        let keys = match screen {
            "ready_filtered" => "/ h a r d _ c o d e d enter",
            "ready_typing" => "/ n o b o d y",
            "ready_reading" => "j tab j j",
            "ready_card" => "j enter",
            "ready" | "ready_hostile" | "ready_nobody" => "",
            other => panic!("no readiness `{other}`"),
        };
        if !keys.is_empty() {
            self.press(keys);
        }
        self.model.toast_until = None;
    }
}
