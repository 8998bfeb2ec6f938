//! Which kinds of alerts are known, how each is told from the others, and what decodes it.

use std::sync::{Arc, LazyLock};

use super::fields::Wrong;
use super::jwt::KeySet;
use super::mapping::{Mapping, MappingError, shipped};
use super::{Decoded, Origin, Undecodable};
use super::{alertmanager, aws, cloudevents, elastic, entra, github, ocsf, okta, ssf};
use crate::intake::json::{Json, Keys};

/// What decoding one object gave: usually one alert or one reason.
pub(super) type Results = Vec<Result<Decoded, Undecodable>>;

/// A kind that is decoded by code.
pub(super) struct Native {
    /// Names of the formats it yields; the first stands for all.
    names: &'static [&'static str],
    /// What sends it.
    title: &'static str,
    /// Where its fields are documented.
    doc: &'static str,
    /// Tells it by its keys.
    detect: fn(&Json<'_>) -> bool,
    decode: fn(&Json<'_>, &Origin<'_>) -> Results,
    /// Keys whose values are secrets.
    secrets: &'static [&'static str],
}

/// Kinds decoded by code. The order decides between kinds that look alike: the more exact stands first.
const NATIVE: &[Native] = &[
    Native {
        names: &[
            "ocsf",
            "ocsf_detection_finding",
            "ocsf_security_finding",
            "ocsf_iam_api",
            "ocsf_event",
        ],
        title: "Open Cybersecurity Schema Framework events",
        doc: "https://schema.ocsf.io/",
        detect: ocsf::detect,
        decode: |value, origin| vec![ocsf::decode(value, origin)],
        secrets: &[],
    },
    Native {
        names: &[ssf::KIND],
        title: "Shared Signals security event tokens (CAEP, RISC)",
        doc: "https://openid.net/specs/openid-sharedsignals-framework-1_0-final.html",
        detect: ssf::detect,
        decode: ssf::decode,
        secrets: &[],
    },
    Native {
        names: &[aws::GUARDDUTY],
        title: "Amazon GuardDuty findings",
        doc: "https://docs.aws.amazon.com/guardduty/latest/APIReference/API_Finding.html",
        detect: aws::is_guardduty,
        decode: aws::decode_guardduty,
        secrets: &[],
    },
    Native {
        names: &[aws::ASFF],
        title: "AWS Security Hub findings (ASFF)",
        doc: "https://docs.aws.amazon.com/securityhub/latest/userguide/securityhub-findings-format-syntax.html",
        detect: aws::is_asff,
        decode: aws::decode_asff,
        secrets: &[],
    },
    Native {
        names: &[alertmanager::WEBHOOK],
        title: "Prometheus Alertmanager webhook",
        doc: "https://prometheus.io/docs/alerting/latest/configuration/#webhook_config",
        detect: alertmanager::is_group,
        decode: alertmanager::decode_group,
        secrets: &[],
    },
    Native {
        names: &[alertmanager::API],
        title: "Prometheus Alertmanager API v2 alerts",
        doc: "https://github.com/prometheus/alertmanager/blob/main/api/v2/openapi.yaml",
        detect: alertmanager::is_alert,
        decode: alertmanager::decode_alert,
        secrets: &[],
    },
    Native {
        names: &[elastic::KIND],
        title: "Elastic Security alerts",
        doc: "https://www.elastic.co/guide/en/security/current/alert-schema.html",
        detect: elastic::detect,
        decode: elastic::decode,
        secrets: &[],
    },
    Native {
        names: &[okta::KIND],
        title: "Okta System Log",
        doc: "https://developer.okta.com/docs/api/openapi/okta-management/management/tag/SystemLog/",
        detect: okta::detect,
        decode: okta::decode,
        secrets: &[],
    },
    Native {
        names: &[github::SECRET_WEBHOOK],
        title: "GitHub secret scanning webhook",
        doc: "https://docs.github.com/en/webhooks/webhook-events-and-payloads#secret_scanning_alert",
        detect: github::is_secret_webhook,
        decode: github::decode_secret_webhook,
        secrets: &["secret"],
    },
    Native {
        names: &[github::SECRET_REST],
        title: "GitHub secret scanning REST alerts",
        doc: "https://docs.github.com/en/rest/secret-scanning/secret-scanning",
        detect: github::is_secret_alert,
        decode: github::decode_secret_alert,
        secrets: &["secret"],
    },
    Native {
        names: &[github::WEBHOOK],
        title: "GitHub webhooks",
        doc: "https://docs.github.com/en/webhooks/webhook-events-and-payloads",
        detect: github::is_webhook,
        decode: github::decode_webhook,
        secrets: &[],
    },
    Native {
        names: &[entra::AGENT],
        title: "Microsoft Entra agent risk detections",
        doc: "https://learn.microsoft.com/en-us/graph/api/resources/agentriskdetection",
        detect: entra::is_agent,
        decode: entra::decode_agent,
        secrets: &[],
    },
    Native {
        names: &[entra::RISK],
        title: "Microsoft Entra risk detections",
        doc: "https://learn.microsoft.com/en-us/graph/api/resources/serviceprincipalriskdetection",
        detect: entra::is_risk,
        decode: entra::decode_risk,
        secrets: &[],
    },
    Native {
        names: &[entra::AUDIT],
        title: "Microsoft Entra audit and sign-in logs",
        doc: "https://learn.microsoft.com/en-us/graph/api/resources/directoryaudit",
        detect: entra::is_audit,
        decode: entra::decode_audit,
        secrets: &[],
    },
    Native {
        names: &[entra::ALERT],
        title: "Microsoft Graph security alerts v2",
        doc: "https://learn.microsoft.com/en-us/graph/api/resources/security-alert",
        detect: entra::is_alert,
        decode: entra::decode_alert,
        secrets: &[],
    },
    Native {
        names: &[entra::ACTIVITY],
        title: "Azure activity log",
        doc: "https://learn.microsoft.com/en-us/azure/azure-monitor/platform/activity-log-schema",
        detect: entra::is_activity,
        decode: entra::decode_activity,
        secrets: &[],
    },
];

/// Kinds so general that every mapping is asked before them.
const GENERAL: &[Native] = &[
    Native {
        names: &[github::AUDIT],
        title: "GitHub audit log",
        doc: "https://docs.github.com/en/organizations/keeping-your-organization-secure/managing-security-settings-for-your-organization/audit-log-events-for-your-organization",
        detect: github::is_audit,
        decode: github::decode_audit,
        secrets: &[],
    },
    Native {
        names: &[cloudevents::KIND],
        title: "CloudEvents 1.0 with unknown content",
        doc: "https://github.com/cloudevents/spec/blob/v1.0.2/cloudevents/formats/json-format.md",
        detect: cloudevents::detect,
        decode: cloudevents::decode,
        secrets: &[],
    },
];

/// One decoder, of either sort.
pub(super) enum Kind<'d> {
    Native(&'d Native),
    Mapping(&'d Mapping),
}

impl Kind<'_> {
    /// Decodes one object.
    pub fn decode(&self, value: &Json<'_>, origin: &Origin<'_>) -> Results {
        match self {
            Self::Native(native) => (native.decode)(value, origin),
            Self::Mapping(mapping) => mapping.decode(value, origin),
        }
    }
}

/// What is known about a kind.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct KindInfo {
    /// Its names, for `--format`.
    pub names: Vec<String>,
    /// What sends it.
    pub title: String,
    /// Where its fields are documented.
    pub doc: String,
    /// Whether a mapping decodes it.
    pub is_mapping: bool,
}

/// All decoders of one run: the shipped ones, mappings of the user, and keys for signed tokens.
#[derive(Debug, Default)]
pub struct Decoders {
    /// Asked before everything else: the user knows better.
    own: Vec<Mapping>,
    keys: Option<KeySet>,
}

/// The shipped mappings; a test loads every one of them, and one that did not load would be missing, not fatal.
static SHIPPED: LazyLock<Vec<Mapping>> = LazyLock::new(|| {
    let all = shipped().iter();
    all.filter_map(|text| Mapping::parse(text).ok()).collect()
});

static PLAIN: LazyLock<Arc<Decoders>> = LazyLock::new(|| Arc::new(Decoders::default()));

impl Decoders {
    /// Returns the shipped decoders.
    pub fn shipped() -> &'static Arc<Self> {
        &PLAIN
    }

    /// Adds a mapping file of the user, checked against its own samples. It wins over shipped decoders.
    pub fn add_mapping(&mut self, text: &str) -> Result<(), MappingError> {
        let mapping = Mapping::load(text)?;
        if self.own.iter().any(|m| m.kind() == mapping.kind()) {
            return Err(MappingError::Twice(mapping.kind().to_owned()));
        }
        self.own.push(mapping);
        Ok(())
    }

    /// Sets the keys with which tokens must be signed.
    pub fn set_keys(&mut self, keys: KeySet) {
        self.keys = Some(keys);
    }

    /// Tells whether tokens are checked against keys.
    pub const fn have_keys(&self) -> bool {
        self.keys.is_some()
    }

    pub(crate) const fn keys(&self) -> Option<&KeySet> {
        self.keys.as_ref()
    }

    /// Tells whether `format` names a kind.
    pub fn knows(&self, format: &str) -> bool {
        self.named(format).is_some()
    }

    /// Lists every kind in the order in which they are asked.
    pub fn kinds(&self) -> Vec<KindInfo> {
        let native = |native: &Native| KindInfo {
            names: native.names.iter().map(|&n| n.to_owned()).collect(),
            title: native.title.to_owned(),
            doc: native.doc.to_owned(),
            is_mapping: false,
        };
        let own = self.own.iter().map(Mapping::info);
        let shipped = SHIPPED.iter().map(Mapping::info);
        own.chain(NATIVE.iter().map(native))
            .chain(shipped)
            .chain(GENERAL.iter().map(native))
            .collect()
    }

    /// Finds the decoder for an object: of the kind asked for if it is one, else the first that knows it.
    pub(super) fn find(&self, format: Option<&str>, value: &Json<'_>) -> Option<Kind<'_>> {
        self.find_by(format, value, &Keys::of(value))
    }

    /// Does the same for an object whose keys were looked at.
    pub(super) fn find_by(
        &self,
        format: Option<&str>,
        value: &Json<'_>,
        keys: &Keys,
    ) -> Option<Kind<'_>> {
        if let Some(format) = format {
            return self.named(format).filter(|kind| kind.detects(value, keys));
        }
        let detects = |kind: &Kind<'_>| kind.detects(value, keys);
        let own = self.own.iter().map(Kind::Mapping);
        let native = NATIVE.iter().map(Kind::Native);
        let first = own.chain(native).find(detects);
        // Shipped mappings are read when somebody needs one: a screen's first alerts mostly do not.
        first.or_else(|| {
            let shipped = SHIPPED.iter().map(Kind::Mapping);
            let general = GENERAL.iter().map(Kind::Native);
            shipped.chain(general).find(detects)
        })
    }

    /// Finds a mapping for an object that nothing knows, but that one would, had a value in it not the wrong type.
    pub(super) fn find_mistyped(&self, value: &Json<'_>) -> Option<Kind<'_>> {
        let mappings = self.own.iter().chain(SHIPPED.iter());
        let mut fitting = mappings.filter(|m| m.may_detect(value));
        fitting.next().map(Kind::Mapping)
    }

    /// Finds the decoder with this name.
    pub(super) fn named(&self, format: &str) -> Option<Kind<'_>> {
        let mappings = self.own.iter().chain(SHIPPED.iter());
        let mapping = mappings.into_iter().find(|m| m.kind() == format);
        let native = || {
            let all = NATIVE.iter().chain(GENERAL);
            all.into_iter().find(|n| n.names.contains(&format))
        };
        mapping
            .map(Kind::Mapping)
            .or_else(|| native().map(Kind::Native))
    }
}

impl Kind<'_> {
    /// Names the keys whose values are secrets.
    pub fn secrets(&self, mut tell: impl FnMut(&str)) {
        match self {
            Self::Native(native) => native.secrets.iter().for_each(|key| tell(key)),
            Self::Mapping(mapping) => mapping.secrets().iter().for_each(|key| tell(key)),
        }
    }

    fn detects(&self, value: &Json<'_>, keys: &Keys) -> bool {
        match self {
            Self::Native(native) => (native.detect)(value),
            Self::Mapping(mapping) => mapping.detects(value, keys),
        }
    }
}

/// Makes the error for a field of the wrong type.
pub(super) fn wrong_type(kind: &str, wrong: Wrong) -> Undecodable {
    Undecodable::WrongType {
        kind: kind.to_owned(),
        path: wrong.path,
        found: wrong.found,
        wanted: wrong.wanted,
    }
}
