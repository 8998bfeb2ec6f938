//! How fast things have to be, and the views to choose from.

use serde::{Deserialize, Serialize};

use super::Broken;
use crate::app::settings::{Desk, View, Watch};
use crate::domain::filter::{Filter, span_s};
use crate::domain::queue::Grouping;
use crate::domain::urgency::Sla;

/// Views that can be chosen with a digit.
pub(super) const MOST_VIEWS: usize = 9;

/// Longest watch of a containment, in seconds: a week.
const LONGEST_WATCH_S: u32 = 7 * 24 * 60 * 60;

/// Until when alerts are to be contained, since the exposure began: `15m`, `8h`, `3d`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct SlaSettings {
    /// Critical ones.
    pub critical: String,
    /// High ones.
    pub high: String,
    /// Medium ones, and those whose source gives no severity.
    pub medium: String,
    /// Low ones.
    pub low: String,
}

impl Default for SlaSettings {
    fn default() -> Self {
        let text = |text: &str| text.to_owned();
        Self {
            critical: text("15m"),
            high: text("1h"),
            medium: text("8h"),
            low: text("3d"),
        }
    }
}

/// How long containments are watched: `30m`, `2h`; `0` for not at all.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct WatchSettings {
    /// How long after a containment took hold any use by the identity opens its alert again.
    pub window: String,
    /// How often its provider is asked about it meanwhile.
    pub every: String,
}

impl Default for WatchSettings {
    fn default() -> Self {
        Self {
            window: "30m".to_owned(),
            every: "1m".to_owned(),
        }
    }
}

impl WatchSettings {
    /// Returns the window and the time between two questions, in seconds.
    fn parsed(&self) -> Result<Watch, (&'static str, String)> {
        let window_s = match self.window.trim() {
            "0" => 0,
            text => seconds(text).map_err(|e| ("window", e))?,
        };
        if window_s > LONGEST_WATCH_S {
            let text = format!(
                "`{}` is longer than 7d; a debt or a playbook step lasts longer",
                self.window
            );
            return Err(("window", text));
        }
        let every_s = seconds(&self.every).map_err(|e| ("every", e))?;
        if !(10..=3_600).contains(&every_s) {
            let text = format!("`{}` is not between 10s and 1h", self.every);
            return Err(("every", text));
        }
        Ok(Watch { window_s, every_s })
    }
}

/// Returns what in these settings cannot be used.
pub fn validate_watch(watch: &WatchSettings) -> Vec<Broken> {
    let key = |name: &str| vec!["watch".to_owned(), name.to_owned()];
    let broken = watch.parsed().err();
    broken
        .map(|(name, problem)| (key(name), problem))
        .into_iter()
        .collect()
}

/// What is folded into a line.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Fold {
    /// Nothing.
    None,
    /// Alerts of one kind about one identity.
    #[default]
    Kind,
    /// All alerts about one identity.
    Identity,
    /// All alerts of one incident, the others by identity.
    Incident,
}

/// A choice of alerts under a name.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ViewSettings {
    /// What people call it.
    pub name: String,
    /// Which alerts, as typed after `/`; empty for all.
    #[serde(default)]
    pub filter: String,
    /// What is folded into a line.
    #[serde(default)]
    pub fold: Fold,
}

/// Returns the desk that these settings describe; what cannot be used is left at its default, see [`validate`].
pub fn desk(sla: &SlaSettings, views: &[ViewSettings], watch: &WatchSettings) -> Desk {
    let default = Sla::default();
    let seconds = |text: &str, default| seconds(text).unwrap_or(default);
    Desk {
        sla: Sla {
            critical_s: seconds(&sla.critical, default.critical_s),
            high_s: seconds(&sla.high, default.high_s),
            medium_s: seconds(&sla.medium, default.medium_s),
            low_s: seconds(&sla.low, default.low_s),
        },
        views: views.iter().map(view).collect(),
        watch: watch.parsed().unwrap_or_default(),
    }
}

pub(super) fn view(settings: &ViewSettings) -> View {
    View {
        name: settings.name.clone(),
        filter: settings.filter.clone(),
        fold: match settings.fold {
            Fold::None => Grouping::Off,
            Fold::Kind => Grouping::Stream,
            Fold::Identity => Grouping::Identity,
            Fold::Incident => Grouping::Incident,
        },
    }
}

fn seconds(text: &str) -> Result<u32, String> {
    let s = span_s(text)?;
    u32::try_from(s).map_err(|_| format!("`{text}` is longer than anybody waits"))
}

/// Returns what in these settings cannot be used.
pub fn validate(sla: &SlaSettings, views: &[ViewSettings]) -> Vec<Broken> {
    let key = |parts: &[&str]| parts.iter().map(|p| (*p).to_owned()).collect::<Vec<_>>();
    let spans = [
        ("critical", &sla.critical),
        ("high", &sla.high),
        ("medium", &sla.medium),
        ("low", &sla.low),
    ];
    let mut found: Vec<Broken> = spans
        .into_iter()
        .filter_map(|(name, text)| Some((key(&["sla", name]), seconds(text).err()?)))
        .collect();
    for (at, view) in views.iter().enumerate() {
        let n = at.to_string();
        if let Err(error) = Filter::parse(&view.filter) {
            found.push((key(&["view", &n, "filter"]), error.to_string()));
        }
        if view.name.trim().is_empty() {
            found.push((key(&["view", &n, "name"]), "a view needs a name".to_owned()));
        }
    }
    if views.len() > MOST_VIEWS {
        let problem = format!(
            "{} views are more than the {MOST_VIEWS} digits to choose them with",
            views.len()
        );
        found.push((key(&["view", &MOST_VIEWS.to_string()]), problem));
    }
    found
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_default_is_the_domains() {
        let desk = desk(&SlaSettings::default(), &[], &WatchSettings::default());
        assert_eq!((desk.sla, desk.watch), (Sla::default(), Watch::default()));
        assert_eq!(validate(&SlaSettings::default(), &[]), []);
    }

    #[test]
    fn mistakes_are_named_with_their_key() {
        let sla = SlaSettings {
            high: "soon".to_owned(),
            ..SlaSettings::default()
        };
        let view = |name: &str, filter: &str| ViewSettings {
            name: name.to_owned(),
            filter: filter.to_owned(),
            fold: Fold::Kind,
        };
        let mut views = vec![view("mine", "by:alice"), view(" ", "sev>=hihg")];
        let found = validate(&sla, &views);
        let keys: Vec<String> = found.iter().map(|(key, _)| key.join(".")).collect();
        assert_eq!(keys, ["sla.high", "view.1.filter", "view.1.name"]);
        assert!(found[1].1.starts_with("column 1: no severity `hihg`"));
        views = (0..10).map(|n| view(&n.to_string(), "")).collect();
        assert_eq!(validate(&SlaSettings::default(), &views).len(), 1);
    }
}
