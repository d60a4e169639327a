//! The terms on which a tenant's filter stands: who answers for it, why it is there, and its last day.
//!
//! Sigma has no keys for them; a filter is a hole in the detection, so ours ask who made it and when it closes again.

use std::fmt;

use rsigma_parser::FilterRule;

use super::Filter;
use crate::day::Day;
use crate::refusal::Refusal;
use crate::rule::key;

/// What a filter's keys `owner`, `reason` and `expires` say; each may be missing, which lint tells.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Terms {
    /// Who answers for it.
    pub owner: Option<String>,
    /// Why it is there.
    pub reason: Option<String>,
    /// Its last day, UTC; without it, it holds for ever.
    pub expires: Option<Day>,
}

impl Terms {
    /// Reads the keys of a filter.
    ///
    /// # Errors
    /// [`Refusal::Key`] if one of them has another form than it needs: a filter whose end cannot be read has none.
    pub fn of(filter: &FilterRule) -> Result<Self, Refusal> {
        let keys = &filter.custom_attributes;
        Ok(Self {
            owner: key(keys, "owner")?,
            reason: key(keys, "reason")?,
            expires: key(keys, "expires")?,
        })
    }

    /// True if its last day is before `today`; never if either is not known.
    pub fn have_ended(&self, today: Option<Day>) -> bool {
        match (self.expires, today) {
            (Some(expires), Some(today)) => expires < today,
            _ => false,
        }
    }
}

/// A filter that is no longer applied, because its last day has passed.
#[derive(Debug, Clone)]
pub struct Expired(pub Filter);

impl fmt::Display for Expired {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Filter {
            file, line, sigma, ..
        } = &self.0;
        write!(formatter, "{file}:{line}: filter \"{}\"", sigma.title)?;
        if let Some(owner) = &self.0.terms.owner {
            write!(formatter, " of {owner}")?;
        }
        if let Some(last) = self.0.terms.expires {
            write!(formatter, " ended with {last}")?;
        }
        formatter.write_str(" and is no longer applied: what it left out alerts again")
    }
}
