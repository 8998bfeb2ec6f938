//! How one API is asked for its alerts, as a TOML file.

use std::collections::BTreeMap;

use serde::Deserialize;

use crate::jq::{Filter, JqError};

/// The files that come with the program, by name.
const PRESETS: &[(&str, &str)] = &[
    ("alertmanager", include_str!("preset/alertmanager.toml")),
    ("auth0", include_str!("preset/auth0.toml")),
    ("aws_guardduty", include_str!("preset/aws_guardduty.toml")),
    (
        "aws_securityhub",
        include_str!("preset/aws_securityhub.toml"),
    ),
    ("elastic", include_str!("preset/elastic.toml")),
    ("entra_risk", include_str!("preset/entra_risk.toml")),
    ("gcp_audit", include_str!("preset/gcp_audit.toml")),
    ("github_audit", include_str!("preset/github_audit.toml")),
    ("github_secrets", include_str!("preset/github_secrets.toml")),
    ("gitlab_audit", include_str!("preset/gitlab_audit.toml")),
    (
        "gitlab_group_audit",
        include_str!("preset/gitlab_group_audit.toml"),
    ),
    ("graph_alerts", include_str!("preset/graph_alerts.toml")),
    (
        "keycloak_events",
        include_str!("preset/keycloak_events.toml"),
    ),
    ("okta", include_str!("preset/okta.toml")),
    ("openai_audit", include_str!("preset/openai_audit.toml")),
    ("sentinel", include_str!("preset/sentinel.toml")),
    ("slack_audit", include_str!("preset/slack_audit.toml")),
    ("splunk", include_str!("preset/splunk.toml")),
    ("wazuh", include_str!("preset/wazuh.toml")),
];

/// One of the descriptions that come with the program.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PresetInfo {
    /// Its name.
    pub name: &'static str,
    /// What it gives, in words.
    pub title: String,
    /// Where its paging is documented.
    pub doc: String,
    /// Parameters, with their defaults; an empty one must be given.
    pub params: BTreeMap<String, String>,
}

/// Returns the descriptions that come with the program.
pub fn presets() -> Result<Vec<PresetInfo>, SpecError> {
    let info = |(name, text): &(&'static str, &str)| {
        let spec = Api::parse(text)?.spec;
        Ok(PresetInfo {
            name,
            title: spec.title,
            doc: spec.doc,
            params: spec.params,
        })
    };
    PRESETS.iter().map(info).collect()
}

/// Returns one of the files that come with the program.
pub(super) fn preset(name: &str) -> Option<&'static str> {
    let found = PRESETS.iter().find(|(known, _)| *known == name);
    found.map(|(_, text)| *text)
}

/// Variables that every request may mention.
pub(super) const VARS: &[&str] = &[
    "since",
    "since_s",
    "since_ms",
    "since_date",
    "now",
    "page",
    "offset",
];

/// What the second step may mention besides.
const IDS: &str = "ids";

/// Why a description cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum SpecError {
    /// Not TOML, an unknown key, or a missing one.
    #[error("{0}")]
    Syntax(String),
    /// A filter cannot be used.
    #[error("`{key}`: {error}")]
    Jq {
        /// Which key.
        key: &'static str,
        /// What is wrong with it.
        error: JqError,
    },
    /// A rule is broken.
    #[error("{0}")]
    Rule(String),
}

/// One API.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Spec {
    /// What it gives, in words.
    pub title: String,
    /// Where its paging is documented.
    pub doc: String,
    /// What decodes its items.
    pub format: Option<String>,
    /// Seconds between two sweeps.
    pub every_s: u64,
    /// How far back the first sweep reaches, in seconds.
    #[serde(default = "a_day")]
    pub first_s: i64,
    /// How far each sweep reaches back before what is stored, in seconds: what was late is not missed.
    #[serde(default)]
    pub overlap_s: i64,
    /// Shortest time between two requests, in milliseconds.
    #[serde(default)]
    pub gap_ms: u64,
    /// Name of an AWS service, where requests are signed for it.
    pub aws_service: Option<String>,
    /// How a bearer token is sent: header and text before it.
    #[serde(default)]
    pub token: TokenSpec,
    /// Parameters with their defaults; an empty default must be given by whoever configures it.
    #[serde(default)]
    pub params: BTreeMap<String, String>,
    pub request: RequestSpec,
    pub answer: AnswerSpec,
    /// The second step, where the list only names its items.
    pub detail: Option<DetailSpec>,
    #[serde(default)]
    pub paging: PagingSpec,
}

const fn a_day() -> i64 {
    86_400
}

/// How a bearer token is sent.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub(super) struct TokenSpec {
    pub header: String,
    pub prefix: String,
}

impl Default for TokenSpec {
    fn default() -> Self {
        Self {
            header: "Authorization".to_owned(),
            prefix: "Bearer ".to_owned(),
        }
    }
}

/// The first request of a sweep. A query field, a form field or a member of a body whose text mentions a variable that
/// has no value is left out.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct RequestSpec {
    #[serde(default)]
    pub is_post: bool,
    pub path: String,
    #[serde(default)]
    pub headers: BTreeMap<String, String>,
    #[serde(default)]
    pub query: BTreeMap<String, String>,
    /// A JSON body; a text that is nothing but a variable becomes its value.
    pub body: Option<toml::Value>,
    /// A form.
    pub form: Option<BTreeMap<String, String>>,
}

/// What is in an answer.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct AnswerSpec {
    /// Whether each line is a document of its own.
    #[serde(default)]
    pub is_lines: bool,
    /// jq: the list of items; of one line, where each line is a document.
    pub items: String,
    /// jq on an item: when the source stored or changed it. Where it stands, the next sweep goes on.
    pub time: Option<String>,
    /// jq on an item: what makes it another version, for APIs that always give the whole list.
    pub revision: Option<String>,
    /// Whether the list holds all that is open, so that what is not in it any more is over.
    #[serde(default)]
    pub is_snapshot: bool,
}

/// How items are asked for that the list only names.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct DetailSpec {
    /// How many are asked for at once.
    pub size: usize,
    /// jq on the answer: the list of items.
    pub items: String,
    /// The request, which mentions `{ids}`.
    pub request: RequestSpec,
}

/// How the next page is asked for.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub(super) struct PagingSpec {
    pub kind: PagingKind,
    /// jq on the answer: address or value of the next page; nothing or an empty text for none.
    pub next: Option<String>,
    /// Whether the next page is asked for by the next sweep where this one found nothing (Okta).
    pub is_kept: bool,
    /// Whether a sweep ends at a page with items older than what is stored: the newest come first and no time can be
    /// asked for.
    pub ends_when_old: bool,
    /// Items of a full page, where pages are counted.
    pub size: u64,
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(super) enum PagingKind {
    /// One answer holds everything.
    #[default]
    None,
    /// `Link: <…>; rel="next"` (RFC 8288).
    Link,
    /// An address in the answer.
    Url,
    /// A value in the answer, which the request mentions as `{page}`.
    Token,
    /// A count, which the request mentions as `{offset}`.
    Offset,
}

/// A description with its filters compiled.
#[derive(Debug)]
pub(super) struct Api {
    pub spec: Spec,
    pub items: Filter,
    pub time: Option<Filter>,
    pub revision: Option<Filter>,
    pub next: Option<Filter>,
    /// Of the second step.
    pub detailed: Option<Filter>,
}

impl Api {
    /// Reads and checks a description.
    pub fn parse(text: &str) -> Result<Self, SpecError> {
        let spec: Spec =
            toml::from_str(text).map_err(|error| SpecError::Syntax(error.to_string()))?;
        check(&spec)?;
        let compile = |key, source: &String| {
            Filter::compile(source, &[]).map_err(|error| SpecError::Jq { key, error })
        };
        let items = compile("answer.items", &spec.answer.items)?;
        let optional = |key, source: &Option<String>| {
            source
                .as_ref()
                .map(|source| compile(key, source))
                .transpose()
        };
        Ok(Self {
            items,
            time: optional("answer.time", &spec.answer.time)?,
            revision: optional("answer.revision", &spec.answer.revision)?,
            next: optional("paging.next", &spec.paging.next)?,
            detailed: optional(
                "detail.items",
                &spec.detail.as_ref().map(|detail| detail.items.clone()),
            )?,
            spec,
        })
    }
}

fn check(spec: &Spec) -> Result<(), SpecError> {
    let rule = |text: String| Err(SpecError::Rule(text));
    if !spec.doc.starts_with("https://") || spec.title.trim().is_empty() {
        return rule("`title` says what it is, `doc` where its paging is documented".to_owned());
    }
    if !(1..=86_400).contains(&spec.every_s) {
        return rule(format!(
            "`every_s` {} is out of range; use 1 to 86400",
            spec.every_s
        ));
    }
    let wants_next = matches!(spec.paging.kind, PagingKind::Url | PagingKind::Token);
    if wants_next != spec.paging.next.is_some() {
        return rule(
            "`paging.next` belongs to the kinds `url` and `token`, and to no other".to_owned(),
        );
    }
    if (spec.paging.kind == PagingKind::Offset) != (spec.paging.size > 0) {
        return rule("`paging.size` belongs to the kind `offset`, and to no other".to_owned());
    }
    if spec.paging.ends_when_old && spec.answer.time.is_none() {
        return rule("`paging.ends_when_old` needs `answer.time`".to_owned());
    }
    let named = mentioned(&spec.request)?;
    let mut known = named.clone();
    if let Some(detail) = &spec.detail {
        let of_detail = mentioned(&detail.request)?;
        if !of_detail.contains(&IDS) || !(1..=1_000).contains(&detail.size) {
            return rule(
                "`detail.request` must mention `{ids}`, and `detail.size` be 1 to 1000".to_owned(),
            );
        }
        known.extend(of_detail.into_iter().filter(|name| *name != IDS));
    }
    let unknown = |name: &&&str| !VARS.contains(name) && !spec.params.contains_key(**name);
    if let Some(name) = known.iter().find(unknown) {
        return rule(format!(
            "the request mentions `{{{name}}}`, which is no parameter"
        ));
    }
    let unpaged = match spec.paging.kind {
        PagingKind::Token => !named.contains(&"page"),
        PagingKind::Offset => !named.contains(&"offset"),
        _ => false,
    };
    if unpaged {
        return rule("the request does not mention `{page}` or `{offset}`".to_owned());
    }
    let is_bounded = named.iter().any(|name| name.starts_with("since"))
        || spec.answer.revision.is_some()
        || spec.paging.ends_when_old
        || spec.paging.is_kept;
    if !is_bounded {
        return rule("the request asks for everything every time; use `{since}`, `revision` or `ends_when_old`".to_owned());
    }
    Ok(())
}

/// Returns the variables that a request mentions.
fn mentioned(request: &RequestSpec) -> Result<Vec<&str>, SpecError> {
    if !request.path.starts_with('/') {
        return Err(SpecError::Rule(
            "`request.path` must begin with `/`".to_owned(),
        ));
    }
    if request.body.is_some() && request.form.is_some() {
        return Err(SpecError::Rule(
            "a request has a `body` or a `form`, not both".to_owned(),
        ));
    }
    let mut texts: Vec<&str> = vec![&request.path];
    texts.extend(request.query.values().map(String::as_str));
    texts.extend(request.headers.values().map(String::as_str));
    let form = request.form.iter().flat_map(BTreeMap::values);
    texts.extend(form.map(String::as_str));
    if let Some(body) = &request.body {
        body_texts(body, &mut texts);
    }
    let mut named = Vec::new();
    for text in texts {
        named.extend(super::request::variables(text).map_err(SpecError::Rule)?);
    }
    Ok(named)
}

fn body_texts<'b>(value: &'b toml::Value, texts: &mut Vec<&'b str>) {
    match value {
        toml::Value::String(text) => texts.push(text),
        toml::Value::Array(items) => items.iter().for_each(|item| body_texts(item, texts)),
        toml::Value::Table(members) => {
            members
                .iter()
                .for_each(|(_, member)| body_texts(member, texts));
        }
        _ => {}
    }
}
