//! A match of a rule, as correlations see it.

use std::sync::Arc;

use schemas::provenance::Provenance;

/// Who and what a match is about; empty where the record does not say.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Subject {
    /// User principal name, its ASCII letters in lower case.
    pub user: Arc<str>,
    /// Object id of the account.
    pub user_id: Arc<str>,
    /// Address.
    pub ip: Arc<str>,
    /// Session.
    pub session_id: Arc<str>,
}

impl Subject {
    /// How much it says about whom it is about: of name and object id none, one or both.
    pub(super) fn account_parts(&self) -> u8 {
        u8::from(!self.user.is_empty()) + u8::from(!self.user_id.is_empty())
    }

    /// What tells the account from others: name and object id as they are told, their ASCII letters in lower case.
    ///
    /// No other letters are folded: a name that looks like another one is not that one.
    pub(super) fn account(&self) -> String {
        format!("{}\u{1f}{}", self.user, self.user_id).to_ascii_lowercase()
    }

    /// Whether it says nothing about an account, or shares name or object id with `other` and contradicts neither.
    pub(super) fn may_be_about_the_account_of(&self, other: &Self) -> bool {
        let pairs = [(&self.user, &other.user), (&self.user_id, &other.user_id)];
        let told = || {
            pairs
                .iter()
                .filter(|(one, other)| !one.is_empty() && !other.is_empty())
                .map(|(one, other)| one.eq_ignore_ascii_case(other))
        };
        self.account_parts() == 0
            || (told().any(|is_same| is_same) && told().all(|is_same| is_same))
    }
}

/// Where the lake keeps the record behind a match.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Evidence {
    /// Name of the table.
    pub table: Arc<str>,
    /// The event's id.
    pub event_id: Arc<str>,
    /// Path of the file inside the table's folder.
    pub file: Arc<str>,
    /// Row in that file.
    pub row: u64,
    /// Delta version that added the file.
    pub version: i64,
}

/// A match of a rule, or the outcome of a correlation that another one refers to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Signal {
    /// Hash of tenant, rule and event: the same match makes the same id.
    pub id: u128,
    /// The tenant.
    pub tenant_id: Arc<str>,
    /// The rule's id.
    pub rule_id: Arc<str>,
    /// When the event happened, in microseconds since the Unix epoch, UTC; when it was accepted where it does not say.
    pub time_us: i64,
    /// When vedette accepted the event.
    pub accepted_time_us: i64,
    /// What the record has in the fields that correlations ask for, by the name that they use; absent ones are left out.
    pub fields: Box<[(Arc<str>, Arc<str>)]>,
    /// Who and what it is about.
    pub subject: Subject,
    /// The record; of an outcome, its records.
    pub evidence: Box<[Evidence]>,
    /// Where the record came from; of an outcome, what its records are together.
    pub provenance: Provenance,
}

impl Signal {
    /// What it has in a field.
    pub fn field(&self, name: &str) -> Option<&Arc<str>> {
        let mut fields = self.fields.iter();
        fields
            .find(|(known, _)| **known == *name)
            .map(|(_, value)| value)
    }
}
