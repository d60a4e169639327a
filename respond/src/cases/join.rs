//! Pure: which cases turn out to be about one account, and what becomes of them.
//!
//! The case that was opened first goes on with the alerts of all; the others are closed, name it, and keep their
//! alerts and their actions as they are. An action stays in the case that planned it, and is looked at with those
//! of the case that goes on: nothing that one of them has done is planned again by the other.

use schemas::case::CaseStatus;

use super::{Case, SeenAlert};

/// Cases of one account, as they are to stand.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Join {
    /// The case that goes on.
    pub into: Case,
    /// The cases that were merged into it.
    pub from: Vec<Case>,
    /// The newest of their alerts that was not withdrawn: what is planned for all follows from it.
    pub trigger: Option<SeenAlert>,
}

/// The cases that are to be one, by an alert that knows both halves of its account.
///
/// They are those that would have been one had the account been known: within the window of the older one, and not
/// both known whole, because whole cases of one account are apart for a reason.
pub fn joins(alert: &SeenAlert, cases: &[Case], window_us: i64, now_us: i64) -> Vec<Join> {
    if alert.user.is_empty() || alert.user_id.is_empty() {
        return Vec::new();
    }
    let mut found: Vec<&Case> = cases
        .iter()
        .filter(|case| case.merged_into.is_none() && case.is_about(alert))
        .collect();
    found.sort_by_key(|case| (case.opened_time_us, case.anchor_time_us, &case.case_id));
    let mut joins: Vec<Join> = Vec::new();
    for case in found {
        let older = joins
            .iter_mut()
            .find(|join| belong_together(&join.into, case, window_us));
        match older {
            Some(join) => join.take(case, now_us),
            None => joins.push(Join {
                into: case.clone(),
                from: Vec::new(),
                trigger: None,
            }),
        }
    }
    joins.retain(|join| !join.from.is_empty());
    for join in &mut joins {
        join.into.learn(&alert.user, &alert.user_id);
    }
    joins
}

fn belong_together(older: &Case, newer: &Case, window_us: i64) -> bool {
    let apart_us = older.anchor_time_us.abs_diff(newer.anchor_time_us);
    apart_us <= window_us.unsigned_abs() && !(older.is_whole() && newer.is_whole())
}

impl Case {
    fn is_whole(&self) -> bool {
        !self.user.is_empty() && !self.user_id.is_empty()
    }
}

impl Join {
    fn take(&mut self, case: &Case, now_us: i64) {
        self.into.alerts_count = self.into.alerts_count() + case.alerts_count();
        for alert in &case.alerts {
            if alert.stands()
                && self
                    .trigger
                    .as_ref()
                    .is_none_or(|known| known.accepted_time_us <= alert.accepted_time_us)
            {
                self.trigger = Some(alert.clone());
            }
            self.into.carry(alert.clone());
        }
        let labels = case.labels().into_iter().map(str::to_owned);
        self.into.labels.extend(labels);
        self.into.severity = self.into.severity.max(case.severity);
        if self.into.status == CaseStatus::New {
            self.into.status = case.status;
        }
        self.into.revision += u64::from(self.from.is_empty());
        self.into.changed_time_us = now_us;
        let into = &self.into.case_id;
        self.from.push(Case {
            title: format!("{} (merged into case {into})", case.title),
            status: CaseStatus::Closed,
            merged_into: Some(into.clone()),
            revision: case.revision + 1,
            changed_time_us: now_us,
            ..case.clone()
        });
    }
}
