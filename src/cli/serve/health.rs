//! How a service without a screen is: a line in its log whenever that changes, its state for the service manager, and its
//! exit code.

use std::collections::BTreeMap;

use crate::app::msg::Msg;
use crate::domain::text::show;

/// Who takes the alerts in.
#[derive(Debug, Default)]
enum OnDuty {
    /// Nobody said yet.
    #[default]
    Unknown,
    /// This process.
    Own,
    /// Another one.
    Other(String),
}

/// What is known of its health.
#[derive(Debug, Default)]
pub struct Health {
    /// Who takes the alerts in.
    duty: OnDuty,
    /// Why nothing can be recorded.
    journal: Option<String>,
    /// What an act came to is not in the log.
    unrecorded: Option<String>,
    /// Why the configuration on the disk is not the one in force.
    config: Option<String>,
    /// Sources from which nothing can come, and why.
    sources: BTreeMap<String, String>,
    told: String,
}

impl Health {
    /// Takes in what an analyst would see.
    pub fn note(&mut self, msg: &Msg) {
        match msg {
            Msg::Duty(None) => self.duty = OnDuty::Own,
            Msg::Duty(Some(other)) => self.duty = OnDuty::Other(other.clone()),
            Msg::JournalProblem(problem) => self.journal.clone_from(problem),
            Msg::Unrecorded(text) => self.unrecorded = Some(text.clone()),
            Msg::Source {
                name,
                healthy: false,
                text,
            } => {
                self.sources.insert(name.clone(), text.clone());
            }
            Msg::Source { name, .. } => {
                self.sources.remove(name);
            }
            _ => {}
        }
    }

    /// Notes whether the configuration on the disk could be taken over.
    pub fn configured(&mut self, problem: Option<String>) {
        self.config = problem;
    }

    /// Forgets what its parts said, as they begin anew.
    pub fn begin(&mut self) {
        self.sources.clear();
        self.duty = OnDuty::Unknown;
        self.journal = None;
    }

    /// Tells whether anything is wrong that somebody must mend.
    pub fn is_good(&self) -> bool {
        self.problems().is_empty()
    }

    /// Tells whether the log took everything down: else it ends with a failure.
    pub fn recorded(&self) -> bool {
        self.journal.is_none() && self.unrecorded.is_none()
    }

    fn problems(&self) -> Vec<String> {
        let named = [
            ("journal", &self.journal),
            ("not in the log", &self.unrecorded),
            ("configuration", &self.config),
        ];
        let named = named
            .into_iter()
            .filter_map(|(what, why)| Some(format!("{what}: {}", show(why.as_ref()?))));
        let sources = self.sources.iter();
        let sources = sources.map(|(name, why)| format!("source {}: {}", show(name), show(why)));
        named.chain(sources).collect()
    }

    /// Says how it is, in one line.
    pub fn line(&self) -> String {
        let problems = self.problems();
        let duty = match &self.duty {
            OnDuty::Unknown => "starting".to_owned(),
            OnDuty::Own => "takes the alerts in".to_owned(),
            OnDuty::Other(other) => format!("stands by for {}", show(other)),
        };
        match problems.as_slice() {
            [] => format!("ok, {duty}"),
            some => format!("NOT ok, {duty}; {}", some.join("; ")),
        }
    }

    /// Returns the line if it is another one than was told last.
    pub fn news(&mut self) -> Option<String> {
        let line = self.line();
        (line != self.told).then(|| {
            self.told.clone_from(&line);
            line
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_change_is_told_once_and_what_mends_itself_is_over() {
        let mut health = Health::default();
        assert_eq!(health.news().as_deref(), Some("ok, starting"));
        health.note(&Msg::Duty(None));
        assert_eq!(health.news().as_deref(), Some("ok, takes the alerts in"));
        assert_eq!(health.news(), None);
        let source = |healthy, text: &str| Msg::Source {
            name: "siem".into(),
            healthy,
            text: text.into(),
        };
        health.note(&source(false, "no such file"));
        let line = health.news().unwrap();
        assert!(
            line.starts_with("NOT ok") && line.ends_with("source siem: no such file"),
            "{line}"
        );
        assert!(!health.is_good() && health.recorded());
        health.note(&source(true, "following"));
        assert_eq!(health.news().as_deref(), Some("ok, takes the alerts in"));
        health.configured(Some("line 3".into()));
        assert!(health.news().unwrap().contains("configuration: line 3"));
        health.configured(None);
        health.note(&Msg::JournalProblem(Some("the disk is full".into())));
        assert!(!health.recorded());
        health.note(&Msg::JournalProblem(None));
        assert!(health.is_good() && health.recorded());
        // What an act came to that stands in no log is not over by itself.
        health.note(&Msg::Unrecorded("revoked".into()));
        health.begin();
        assert!(!health.recorded());
    }
}
