//! What holds from the alert to the directory.

use super::{Invariant, Predicate};
use crate::limits::LEASE_CONFIRMED_FOR;
use crate::provenance::Provenance;

super::area! {
    /// From the alert to the directory.
    Response {
        /// An action's call begins only after its intent is durable.
        IntentBeforeEffect = "intent_before_effect", kept by ["respond/src/effects.rs"];
        /// An action's call is not made again before the directory was read back.
        ReadBackBeforeRepeat = "read_back_before_repeat", kept by ["respond/src/effects.rs"];
        /// An action is called effective only by what was read back.
        EffectiveByReadBack = "effective_by_read_back", kept by ["respond/src/executor/ending.rs"];
        /// An action is called failed only where each of its calls was surely not carried out.
        FailedByRefusal = "failed_by_refusal", kept by ["respond/src/effects.rs", "respond/src/executor/ending.rs"];
        /// Nothing is sent after the kill switch was acknowledged.
        NothingAfterSwitch = "nothing_after_switch", kept by ["respond/src/effects.rs"];
        /// Only the responder sends that holds the lease and has confirmed it a moment ago.
        OneResponder = "one_responder", kept by ["respond/src/effects.rs"];
        /// Nothing is sent to an account that the never-act list protects.
        NobodyOfNeverAct = "nobody_of_never_act", kept by ["respond/src/never_act.rs", "respond/src/preflight.rs", "respond/src/executor/facts.rs"];
        /// An action that no person approved is sent for evidence that is live throughout.
        AutomaticOnlyLive = "automatic_only_live", kept by ["respond/src/cases/plan.rs", "respond/src/preflight.rs", "respond/src/executor/facts.rs"];
        /// The account that an action is sent to is the one that its evidence names in its own words.
        TargetIsNamed = "target_is_named", kept by ["respond/src/accounts/named.rs", "respond/src/executor/facts.rs"];
        /// An action that a person approved is sent to no other account than the one that was shown to that person.
        TargetIsSeen = "target_is_seen", kept by ["respond/src/preflight/identity.rs", "respond/src/executor/facts.rs"];
    }
}

/// A call that changes something is about to be made.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct EffectBegins {
    /// Whether the intent of this action is durable.
    pub intent_durable: bool,
}

impl Predicate for EffectBegins {
    const INVARIANT: Invariant = Invariant::Response(Response::IntentBeforeEffect);

    fn holds(&self) -> bool {
        self.intent_durable
    }
}

/// A call that changes something is about to be made, perhaps not for the first time.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct EffectRepeats {
    /// Calls of this action that may have been made since the directory was last read.
    pub unread: u32,
}

impl Predicate for EffectRepeats {
    const INVARIANT: Invariant = Invariant::Response(Response::ReadBackBeforeRepeat);

    fn holds(&self) -> bool {
        self.unread == 0
    }
}

/// An action is about to be called effective.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct CalledEffective {
    /// Whether the directory was read after the last call and had what the action wants.
    pub read_back: bool,
}

impl Predicate for CalledEffective {
    const INVARIANT: Invariant = Invariant::Response(Response::EffectiveByReadBack);

    fn holds(&self) -> bool {
        self.read_back
    }
}

/// An action is about to be called failed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct CalledFailed {
    /// Whether one of its calls had no answer that says that it was not carried out.
    pub may_have_happened: bool,
}

impl Predicate for CalledFailed {
    const INVARIANT: Invariant = Invariant::Response(Response::FailedByRefusal);

    fn holds(&self) -> bool {
        !self.may_have_happened
    }
}

/// A call that changes something is about to be sent.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct SentWhileStopped {
    /// Whether the stop was acknowledged to who asked for it.
    pub acknowledged: bool,
}

impl Predicate for SentWhileStopped {
    const INVARIANT: Invariant = Invariant::Response(Response::NothingAfterSwitch);

    fn holds(&self) -> bool {
        !self.acknowledged
    }
}

/// A call that changes something is about to be sent by a responder.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct SentByHolder {
    /// Epoch of the lease that this responder was given.
    pub own_epoch: u64,
    /// Epoch of the lease that was found in force when it was last confirmed.
    pub epoch_in_force: u64,
    /// How long ago that was, time in which the process or machine stood still included, in microseconds.
    pub confirmed_us_ago: u64,
}

impl Predicate for SentByHolder {
    const INVARIANT: Invariant = Invariant::Response(Response::OneResponder);

    fn holds(&self) -> bool {
        let is_fresh = u128::from(self.confirmed_us_ago) <= LEASE_CONFIRMED_FOR.as_micros();
        self.own_epoch == self.epoch_in_force && is_fresh
    }
}

/// An action is about to be sent to an account that may be protected.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TargetSpared {
    /// Object id of the account.
    pub target: String,
    /// Object ids of all whom the never-act list protects.
    pub protected: Vec<String>,
}

impl Predicate for TargetSpared {
    const INVARIANT: Invariant = Invariant::Response(Response::NobodyOfNeverAct);

    fn holds(&self) -> bool {
        !self.protected.contains(&self.target)
    }
}

/// An action is about to be sent because of evidence.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct AutomaticFrom {
    /// Whether the configuration approved it, and no person.
    pub is_automatic: bool,
    /// Where its evidence came from, the weakest of it.
    pub provenance: Provenance,
}

impl Predicate for AutomaticFrom {
    const INVARIANT: Invariant = Invariant::Response(Response::AutomaticOnlyLive);

    fn holds(&self) -> bool {
        !self.is_automatic || self.provenance == Provenance::Live
    }
}

/// An action is about to be sent to an account.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TargetNamed {
    /// Object id of the account.
    pub target: String,
    /// Object ids of whom each piece of evidence names now; empty for nobody.
    pub named: Vec<String>,
}

impl Predicate for TargetNamed {
    const INVARIANT: Invariant = Invariant::Response(Response::TargetIsNamed);

    fn holds(&self) -> bool {
        !self.named.is_empty() && self.named.iter().all(|named| *named == self.target)
    }
}

/// An action is about to be sent to an account.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SentAsSeen {
    /// Object id of the account.
    pub target: String,
    /// Object id of the account that the person who approved it was shown; none where nobody was shown one.
    pub seen: Option<String>,
}

impl Predicate for SentAsSeen {
    const INVARIANT: Invariant = Invariant::Response(Response::TargetIsSeen);

    fn holds(&self) -> bool {
        self.seen.as_ref().is_none_or(|seen| *seen == self.target)
    }
}

#[cfg(test)]
mod tests {
    use super::{
        AutomaticFrom, CalledEffective, CalledFailed, EffectBegins, EffectRepeats, Predicate,
        SentAsSeen, SentByHolder, SentWhileStopped, TargetNamed, TargetSpared,
    };
    use crate::provenance::Provenance;

    #[test]
    fn whom_the_list_protects_is_sent_nothing() {
        let sent = |target: &str| TargetSpared {
            target: target.to_owned(),
            protected: vec!["a".to_owned()],
        };
        assert!(sent("b").holds());
        assert!(!sent("a").holds());
    }

    #[test]
    fn what_is_not_live_needs_a_person() {
        let sent = |is_automatic, provenance| AutomaticFrom {
            is_automatic,
            provenance,
        };
        assert!(sent(true, Provenance::Live).holds());
        assert!(sent(false, Provenance::Imported).holds());
        for provenance in [
            Provenance::Foreign,
            Provenance::Imported,
            Provenance::Unknown,
        ] {
            assert!(!sent(true, provenance).holds());
        }
    }

    #[test]
    fn whom_the_evidence_does_not_name_is_sent_nothing() {
        let sent = |named: &[&str]| TargetNamed {
            target: "a".to_owned(),
            named: named.iter().map(|&id| id.to_owned()).collect(),
        };
        assert!(sent(&["a", "a"]).holds());
        assert!(!sent(&["a", "b"]).holds());
        assert!(!sent(&[]).holds());
    }

    #[test]
    fn another_than_was_seen_is_sent_nothing() {
        let sent = |seen: Option<&str>| SentAsSeen {
            target: "a".to_owned(),
            seen: seen.map(str::to_owned),
        };
        assert!(sent(Some("a")).holds() && sent(None).holds());
        assert!(!sent(Some("b")).holds());
    }

    #[test]
    fn a_call_follows_its_intent() {
        let begins = |intent_durable| EffectBegins { intent_durable };
        assert!(begins(true).holds());
        assert!(!begins(false).holds());
    }

    #[test]
    fn what_may_have_happened_has_not_failed() {
        let fails = |may_have_happened| CalledFailed { may_have_happened };
        assert!(fails(false).holds());
        assert!(!fails(true).holds());
    }

    #[test]
    fn a_call_is_not_repeated_unread() {
        assert!(EffectRepeats { unread: 0 }.holds());
        assert!(!EffectRepeats { unread: 1 }.holds());
    }

    #[test]
    fn effective_is_read_back() {
        assert!(CalledEffective { read_back: true }.holds());
        assert!(!CalledEffective { read_back: false }.holds());
    }

    #[test]
    fn a_stopped_responder_sends_nothing() {
        let sent = |acknowledged| SentWhileStopped { acknowledged };
        assert!(sent(false).holds());
        assert!(!sent(true).holds());
    }

    #[test]
    fn who_lost_the_lease_sends_nothing() {
        let sent = |own_epoch, confirmed_us_ago| SentByHolder {
            own_epoch,
            epoch_in_force: 2,
            confirmed_us_ago,
        };
        assert!(sent(2, 0).holds());
        assert!(sent(2, 1_000_000).holds());
        assert!(!sent(1, 0).holds());
        assert!(!sent(2, 1_000_001).holds());
    }
}
