//! The terms on which a tenant's filter stands: who answers for it, why it is there, and its last day.
//!
//! Sigma has no keys for them; a filter is a hole in the detection, so ours ask who made it and when it closes again.

use rsigma_parser::FilterRule;

use crate::error::RuleError;
use crate::metadata::Day;
use crate::metadata::keys::key;

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
    /// [`RuleError::Key`] if one of them has another form than it needs: a filter whose end cannot be read has none.
    pub fn of(filter: &FilterRule) -> Result<Self, RuleError> {
        let keys = &filter.custom_attributes;
        Ok(Self {
            owner: key(keys, "owner")?,
            reason: key(keys, "reason")?,
            expires: key(keys, "expires")?,
        })
    }

    /// True if its last day is before `today`; never if either is not known.
    pub(crate) fn have_ended(&self, today: Option<Day>) -> bool {
        match (self.expires, today) {
            (Some(expires), Some(today)) => expires < today,
            _ => false,
        }
    }
}
