//! The map's screen in known states.

use std::fmt::Write as _;
use std::sync::Arc;

use serde_json::{Value, json};
use stanch::app::msg::Msg;

use super::evil;
use super::{World, finding, now, rows};

/// An alert that the intruder made something.
fn made(uid: &str, resource: &str, kind: &str, pattern: &str, minutes: i64) -> Value {
    let title = format!("svc-deploy made {resource}");
    let mut made = finding(uid, "svc-deploy", &title, pattern, 5, minutes);
    made["resources"] = json!([{"uid": resource, "type": kind}]);
    made
}

/// A service that 3,000 others need, with names from outside.
fn hub() -> String {
    let mut text = String::from(
        "[[identity]]\nid = 'lab:svc-deploy'\nname = 'svc-deploy'\nkind = 'oauth_client'\n",
    );
    for n in 0..3_000 {
        let kind = ["workload", "pipeline", "integration"][n % 3];
        let criticality = ["low", "medium", "high", "business_critical"][n % 4];
        let _ = write!(
            text,
            "[[node]]\nid = 'n{n}'\nkind = '{kind}'\nlabel = 'job {n}'\ncriticality = '{criticality}'\n\
             [[edge]]\nfrom = 'n{n}'\nkind = 'depends_on'\nto = 'lab:svc-deploy'\n"
        );
    }
    text
}

/// Everything that text from outside can try.
fn hostile() -> String {
    let bad = &evil::toml();
    format!(
        "[[identity]]\nid = 'lab:svc-deploy'\nname = 'svc-deploy'\nkind = 'oauth_client'\n\
         [[identity.credential]]\nid = \"k{bad}\"\nkind = 'key'\nstore = \"vault{bad}\"\n\
         [[node]]\nid = \"n{bad}\"\nkind = 'workload'\nlabel = \"{bad}\"\nowner = \"{bad}\"\nenvironment = \"{bad}\"\n\
         [[edge]]\nfrom = \"n{bad}\"\nkind = 'depends_on'\nto = 'lab:svc-deploy'\n\
         [[edge]]\nfrom = 'lab:svc-deploy'\nkind = 'can_reach'\nto = \"{}\"\n",
        "東京".repeat(100)
    )
}

impl World {
    /// Puts another inventory under the console.
    pub fn with_inventory(&mut self, text: &str) {
        let inventory = stanch::inventory::parse(text, "test").unwrap();
        self.model.inventory = Arc::new(inventory);
        self.model.refresh_detail();
    }

    /// Lets an alert tell that the intruder made a client.
    pub fn made(&mut self, client: &str) {
        let pattern = "credential_created_or_added";
        let finding = made("f8", client, "OAuth Client", pattern, 4);
        self.send(Msg::Alerts(rows(&[finding])));
    }

    /// Shows the map, by the name of a state.
    pub(super) fn map(&mut self, screen: &str) {
        self.made("svc-deploy-sync");
        let role = made("f9", "role:role-admin", "Role", "privilege_escalated", 6);
        self.send(Msg::Alerts(rows(&[role])));
        match screen {
            "map_large" => self.with_inventory(&hub()),
            "map_hostile" => self.with_inventory(&hostile()),
            _ => {}
        }
        self.press("M");
        let keys = match screen {
            "map_exposure" => "tab",
            "map_layers" => "tab tab",
            "map_siblings" => "tab tab tab",
            "map_users" => "tab tab tab tab",
            "map_card" => "tab j j enter",
            "map_paths" => "tab G p",
            "map_marked" => "j space j space p",
            "map_folded" => "tab z h",
            "map_here" => "j f",
            "map_search" => "tab / d a t a",
            "map_plan" => "tab / s y n c enter o",
            "map_large" | "map_hostile" | "map" => "",
            other => panic!("no map `{other}`"),
        };
        if !keys.is_empty() {
            self.press(keys);
        }
        // What was said at the keys is not what is looked at.
        self.model.toast_until = None;
        assert_eq!(self.clock, now());
    }
}
