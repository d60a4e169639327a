//! How alerts are ranked: Sigma's five levels, which Microsoft's map to.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

use crate::word::{self, UnknownWord};

/// Severity of an alert, from least to most.
///
/// Source: Sigma 2.1.0, rule attribute `level`.
#[derive(
    Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default, Serialize, Deserialize,
)]
#[serde(rename_all = "lowercase")]
pub enum Severity {
    /// Worth knowing.
    #[default]
    Informational,
    /// Worth a look in a quiet hour.
    Low,
    /// Worth a look today.
    Medium,
    /// Worth a look now.
    High,
    /// An account or the tenant is lost unless somebody acts.
    Critical,
}

impl Severity {
    /// Every severity, in order.
    pub const ALL: &'static [Self] = &[
        Self::Informational,
        Self::Low,
        Self::Medium,
        Self::High,
        Self::Critical,
    ];

    /// The word on the wire.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Informational => "informational",
            Self::Low => "low",
            Self::Medium => "medium",
            Self::High => "high",
            Self::Critical => "critical",
        }
    }

    /// Reads Microsoft's `alerts_v2` severity; an unknown one counts as medium, so that somebody looks.
    ///
    /// Source: Microsoft Graph, `microsoft.graph.security.alertSeverity`.
    pub fn from_graph(text: &str) -> Self {
        text.to_ascii_lowercase().parse().unwrap_or(Self::Medium)
    }
}

impl fmt::Display for Severity {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(self.as_str())
    }
}

impl FromStr for Severity {
    type Err = UnknownWord;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        word::find("severity", Self::ALL, Self::as_str, text)
    }
}

#[cfg(test)]
mod tests {
    use super::Severity;

    #[test]
    fn orders_from_least_to_most() {
        assert!(Severity::Informational < Severity::Low);
        assert!(Severity::High < Severity::Critical);
    }

    #[test]
    fn reads_microsofts_words_and_lets_somebody_look_at_unknown_ones() {
        assert_eq!(Severity::from_graph("High"), Severity::High);
        assert_eq!(Severity::from_graph("unknownFutureValue"), Severity::Medium);
    }
}
