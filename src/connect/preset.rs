//! The embedded connector files.

/// Name and text of each.
const PRESETS: &[(&str, &str)] = &[
    ("aws_role", include_str!("preset/aws_role.toml")),
    ("aws_user", include_str!("preset/aws_user.toml")),
    ("keycloak", include_str!("preset/keycloak.toml")),
    ("lab", include_str!("preset/lab.toml")),
    ("oauth", include_str!("preset/oauth.toml")),
    ("postgresql", include_str!("preset/postgresql.toml")),
    ("rabbitmq", include_str!("preset/rabbitmq.toml")),
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
