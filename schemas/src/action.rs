//! The states that an action goes through.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

use crate::word::{self, UnknownWord};

/// The state of an action.
///
/// ```text
/// planned ─▶ approved ─▶ intended ─▶ applied ─▶ effective | not_effective | unknown
///    └──────────┴─▶ refused   └─▶ effective | failed | unknown
///               ├─▶ expired
///               └─▶ withdrawn
/// ```
///
/// An action that cannot go on now is held where it stands (see [`ActionState::HELD`]), and goes on by itself.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ActionState {
    /// Waits for approval; in dry-run it stays here.
    Planned,
    /// Waits for its turn.
    Approved,
    /// May have been sent; the receipt is durable.
    Intended,
    /// Was not sent, and will not be.
    Refused,
    /// Was not sent in time: what speaks for it, or its approval, has become too old.
    Expired,
    /// Was not sent, and what spoke for it was taken back.
    Withdrawn,
    /// Was accepted; its effect has not been seen yet.
    Applied,
    /// Its effect was read back.
    Effective,
    /// Was accepted, and its effect did not appear.
    NotEffective,
    /// Was not accepted; what was seen since shows no effect.
    Failed,
    /// Nobody knows: a human must look.
    Unknown,
}

impl ActionState {
    /// Every state.
    pub const ALL: &'static [Self] = &[
        Self::Planned,
        Self::Approved,
        Self::Intended,
        Self::Refused,
        Self::Expired,
        Self::Withdrawn,
        Self::Applied,
        Self::Effective,
        Self::NotEffective,
        Self::Failed,
        Self::Unknown,
    ];

    /// What the audit chain says in place of a state of an action that is held where it stands.
    pub const HELD: &'static str = "held";

    /// The word on the wire.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Planned => "planned",
            Self::Approved => "approved",
            Self::Intended => "intended",
            Self::Refused => "refused",
            Self::Expired => "expired",
            Self::Withdrawn => "withdrawn",
            Self::Applied => "applied",
            Self::Effective => "effective",
            Self::NotEffective => "not_effective",
            Self::Failed => "failed",
            Self::Unknown => "unknown",
        }
    }

    /// Whether the machine has something left to do.
    pub const fn is_runnable(self) -> bool {
        matches!(self, Self::Approved | Self::Intended | Self::Applied)
    }

    /// Whether it has ended.
    pub const fn is_final(self) -> bool {
        matches!(
            self,
            Self::Refused
                | Self::Expired
                | Self::Withdrawn
                | Self::Effective
                | Self::NotEffective
                | Self::Failed
                | Self::Unknown
        )
    }

    /// Whether it ended in a way that a human must look at.
    pub const fn needs_a_human(self) -> bool {
        matches!(
            self,
            Self::Refused | Self::Expired | Self::NotEffective | Self::Failed | Self::Unknown
        )
    }
}

impl fmt::Display for ActionState {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(self.as_str())
    }
}

impl FromStr for ActionState {
    type Err = UnknownWord;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        word::find("action state", Self::ALL, Self::as_str, text)
    }
}
