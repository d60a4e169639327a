//! Tables of the journal, and how a journal of an earlier version gets them.

use rusqlite::{Connection, TransactionBehavior};

use super::JournalError;

/// What each version added, from 1; a journal gets what it lacks, and no step is ever changed.
///
/// Columns that are searched stand beside a JSON body that holds the whole.
const STEPS: [&str; VERSION as usize] = [
    FIRST,
    ACCOUNTS,
    HOLDS,
    NOTICES,
    BOUNDS,
    PINS,
    DAMAGE,
    QUESTIONS,
    ACKNOWLEDGED,
];

/// Version of the tables below.
const VERSION: u8 = 9;

const FIRST: &str = "
CREATE TABLE alerts (
  tenant_id TEXT NOT NULL, alert_id TEXT NOT NULL, case_id TEXT, user TEXT NOT NULL, user_id TEXT NOT NULL,
  time_us INTEGER NOT NULL, body TEXT NOT NULL, PRIMARY KEY (tenant_id, alert_id)) WITHOUT ROWID;
CREATE INDEX alerts_by_user ON alerts (tenant_id, user, time_us);
CREATE INDEX alerts_by_user_id ON alerts (tenant_id, user_id, time_us);
CREATE TABLE cases (
  case_id TEXT PRIMARY KEY, tenant_id TEXT NOT NULL, user TEXT NOT NULL, user_id TEXT NOT NULL,
  anchor_time_us INTEGER NOT NULL, changed_time_us INTEGER NOT NULL, body TEXT NOT NULL) WITHOUT ROWID;
CREATE INDEX cases_by_user ON cases (tenant_id, user, anchor_time_us);
CREATE INDEX cases_by_user_id ON cases (tenant_id, user_id, anchor_time_us);
CREATE INDEX cases_by_change ON cases (changed_time_us);
CREATE TABLE actions (
  number INTEGER PRIMARY KEY AUTOINCREMENT, action_id TEXT NOT NULL UNIQUE, case_id TEXT NOT NULL,
  tenant_id TEXT NOT NULL, state TEXT NOT NULL, intended_time_us INTEGER, body TEXT NOT NULL);
CREATE INDEX actions_by_state ON actions (tenant_id, state);
CREATE INDEX actions_by_case ON actions (case_id);
CREATE INDEX actions_by_intent ON actions (tenant_id, intended_time_us);
CREATE TABLE audit (
  sequence INTEGER PRIMARY KEY, id TEXT NOT NULL UNIQUE, previous_hash TEXT NOT NULL, hash TEXT NOT NULL,
  tenant_id TEXT NOT NULL, action_id TEXT NOT NULL, case_id TEXT NOT NULL, action TEXT NOT NULL,
  target TEXT NOT NULL, state TEXT NOT NULL, requested_by TEXT NOT NULL, dry_run INTEGER NOT NULL,
  detail TEXT NOT NULL, time_us INTEGER NOT NULL);
CREATE TABLE outgoing (
  number INTEGER PRIMARY KEY AUTOINCREMENT, topic TEXT NOT NULL, key TEXT NOT NULL, payload BLOB NOT NULL);
";

/// Object ids and names that belong together, and cases that turned out to be one.
///
/// Alerts of before are not read for pairs: those that come tell them again.
const ACCOUNTS: &str = "
CREATE TABLE pairs (
  tenant_id TEXT NOT NULL, user_id TEXT NOT NULL, user TEXT NOT NULL, seen_time_us INTEGER NOT NULL,
  PRIMARY KEY (tenant_id, user_id, user)) WITHOUT ROWID;
CREATE INDEX pairs_by_user ON pairs (tenant_id, user);
CREATE INDEX pairs_by_time ON pairs (tenant_id, seen_time_us);
ALTER TABLE cases ADD COLUMN merged_into TEXT;
CREATE INDEX cases_by_merger ON cases (merged_into);
";

/// What waits and why, how old the outbox is, and which alerts of a case still stand.
const HOLDS: &str = "
ALTER TABLE actions ADD COLUMN not_before_us INTEGER NOT NULL DEFAULT 0;
ALTER TABLE actions ADD COLUMN held TEXT;
UPDATE actions SET not_before_us = coalesce(json_extract(body, '$.not_before_us'), 0)
  WHERE state IN ('approved', 'intended', 'applied');
DROP INDEX actions_by_state;
CREATE INDEX actions_by_state ON actions (tenant_id, state, not_before_us);
CREATE INDEX actions_by_hold ON actions (tenant_id, held) WHERE held IS NOT NULL;
ALTER TABLE outgoing ADD COLUMN queued_time_us INTEGER NOT NULL DEFAULT 0;
ALTER TABLE alerts ADD COLUMN label TEXT NOT NULL DEFAULT '';
ALTER TABLE alerts ADD COLUMN standing INTEGER;
UPDATE alerts SET label = coalesce(json_extract(body, '$.label'), ''),
  standing = CASE json_extract(body, '$.state') WHEN 'withdrawn' THEN NULL ELSE
    CASE json_extract(body, '$.severity') WHEN 'critical' THEN 4 WHEN 'high' THEN 3 WHEN 'medium' THEN 2
      WHEN 'low' THEN 1 ELSE 0 END END
  WHERE json_valid(body);
CREATE INDEX alerts_by_case ON alerts (case_id, label, standing);
";

/// Entries of the chain that are no change of an action are found by what they are about.
const NOTICES: &str = "
CREATE INDEX audit_by_notice ON audit (action, sequence) WHERE case_id = '';
";

/// What waits for a case is found without looking at what has one.
const BOUNDS: &str = "
CREATE INDEX alerts_waiting_by_user ON alerts (tenant_id, user, time_us) WHERE case_id IS NULL;
CREATE INDEX alerts_waiting_by_user_id ON alerts (tenant_id, user_id, time_us) WHERE case_id IS NULL;
";

/// Whom entries of the never-act lists meant, for ever.
const PINS: &str = "
CREATE TABLE never_act (
  tenant_id TEXT NOT NULL, entry TEXT NOT NULL, user_id TEXT NOT NULL, found_time_us INTEGER NOT NULL,
  PRIMARY KEY (tenant_id, entry, user_id)) WITHOUT ROWID;
";

/// What cannot be read, out of the way of the rest.
const DAMAGE: &str = "
CREATE TABLE damaged (
  number INTEGER PRIMARY KEY AUTOINCREMENT, table_name TEXT NOT NULL, row_key TEXT NOT NULL, body BLOB,
  why TEXT NOT NULL, time_us INTEGER NOT NULL);
CREATE INDEX damaged_by_key ON damaged (table_name, row_key);
";

/// What people want to be shown before they decide.
const QUESTIONS: &str = "
CREATE TABLE questions (
  question_id TEXT PRIMARY KEY, tenant_id TEXT NOT NULL, asked_time_us INTEGER NOT NULL, record TEXT NOT NULL,
  answer TEXT) WITHOUT ROWID;
CREATE INDEX questions_open ON questions (tenant_id, asked_time_us) WHERE answer IS NULL;
";

/// Where the bus put the last messages, by which its log is known again.
const ACKNOWLEDGED: &str = bus::stored::TABLE;

/// Gives the journal the tables of this version, all or none.
///
/// # Errors
/// [`JournalError::Version`] if the file is of a later version, or not ours.
pub(super) fn bring_up_to_date(connection: &mut Connection) -> Result<(), JournalError> {
    let transaction = connection.transaction_with_behavior(TransactionBehavior::Immediate)?;
    let found: i64 = transaction.pragma_query_value(None, "user_version", |row| row.get(0))?;
    let Some(missing) = usize::try_from(found)
        .ok()
        .and_then(|found| STEPS.get(found..))
    else {
        return Err(JournalError::Version {
            found,
            expected: i64::from(VERSION),
        });
    };
    for step in missing {
        transaction.execute_batch(step)?;
    }
    transaction.pragma_update(None, "user_version", VERSION)?;
    transaction.commit()?;
    Ok(())
}

/// Whether the journal has the tables of this version.
///
/// # Errors
/// [`JournalError::Version`] if not.
pub(super) fn expect_current(connection: &Connection) -> Result<(), JournalError> {
    let found: i64 = connection.pragma_query_value(None, "user_version", |row| row.get(0))?;
    let expected = i64::from(VERSION);
    if found == expected {
        Ok(())
    } else {
        Err(JournalError::Version { found, expected })
    }
}

#[cfg(test)]
mod tests {
    use super::{FIRST, VERSION, bring_up_to_date};
    use crate::journal::JournalError;
    use rusqlite::Connection;

    #[test]
    fn a_journal_of_before_keeps_its_cases_and_gets_what_is_new() {
        let mut journal = Connection::open_in_memory().unwrap();
        journal.execute_batch(FIRST).unwrap();
        journal.pragma_update(None, "user_version", 1).unwrap();
        let insert = "INSERT INTO cases VALUES ('c', 't', 'a@b', '', 1, 1, '{}')";
        journal.execute(insert, []).unwrap();
        let alerts = "INSERT INTO alerts VALUES ('t', 'a1', 'c', 'a@b', '', 1, '{\"label\":\"L\",\"state\":\"raised\",\
                      \"severity\":\"high\"}'), ('t', 'a2', 'c', 'a@b', '', 1, '{\"label\":\"L\",\"state\":\"withdrawn\"}'), \
                      ('t', 'a3', 'c', 'a@b', '', 1, 'damaged')";
        journal.execute(alerts, []).unwrap();
        // Twice: the second time there is nothing left to do.
        for _ in 0..2 {
            bring_up_to_date(&mut journal).unwrap();
            let sql = "SELECT count(*) FROM cases WHERE user = 'a@b' AND merged_into IS NULL";
            let kept: i64 = journal.query_row(sql, [], |row| row.get(0)).unwrap();
            assert_eq!(kept, 1);
            let pairs: i64 = journal
                .query_row("SELECT count(*) FROM pairs", [], |row| row.get(0))
                .unwrap();
            assert_eq!(pairs, 0);
        }
        let standing: (String, i64) = journal
            .query_row(
                "SELECT label, standing FROM alerts WHERE case_id = 'c' AND standing IS NOT NULL",
                [],
                |row| Ok((row.get(0)?, row.get(1)?)),
            )
            .unwrap();
        assert_eq!(standing, ("L".to_owned(), 3));
    }

    #[test]
    fn a_journal_of_another_version_is_left_alone() {
        for version in [-1, i64::from(VERSION) + 1] {
            let mut journal = Connection::open_in_memory().unwrap();
            journal
                .pragma_update(None, "user_version", version)
                .unwrap();
            let refused = bring_up_to_date(&mut journal);
            let Err(JournalError::Version { found, .. }) = refused else {
                panic!("{refused:?}")
            };
            assert_eq!(found, version);
        }
    }
}
