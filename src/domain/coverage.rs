//! What a request came to, and what that proves: wire outcomes and the cells of the coverage matrix.

pub mod linked;
pub mod matrix;

use serde::{Deserialize, Serialize};

use super::ids::NodeId;
use super::vocabulary::{Layer, words};

words! {
    /// What happened to one request on the wire (`LOG` §3.6).
    WireOutcome {
        /// Nothing left this host: name resolution, refused connection, TLS failure.
        NotSent = "not_sent",
        /// 2xx.
        Accepted = "accepted",
        /// 202: the provider goes on by itself.
        AcceptedAsync = "accepted_async",
        /// 4xx.
        Rejected = "rejected",
        /// A status that means it already was so.
        NoChange = "no_change",
        /// 429 or 503 until the cap.
        Deferred = "deferred",
        /// 3xx, not followed.
        BlockedRedirect = "blocked_redirect",
        /// Something left and no usable answer came: it may or may not have taken effect.
        Unknown = "unknown",
    }
}

words! {
    /// What is known about one thing to be contained. Shown as a word and a mark.
    CellState {
        /// Nothing was asked for yet.
        Open = "open",
        /// The provider took the request; nothing proves the effect yet.
        Requested = "requested",
        /// A read-back shows it.
        Proven = "proven",
        /// It did not happen, or a read-back shows that it did not hold.
        Failed = "failed",
        /// It may or may not have happened.
        Unknown = "unknown",
        /// It cannot be contained or proven here.
        NotContainable = "not_containable",
        /// People do it; it stands as a hand-off item.
        HandedOff = "handed_off",
    }
}

words! {
    /// What a read-back told.
    Proof {
        /// The filter was true.
        Agrees = "agrees",
        /// It answered, and the filter stayed false to the deadline.
        Disagrees = "disagrees",
        /// No usable answer to the deadline.
        CannotTell = "cannot_tell",
    }
}

/// Which cell of the matrix is meant.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct CellName {
    /// Which node of the map: an identity that was contained, or what is linked with one.
    pub node: NodeId,
    /// Which layer of it.
    pub layer: Layer,
}

impl CellState {
    /// Returns the word as people read it.
    pub fn words(self) -> String {
        self.as_str().replace('_', " ")
    }
}

/// Returns what is known after a request and, once it ran, its read-back.
///
/// A read-back decides wherever it can: a request that was lost may still have taken effect, and an accepted one may
/// have changed nothing (`DESIGN` §4 rule 4).
pub const fn cell(outcome: WireOutcome, proof: Option<Proof>) -> CellState {
    use {CellState as C, Proof as P, WireOutcome as W};
    match (outcome, proof) {
        (
            W::NotSent | W::Rejected | W::BlockedRedirect,
            None | Some(P::Disagrees | P::CannotTell),
        ) => C::Failed,
        (_, Some(P::Agrees)) => C::Proven,
        (_, Some(P::Disagrees)) => C::Failed,
        (W::Accepted | W::AcceptedAsync | W::Deferred | W::NoChange, None) => C::Requested,
        (
            W::Accepted | W::AcceptedAsync | W::Deferred | W::NoChange | W::Unknown,
            Some(P::CannotTell),
        )
        | (W::Unknown, None) => C::Unknown,
    }
}

#[cfg(test)]
mod tests {
    use rstest::rstest;

    use super::*;

    #[rstest]
    #[case(WireOutcome::Accepted, None, CellState::Requested)]
    #[case(WireOutcome::Accepted, Some(Proof::Disagrees), CellState::Failed)]
    #[case(WireOutcome::Accepted, Some(Proof::Agrees), CellState::Proven)]
    #[case(WireOutcome::Accepted, Some(Proof::CannotTell), CellState::Unknown)]
    #[case(WireOutcome::NoChange, Some(Proof::Agrees), CellState::Proven)]
    #[case(WireOutcome::Unknown, Some(Proof::Agrees), CellState::Proven)]
    #[case(WireOutcome::Unknown, Some(Proof::Disagrees), CellState::Failed)]
    #[case(WireOutcome::Unknown, None, CellState::Unknown)]
    #[case(WireOutcome::NotSent, None, CellState::Failed)]
    #[case(WireOutcome::Rejected, Some(Proof::Agrees), CellState::Proven)]
    fn a_200_is_not_proof(
        #[case] outcome: WireOutcome,
        #[case] proof: Option<Proof>,
        #[case] want: CellState,
    ) {
        assert_eq!(cell(outcome, proof), want);
    }
}
