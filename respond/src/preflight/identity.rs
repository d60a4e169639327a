//! Pure: whether the account is certainly whom the evidence names, and whom the person saw who approved the action.

use crate::accounts::Pair;
use crate::accounts::named::{Doubt, Mismatch, Resolved, Sighted, mismatches};
use crate::directory::User;

/// What speaks against an account.
#[derive(Debug, Default)]
pub(super) struct Against {
    /// That the person who approved the action had seen this one.
    pub(super) another: Option<Sighted>,
    /// What nobody may decide.
    pub(super) mismatches: Vec<String>,
    /// What a person who sees it may decide, and none has.
    pub(super) doubts: Vec<Doubt>,
    /// What the person who approved the action was shown of this very account.
    pub(super) waived: Vec<String>,
}

/// What speaks against `account`; `sighted` is what the person saw who approved the action, if a person did.
///
/// Only what was shown is waived; every other doubt is a refusal, for a person as for a machine: who has not seen it has
/// not decided it.
pub(super) fn against(
    account: &User,
    named: &[Resolved],
    pairs: &[Pair],
    mut sighted: Option<&Sighted>,
    now_us: i64,
) -> Against {
    let mut against = Against::default();
    if let Some(other) = sighted.filter(|sighted| sighted.account != account.id) {
        against.another = Some(other.clone());
        sighted = None;
    }
    // A person has pointed at this account then: that time has gone by since says nothing against it.
    let told_us = sighted.map_or(now_us, |sighted| sighted.time_us.min(now_us));
    for mismatch in mismatches(named, account, pairs, told_us) {
        match mismatch {
            Mismatch::Doubt(doubt)
                if sighted.is_some_and(|sighted| sighted.doubts.contains(&doubt)) =>
            {
                against.waived.push(doubt.why);
            }
            Mismatch::Doubt(doubt) => against.doubts.push(doubt),
            Mismatch::Other(why) => against.mismatches.push(why),
        }
    }
    against
}
