//! What became of an alert.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

use crate::word::{self, UnknownWord};

/// The state of an alert, which each of its versions has.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum AlertState {
    /// It was not told before.
    Raised,
    /// It is told again, with other words.
    Amended,
    /// It does not hold any more: something came that was missing, or whoever raised it took it back.
    Withdrawn,
}

impl AlertState {
    /// Every state.
    pub const ALL: &'static [Self] = &[Self::Raised, Self::Amended, Self::Withdrawn];

    /// The word on the wire.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Raised => "raised",
            Self::Amended => "amended",
            Self::Withdrawn => "withdrawn",
        }
    }

    /// Whether it counts: it was not taken back.
    pub const fn stands(self) -> bool {
        !matches!(self, Self::Withdrawn)
    }
}

impl fmt::Display for AlertState {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(self.as_str())
    }
}

impl FromStr for AlertState {
    type Err = UnknownWord;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        word::find("alert state", Self::ALL, Self::as_str, text)
    }
}
