//! How often what is done now and then is done, by whom and when.

use super::plans::Errand;

/// Who does it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum RunBy {
    Staff,
    Developers,
    HelpDesk,
    Administrators,
    /// The administrators who hold no role while they do not need it.
    EligibleAdministrators,
    Printers,
}

/// When it is done.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum RunWhen {
    AtWork,
    BeforeWork,
    /// Within the first hours of somebody's work.
    InTheMorning,
    FirstHourOfMonday,
}

/// How often an errand is done.
#[derive(Debug, Clone, Copy)]
pub(super) struct ErrandRate {
    pub(super) errand: Errand,
    pub(super) by: RunBy,
    pub(super) when: RunWhen,
    /// Times in a working day of ten thousand people.
    pub(super) times: u64,
}

/// An errand during work.
pub(super) const fn at_work(errand: Errand, by: RunBy, times: u64) -> ErrandRate {
    ErrandRate {
        errand,
        by,
        when: RunWhen::AtWork,
        times,
    }
}
