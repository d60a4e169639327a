//! Where evidence came from, and so what may be done because of it.

use std::fmt;
use std::str::FromStr;

/// Where a record came from; it travels from event to signal, alert and case.
///
/// An automatic action needs evidence that is [`Provenance::Live`] throughout: a file can say anything.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
pub enum Provenance {
    /// It came from a live connector, and names that connector's tenant or none.
    Live,
    /// It came from a live connector and names another tenant than the connector's.
    Foreign,
    /// Somebody read it from a file.
    Imported,
    /// It does not say: it was written before provenance was kept, or by something else.
    #[default]
    Unknown,
}

impl Provenance {
    /// The word on the wire; empty for [`Provenance::Unknown`].
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Live => "live",
            Self::Foreign => "foreign",
            Self::Imported => "imported",
            Self::Unknown => "",
        }
    }

    /// What several pieces of evidence are together: no better than the weakest of them.
    #[must_use]
    pub fn and(self, other: Self) -> Self {
        self.max(other)
    }
}

impl fmt::Display for Provenance {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(self.as_str())
    }
}

impl FromStr for Provenance {
    type Err = std::convert::Infallible;

    /// Reads the word on the wire; what is not one of them is unknown.
    fn from_str(text: &str) -> Result<Self, Self::Err> {
        Ok(match text {
            "live" => Self::Live,
            "foreign" => Self::Foreign,
            "imported" => Self::Imported,
            _ => Self::Unknown,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::Provenance;

    #[test]
    fn evidence_is_no_better_than_its_weakest_piece() {
        let all = [
            Provenance::Live,
            Provenance::Foreign,
            Provenance::Imported,
            Provenance::Unknown,
        ];
        for one in all {
            assert_eq!(Ok(one), one.as_str().parse());
            for other in all {
                let both = one.and(other);
                assert_eq!(both, other.and(one));
                assert_eq!(
                    both == Provenance::Live,
                    one == Provenance::Live && other == Provenance::Live
                );
            }
        }
    }
}
