//! The mappings that come with the program.

/// Returns their texts in the order in which they are asked: kinds with exact marks first.
pub(in crate::intake::decode) const fn shipped() -> &'static [&'static str] {
    &[
        include_str!("shipped/aws_cloudtrail.toml"),
        include_str!("shipped/aws_health.toml"),
        include_str!("shipped/gcp_audit.toml"),
        include_str!("shipped/gcp_scc.toml"),
        include_str!("shipped/k8s_audit.toml"),
        include_str!("shipped/vault_audit.toml"),
        include_str!("shipped/wazuh_finding_v5.toml"),
        include_str!("shipped/wazuh_alert.toml"),
        include_str!("shipped/tracebit_alert.toml"),
        include_str!("shipped/wiz_detection.toml"),
        include_str!("shipped/wiz_issue.toml"),
        include_str!("shipped/openai_audit.toml"),
        include_str!("shipped/anthropic_activity.toml"),
        include_str!("shipped/slack_audit.toml"),
        include_str!("shipped/auth0_log.toml"),
        include_str!("shipped/keycloak_event.toml"),
        include_str!("shipped/sentinel_incident.toml"),
        include_str!("shipped/splunk_notable.toml"),
        include_str!("shipped/trufflehog.toml"),
        include_str!("shipped/gitleaks.toml"),
        include_str!("shipped/gitlab_secret_report.toml"),
        include_str!("shipped/gitlab_token.toml"),
        include_str!("shipped/gitlab_audit.toml"),
        include_str!("shipped/falco.toml"),
    ]
}
