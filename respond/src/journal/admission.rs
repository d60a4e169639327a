//! From alerts to cases and plans, in one transaction.

use rusqlite::{OptionalExtension, Transaction, params};

use super::{Admitted, JournalError, rows};
use crate::cases::{self, Case, Change, Intake, Known, SeenAlert};
use crate::record::ActionRecord;

/// Most earlier alerts that a new case takes in.
const WAITING_MAX: usize = 1_000;

/// Most cases of one account that are looked at for an alert.
const CASES_MAX: usize = 100;

/// What is known about an alert and its account.
fn known(transaction: &Transaction<'_>, alert: &SeenAlert) -> Result<Known, JournalError> {
    let seen: Option<(String, Option<String>)> = transaction
        .prepare_cached("SELECT body, case_id FROM alerts WHERE tenant_id = ?1 AND alert_id = ?2")?
        .query_row(params![alert.tenant_id, alert.alert_id], |row| {
            Ok((row.get(0)?, row.get(1)?))
        })
        .optional()?;
    let seen = match seen {
        Some((body, case_id)) => Some((rows::read::<SeenAlert>(&body, "an alert")?, case_id)),
        None => None,
    };
    let own = seen
        .as_ref()
        .and_then(|(_, case_id)| case_id.as_deref())
        .unwrap_or_default();
    let cases = rows::bodies(
        transaction,
        "SELECT body FROM cases WHERE case_id = ?1 OR (tenant_id = ?2 AND ((user <> '' AND user = ?3) \
         OR (user_id <> '' AND user_id = ?4))) ORDER BY anchor_time_us DESC, case_id LIMIT ?5",
        params![
            own,
            alert.tenant_id,
            alert.user,
            alert.user_id,
            rows::bound(CASES_MAX)
        ],
        "a case",
    )?;
    let waiting = rows::bodies(
        transaction,
        "SELECT body FROM alerts WHERE tenant_id = ?1 AND case_id IS NULL AND ((user <> '' AND user = ?2) \
         OR (user_id <> '' AND user_id = ?3)) ORDER BY time_us DESC, alert_id LIMIT ?4",
        params![
            alert.tenant_id,
            alert.user,
            alert.user_id,
            rows::bound(WAITING_MAX)
        ],
        "an alert",
    )?;
    Ok(Known {
        alert: seen,
        cases,
        waiting,
    })
}

pub(super) fn admit(
    transaction: &Transaction<'_>,
    alert: &SeenAlert,
    intake: &Intake,
    now_us: i64,
) -> Result<Admitted, JournalError> {
    let known = known(transaction, alert)?;
    match cases::place(alert, &known, &intake.policy(&alert.tenant_id), now_us) {
        Change::Nothing => {
            let case_id = known.alert.and_then(|(_, case_id)| case_id);
            Ok(Admitted {
                is_new: false,
                case_id,
                planned: Vec::new(),
            })
        }
        Change::Wait => {
            rows::put_alert(transaction, alert, None)?;
            Ok(Admitted {
                is_new: true,
                case_id: None,
                planned: Vec::new(),
            })
        }
        Change::Case(case) => admit_to_case(transaction, alert, &case, intake, now_us),
    }
}

fn admit_to_case(
    transaction: &Transaction<'_>,
    alert: &SeenAlert,
    case: &Case,
    intake: &Intake,
    now_us: i64,
) -> Result<Admitted, JournalError> {
    rows::put_case(transaction, case)?;
    for member in &case.alerts {
        rows::put_alert(transaction, member, Some(&case.case_id))?;
    }
    let known = rows::actions_of(transaction, &case.case_id)?;
    let policy = intake.policy(&alert.tenant_id);
    let mut planned = Vec::new();
    for record in cases::plan(case, alert, &known, &intake.playbooks, &policy, now_us) {
        if rows::add_action(transaction, &record)? {
            planned.push(record.action_id);
        }
    }
    Ok(Admitted {
        is_new: true,
        case_id: Some(case.case_id.clone()),
        planned,
    })
}

/// A case in which something is being done is no longer new.
pub(super) fn note_progress(
    transaction: &Transaction<'_>,
    record: &ActionRecord,
) -> Result<(), JournalError> {
    let Some(mut case) = rows::case(transaction, &record.case_id)? else {
        return Ok(());
    };
    if case.status != "new" {
        return Ok(());
    }
    "in_progress".clone_into(&mut case.status);
    case.revision += 1;
    case.changed_time_us = record.changed_time_us;
    rows::put_case(transaction, &case)
}
