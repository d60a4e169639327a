//! What people want to be shown before they decide, and what the responder found: kept for minutes.

use rusqlite::types::Value;
use rusqlite::{Connection, OptionalExtension as _, Transaction, params};

use super::{JournalError, Question, rows};
use crate::record::ActionRecord;
use crate::sighting::Sighting;

/// How long a question waits for its answer, and is kept, in microseconds: whoever asked has gone.
const QUESTION_AGE_US: i64 = 600_000_000;

/// Most questions that are answered in a row: each is a handful of calls.
const QUESTIONS_MAX: usize = 16;

pub(super) fn ask(
    transaction: &Transaction<'_>,
    record: &ActionRecord,
    now_us: i64,
) -> Result<String, JournalError> {
    let oldest_us = now_us.saturating_sub(QUESTION_AGE_US);
    transaction.execute(
        "DELETE FROM questions WHERE asked_time_us < ?1",
        params![oldest_us],
    )?;
    let question_id = uuid::Uuid::new_v4().to_string();
    transaction.execute(
        "INSERT INTO questions (question_id, tenant_id, asked_time_us, record) VALUES (?1, ?2, ?3, ?4)",
        params![
            question_id,
            record.tenant_id,
            now_us,
            rows::write(record, "a question")?
        ],
    )?;
    Ok(question_id)
}

/// Questions of a tenant that have no answer yet; one that cannot be read is nobody's.
pub(super) fn open(
    connection: &Connection,
    tenant_id: &str,
    now_us: i64,
) -> Result<Vec<Question>, JournalError> {
    let oldest_us = now_us.saturating_sub(QUESTION_AGE_US);
    let mut statement = connection.prepare_cached(
        "SELECT question_id, record FROM questions WHERE tenant_id = ?1 AND answer IS NULL AND asked_time_us >= ?2 \
         ORDER BY asked_time_us LIMIT ?3",
    )?;
    let found = statement.query_map(
        params![tenant_id, oldest_us, rows::bound(QUESTIONS_MAX)],
        |row| Ok((row.get::<_, Value>(0)?, row.get::<_, Value>(1)?)),
    )?;
    let mut questions = Vec::new();
    for row in found {
        if let (Value::Text(question_id), Value::Text(body)) = row?
            && let Ok(record) = serde_json::from_str(&body)
        {
            questions.push(Question {
                question_id,
                record,
            });
        }
    }
    Ok(questions)
}

pub(super) fn answer(
    transaction: &Transaction<'_>,
    question_id: &str,
    sighting: &Sighting,
) -> Result<(), JournalError> {
    transaction.execute(
        "UPDATE questions SET answer = ?2 WHERE question_id = ?1",
        params![question_id, rows::write(sighting, "an answer")?],
    )?;
    Ok(())
}

pub(super) fn answered(
    connection: &Connection,
    question_id: &str,
) -> Result<Option<Sighting>, JournalError> {
    let body: Option<Option<String>> = connection
        .prepare_cached("SELECT answer FROM questions WHERE question_id = ?1")?
        .query_row(params![question_id], |row| row.get(0))
        .optional()?;
    body.flatten()
        .map(|body| rows::read(&body, "an answer"))
        .transpose()
}
