//! The embedded connector files.

/// Name and text of each.
const PRESETS: &[(&str, &str)] = &[
    ("aws_role", include_str!("preset/aws_role.toml")),
    ("aws_user", include_str!("preset/aws_user.toml")),
    ("entra_app", include_str!("preset/entra_app.toml")),
    ("github_app", include_str!("preset/github_app.toml")),
    ("github_exposed", include_str!("preset/github_exposed.toml")),
    (
        "github_repository",
        include_str!("preset/github_repository.toml"),
    ),
    ("gitlab_runner", include_str!("preset/gitlab_runner.toml")),
    ("gitlab_token", include_str!("preset/gitlab_token.toml")),
    ("glewlwyd", include_str!("preset/glewlwyd.toml")),
    (
        "google_service_account",
        include_str!("preset/google_service_account.toml"),
    ),
    ("jupyterhub", include_str!("preset/jupyterhub.toml")),
    ("keycloak", include_str!("preset/keycloak.toml")),
    ("keystone", include_str!("preset/keystone.toml")),
    ("kubernetes", include_str!("preset/kubernetes.toml")),
    ("lab", include_str!("preset/lab.toml")),
    ("oauth", include_str!("preset/oauth.toml")),
    ("okta_api_token", include_str!("preset/okta_api_token.toml")),
    ("okta_app", include_str!("preset/okta_app.toml")),
    ("okta_user", include_str!("preset/okta_user.toml")),
    ("pagerduty", include_str!("preset/pagerduty.toml")),
    ("postgresql", include_str!("preset/postgresql.toml")),
    ("rabbitmq", include_str!("preset/rabbitmq.toml")),
    ("slack_message", include_str!("preset/slack_message.toml")),
    ("slack_token", include_str!("preset/slack_token.toml")),
    ("vault", include_str!("preset/vault.toml")),
    ("webhook", include_str!("preset/webhook.toml")),
];

/// Returns the names of the embedded presets.
pub fn names() -> impl Iterator<Item = &'static str> {
    PRESETS.iter().map(|(name, _)| *name)
}

/// Finds the text of a preset.
pub fn find(name: &str) -> Option<&'static str> {
    PRESETS
        .iter()
        .find(|(known, _)| *known == name)
        .map(|(_, text)| *text)
}
