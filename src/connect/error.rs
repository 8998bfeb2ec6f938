//! Why a connector cannot be loaded, bound or asked.

use super::auth::AuthError;
use super::http::HttpError;
use super::jq::JqError;
use super::secret::SecretError;
use super::template::TemplateError;
use crate::domain::vocabulary::Verb;

/// Why a connector cannot be loaded, bound or asked. Never holds a secret.
#[derive(Debug, thiserror::Error)]
pub enum ConnectError {
    /// The file cannot be read.
    #[error("cannot read connector file `{file}`: {error}")]
    File {
        /// Which file.
        file: String,
        /// What the system said.
        error: String,
    },
    /// Not TOML, an unknown key, or a missing block; the text names line and column.
    #[error("connector file `{file}`: {error}")]
    Syntax {
        /// Which file.
        file: String,
        /// Where and what.
        error: String,
    },
    /// A rule that every connector keeps is broken.
    #[error("connector file `{file}`, {block}: {problem}")]
    Lint {
        /// Which file.
        file: String,
        /// Which block.
        block: String,
        /// Which rule, and the way out.
        problem: String,
    },
    /// The settings do not fit the connector.
    #[error("connector `{connector}`: {problem}")]
    Settings {
        /// Which configured connector.
        connector: String,
        /// What is wrong, and the way out.
        problem: String,
    },
    /// The client could not be built.
    #[error("connector `{connector}`: {error}")]
    Http {
        /// Which configured connector.
        connector: String,
        /// What is wrong.
        error: HttpError,
    },
    /// A parameter is missing or malformed.
    #[error("parameter `{name}` {problem}")]
    Param {
        /// Which parameter.
        name: String,
        /// What is wrong, and the way out.
        problem: String,
    },
    /// A template could not be filled.
    #[error("{block}: {error}")]
    Template {
        /// Which block.
        block: String,
        /// Why.
        error: TemplateError,
    },
    /// A filter gave nothing usable.
    #[error("{block}: {error}")]
    Jq {
        /// Which block.
        block: String,
        /// Why.
        error: JqError,
    },
    /// A read was not answered usefully.
    #[error("cannot read `{id}`: {why}")]
    Read {
        /// Which read.
        id: String,
        /// Why.
        why: String,
    },
    /// A read was answered, and what is needed is not there.
    #[error("`{id}` gave no `{var}`: {missing}")]
    Missing {
        /// Which lookup.
        id: String,
        /// Which variable.
        var: String,
        /// What that means.
        missing: String,
    },
    /// The identity's card names no copy of a secret that the provider must be shown.
    #[error(
        "no credential of kind `{0}` with a `secret_ref` on the identity's card; add where a copy may be read"
    )]
    NoCredential(String),
    /// The connector does not offer this.
    #[error("connector `{connector}` has no action `{verb}`; its actions are: {offered}")]
    NoAction {
        /// Which configured connector.
        connector: String,
        /// What was asked for.
        verb: Verb,
        /// What there is.
        offered: String,
    },
    /// The console would cut itself off.
    #[error("`{0}` is the console's own account at this provider; contain it from another account")]
    OwnAccount(String),
    /// The connector file forbids to act on this identity.
    #[error("{0}")]
    Untouchable(String),
    /// More targets than one step should have.
    #[error(
        "{block}: `{var}` has {count} elements, more than {max}; narrow the lookup or act in the provider's own console"
    )]
    TooMany {
        /// Which request.
        block: String,
        /// Which variable.
        var: String,
        /// How many.
        count: usize,
        /// The bound.
        max: usize,
    },
    /// A request of a plan does not fit this connector.
    #[error("request `{id}` is refused: {why}")]
    Refused {
        /// Which request.
        id: String,
        /// Why.
        why: String,
    },
    /// A new secret would be lost.
    #[error("there is no place for a new secret: {0}")]
    NoPlace(String),
    /// A secret to send cannot be read.
    #[error("cannot read a secret to send: {0}")]
    Secret(#[from] SecretError),
    /// The console could not identify itself.
    #[error("{0}")]
    Auth(#[from] AuthError),
}
