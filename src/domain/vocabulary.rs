//! The closed word lists that decoders, playbooks, connectors, the journal and the screens share (`DESIGN` §1).

/// Declares an enum whose variants have one spelling each, used in files, JSON and on screen alike.
macro_rules! words {
    ($(#[$doc:meta])* $name:ident { $($(#[$vdoc:meta])* $variant:ident = $word:literal),+ $(,)? }) => {
        $(#[$doc])*
        #[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, serde::Serialize, serde::Deserialize)]
        pub enum $name { $($(#[$vdoc])* #[serde(rename = $word)] $variant),+ }

        impl $name {
            /// All members, in order of declaration.
            pub const ALL: &'static [Self] = &[$(Self::$variant),+];

            /// Returns the one spelling of this word.
            pub const fn as_str(self) -> &'static str {
                match self { $(Self::$variant => $word),+ }
            }

            /// Finds the member with exactly this spelling.
            pub fn parse(word: &str) -> Option<Self> {
                Self::ALL.iter().copied().find(|m| m.as_str() == word)
            }
        }

        impl std::fmt::Display for $name {
            fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                f.pad(self.as_str())
            }
        }
    };
}

pub(crate) use words;

words! {
    /// How bad an alert is, in OCSF terms (`severity_id` 1 to 5; 6 *Fatal* counts as critical). The order is the rank.
    Severity {
        /// OCSF 1.
        Info = "info",
        /// OCSF 2.
        Low = "low",
        /// OCSF 3.
        Medium = "medium",
        /// OCSF 4.
        High = "high",
        /// OCSF 5 and 6.
        Critical = "critical",
    }
}

words! {
    /// What kind of thing holds the access.
    IdentityKind {
        /// A machine account of a directory or cloud.
        ServiceAccount = "service_account",
        /// A long-lived cloud key pair.
        AccessKey = "access_key",
        /// An OAuth 2.0 client (RFC 6749 §2).
        OauthClient = "oauth_client",
        /// A token or deploy key of a CI/CD system.
        CiToken = "ci_token",
        /// An installed app of a code host or SaaS.
        AppInstallation = "app_installation",
        /// A temporary session of an assumed role.
        RoleSession = "role_session",
        /// A static API token.
        ApiToken = "api_token",
        /// An AI agent with tools.
        AiAgent = "ai_agent",
        /// A workload identity.
        Workload = "workload",
        /// A person's account.
        Human = "human",
        /// A mailbox or collaboration account.
        Mailbox = "mailbox",
        /// Not known.
        Unknown = "unknown",
    }
}

words! {
    /// What happened, as decoders, playbooks and policy name it.
    ActionPattern {
        /// A secret was found where it can be read.
        CredentialExposed = "credential_exposed",
        /// A credential was used in an unusual way.
        CredentialUsedAnomalously = "credential_used_anomalously",
        /// A token was used from elsewhere.
        TokenReplay = "token_replay",
        /// A credential was minted or added.
        CredentialCreatedOrAdded = "credential_created_or_added",
        /// Rights grew.
        PrivilegeEscalated = "privilege_escalated",
        /// A consent or delegated grant was added.
        ConsentOrGrantAdded = "consent_or_grant_added",
        /// A secret was read.
        SecretRead = "secret_read",
        /// Something was touched for the first time.
        FirstTimeAccess = "first_time_access",
        /// Unusual volume, or tools chained.
        VolumeOrChaining = "volume_or_chaining",
        /// Movement across systems outside the approved workflow.
        CrossSystemMovement = "cross_system_movement",
        /// Session policy or lifetime violated.
        SessionPolicyViolation = "session_policy_violation",
        /// An agent left its approved intent.
        AgentBeyondIntent = "agent_beyond_intent",
        /// After a click on something malicious.
        PostClick = "post_click",
        /// A permission changed.
        PermissionChanged = "permission_changed",
        /// A recovery channel changed.
        RecoveryTampered = "recovery_tampered",
        /// An identity that should be idle is active.
        StaleIdentityActive = "stale_identity_active",
        /// Logging or detection was weakened.
        DefenseTampered = "defense_tampered",
        /// Reconnaissance.
        Recon = "recon",
        /// Data left.
        DataExfil = "data_exfil",
        /// Code ran in a workload.
        WorkloadExec = "workload_exec",
        /// CAEP session-revoked.
        SessionRevokedSignal = "session_revoked_signal",
        /// CAEP credential-change.
        CredentialChangedSignal = "credential_changed_signal",
        /// RISC account state.
        AccountStateSignal = "account_state_signal",
        /// A configuration weakness, nothing happened yet.
        Posture = "posture",
        /// None of these.
        Other = "other",
    }
}

words! {
    /// What a containment step does. D3FEND names: <https://d3fend.mitre.org/>.
    Verb {
        /// Stores what is there before anything changes.
        PreserveEvidence = "preserve_evidence",
        /// A person looks at the sessions.
        ReviewSessions = "review_sessions",
        /// Closer monitoring.
        Watch = "watch",
        /// Ends live sessions.
        RevokeSessions = "revoke_sessions",
        /// Makes issued tokens invalid.
        RevokeTokens = "revoke_tokens",
        /// Removes delegated consents.
        RevokeGrants = "revoke_grants",
        /// Replaces a secret.
        RotateSecret = "rotate_secret",
        /// Issues a credential beside those that are in use, which go on working.
        IssueCredential = "issue_credential",
        /// Turns off those that another was issued beside, once whoever used them has the new one.
        RetireCredential = "retire_credential",
        /// Turns one credential off.
        DisableCredential = "disable_credential",
        /// Turns the whole identity off.
        DisableIdentity = "disable_identity",
        /// Removes roles or scopes.
        RestrictPrivilege = "restrict_privilege",
        /// Blocks one class of acts.
        BlockAction = "block_action",
        /// Cuts a workload off.
        IsolateWorkload = "isolate_workload",
        /// Blocks network paths.
        BlockNetwork = "block_network",
        /// Cuts a mailbox off.
        IsolateMailbox = "isolate_mailbox",
        /// Stops a pipeline's rights.
        FreezePipeline = "freeze_pipeline",
        /// Pauses an agent.
        PauseAgent = "pause_agent",
        /// Takes a tool from an agent.
        UnbindTool = "unbind_tool",
        /// Secures a recovery path.
        ProtectRecovery = "protect_recovery",
        /// Looks at linked accounts.
        CheckLinked = "check_linked",
        /// Tells the owner.
        NotifyOwner = "notify_owner",
        /// Opens a ticket.
        OpenTicket = "open_ticket",
    }
}

impl Verb {
    /// Returns the MITRE D3FEND technique id, where one exists.
    pub const fn d3fend(self) -> Option<&'static str> {
        Some(match self {
            Self::RevokeSessions => "D3-ST",
            Self::RevokeTokens
            | Self::DisableCredential
            | Self::RetireCredential
            | Self::RevokeGrants => "D3-CR",
            Self::RotateSecret | Self::IssueCredential => "D3-CRO",
            Self::DisableIdentity => "D3-AL",
            Self::RestrictPrivilege
            | Self::BlockAction
            | Self::FreezePipeline
            | Self::UnbindTool => "D3-UAP",
            Self::IsolateWorkload | Self::PauseAgent => "D3-EI",
            Self::BlockNetwork => "D3-NI",
            Self::ReviewSessions | Self::Watch => "D3-UBA",
            _ => return None,
        })
    }

    /// Tells whether this cuts off everybody who uses the identity, not just one of its sessions or credentials.
    pub const fn cuts_everybody(self) -> bool {
        matches!(
            self,
            Self::DisableIdentity
                | Self::RotateSecret
                | Self::IsolateWorkload
                | Self::FreezePipeline
        )
    }

    /// Tells whether this takes something from whoever holds the identity: evidence, messages, looks and a credential more
    /// do not.
    pub const fn contains(self) -> bool {
        self.changes() && !matches!(self, Self::IssueCredential)
    }

    /// Tells whether this changes anything at a provider.
    pub const fn changes(self) -> bool {
        !matches!(self, Self::PreserveEvidence) && !self.is_manual()
    }

    /// Tells whether people do this, not a provider: the step becomes a hand-off item.
    pub const fn is_manual(self) -> bool {
        matches!(
            self,
            Self::ReviewSessions
                | Self::Watch
                | Self::CheckLinked
                | Self::NotifyOwner
                | Self::OpenTicket
        )
    }
}

words! {
    /// How far a step goes. The order is the rank.
    Tier {
        /// Looks only.
        Monitor = "monitor",
        /// Narrow and quickly taken back.
        Soft = "soft",
        /// Interrupts what depends on the identity.
        Hard = "hard",
    }
}

words! {
    /// Where an attacker can hold on. A row of the coverage matrix.
    Layer {
        /// Live logins.
        Sessions = "sessions",
        /// Issued tokens.
        Tokens = "tokens",
        /// Long-lived secrets and keys.
        Credentials = "credentials",
        /// Delegated consents.
        Grants = "grants",
        /// Roles and scopes.
        Permissions = "permissions",
        /// Running code.
        Workload = "workload",
        /// Build and deploy.
        Pipeline = "pipeline",
        /// Ways back in.
        Recovery = "recovery",
        /// Neighbours with the same store or trust boundary.
        Siblings = "siblings",
    }
}

words! {
    /// What drives an identity.
    Driver {
        /// A person.
        Human = "human",
        /// A script or service.
        Script = "script",
        /// Acts on its own judgement.
        Autonomous = "autonomous",
        /// Not known.
        Unknown = "unknown",
    }
}

words! {
    /// How much hangs on a thing. The order is the rank.
    Criticality {
        /// Nobody would call.
        Low = "low",
        /// Somebody would notice.
        Medium = "medium",
        /// Work stops.
        High = "high",
        /// The business stops.
        BusinessCritical = "business_critical",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_word_reads_back_and_serialises_alike() {
        for verb in Verb::ALL {
            assert_eq!(Verb::parse(verb.as_str()), Some(*verb));
            assert_eq!(serde_json::to_string(verb).unwrap(), format!("\"{verb}\""));
        }
        for pattern in ActionPattern::ALL {
            assert_eq!(ActionPattern::parse(pattern.as_str()), Some(*pattern));
        }
    }

    #[test]
    fn order_is_rank() {
        assert!(Severity::Critical > Severity::High && Tier::Hard > Tier::Soft);
    }
}
