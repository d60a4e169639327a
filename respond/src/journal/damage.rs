//! Rows of the journal that cannot be read are set aside, so that what they are about ends nothing else.

use rusqlite::types::{Value, ValueRef};
use rusqlite::{Connection, ToSql, Transaction, params, params_from_iter};
use schemas::topics::Topic;
use serde_json::json;

use super::{JournalError, Notice, chain};
use crate::cases::{Case, SeenAlert};
use crate::record::ActionRecord;

/// Most rows that have an entry of the audit chain each; of more, the last entry has the number.
const TOLD_MAX: usize = 100;

/// A table whose rows can be set aside, and what tells a row of ours from any other.
struct Table {
    name: &'static str,
    /// By what a row is found.
    keys: &'static [&'static str],
    /// What is kept of it.
    body: &'static str,
    /// What the entry tells beside the key; none of them decides.
    also: &'static [&'static str],
    /// Why the body is none, if it is not.
    fault: fn(&Value) -> Option<String>,
}

const TABLES: [Table; 5] = [
    Table {
        name: ACTIONS,
        keys: &["action_id"],
        body: "body",
        also: &["case_id", "tenant_id", "state"],
        fault: fault::<ActionRecord>,
    },
    Table {
        name: "cases",
        keys: &["case_id"],
        body: "body",
        also: &["tenant_id", "user", "user_id"],
        fault: fault::<Case>,
    },
    Table {
        name: "alerts",
        keys: &["tenant_id", "alert_id"],
        body: "body",
        also: &["case_id", "user", "user_id"],
        fault: fault::<SeenAlert>,
    },
    Table {
        name: "pairs",
        keys: &["tenant_id", "user_id", "user"],
        body: "seen_time_us",
        also: &[],
        fault: |body| {
            let is_time = matches!(body, Value::Integer(_));
            (!is_time).then(|| "its time is no number".to_owned())
        },
    },
    Table {
        name: "outgoing",
        keys: &["number"],
        body: "payload",
        also: &["topic", "key"],
        fault: |body| {
            let is_message = matches!(body, Value::Blob(_));
            (!is_message).then(|| "its message is none".to_owned())
        },
    },
];

/// The table of actions.
pub(super) const ACTIONS: &str = "actions";

/// A row that cannot be read.
struct Row {
    keys: Vec<Value>,
    body: Value,
    also: Vec<Value>,
    why: String,
}

/// Sets every row aside that cannot be read, each with an entry of the audit chain; gives their number.
pub(super) fn set_aside(transaction: &Transaction<'_>, now_us: i64) -> Result<u64, JournalError> {
    let mut count = 0;
    for table in &TABLES {
        for row in unreadable(transaction, table)? {
            put_aside(transaction, table, &row, now_us)?;
            count += 1;
            if count <= TOLD_MAX {
                tell(transaction, table, &row, now_us)?;
            }
        }
    }
    if count > TOLD_MAX {
        let detail =
            json!({"why": "more rows than are told one by one cannot be read", "rows": count});
        note(transaction, detail, now_us)?;
    }
    Ok(count as u64)
}

/// How many rows were ever set aside and not taken out by a person.
pub(super) fn count(connection: &Connection) -> Result<u64, JournalError> {
    let sql = "SELECT count(*) FROM damaged";
    let count: i64 = connection
        .prepare_cached(sql)?
        .query_row([], |row| row.get(0))?;
    Ok(count.unsigned_abs())
}

/// Whether a row of this key was set aside: what it was about may be done already.
pub(super) fn has(connection: &Connection, table: &str, key: &str) -> Result<bool, JournalError> {
    let sql = "SELECT EXISTS (SELECT 1 FROM damaged WHERE table_name = ?1 AND row_key = ?2)";
    let found = connection
        .prepare_cached(sql)?
        .query_row(params![table, key], |row| row.get(0))?;
    Ok(found)
}

fn fault<T: serde::de::DeserializeOwned>(body: &Value) -> Option<String> {
    match body {
        Value::Text(text) => serde_json::from_str::<T>(text)
            .err()
            .map(|error| error.to_string()),
        _ => Some("it is no text".to_owned()),
    }
}

fn unreadable(connection: &Connection, table: &Table) -> Result<Vec<Row>, JournalError> {
    let columns: Vec<&str> = [table.keys, table.also, &[table.body]].concat();
    let sql = format!("SELECT {} FROM {}", columns.join(", "), table.name);
    let mut statement = connection.prepare(&sql)?;
    let mut rows = statement.query([])?;
    let mut found = Vec::new();
    while let Some(row) = rows.next()? {
        let mut values = Vec::new();
        for column in 0..columns.len() {
            // Text that is no UTF-8 is a value too.
            values.push(match row.get_ref(column)? {
                ValueRef::Null => Value::Null,
                ValueRef::Integer(number) => Value::Integer(number),
                ValueRef::Real(number) => Value::Real(number),
                ValueRef::Text(bytes) => std::str::from_utf8(bytes).map_or_else(
                    |_| Value::Blob(bytes.to_vec()),
                    |text| Value::Text(text.to_owned()),
                ),
                ValueRef::Blob(bytes) => Value::Blob(bytes.to_vec()),
            });
        }
        let body = values.pop().unwrap_or(Value::Null);
        let also = values.split_off(table.keys.len());
        if let Some(why) = (table.fault)(&body).or_else(|| fault_of_columns(table, &also, &values))
        {
            found.push(Row {
                keys: values,
                body,
                also,
                why,
            });
        }
    }
    Ok(found)
}

/// Why the columns beside the body are not ours, if they are not.
fn fault_of_columns(table: &Table, also: &[Value], keys: &[Value]) -> Option<String> {
    if table.name == "outgoing" {
        let name = match also.first() {
            Some(Value::Text(name)) => name.as_str(),
            _ => "",
        };
        let is_ours = Topic::of_name(name).is_some() && matches!(also.get(1), Some(Value::Text(_)));
        return (!is_ours).then(|| "its topic or its key is none".to_owned());
    }
    let are_text = keys.iter().all(|key| matches!(key, Value::Text(_)));
    (!are_text).then(|| "its key is no text".to_owned())
}

fn put_aside(
    transaction: &Transaction<'_>,
    table: &Table,
    row: &Row,
    now_us: i64,
) -> Result<(), JournalError> {
    transaction
        .prepare_cached(
            "INSERT INTO damaged (table_name, row_key, body, why, time_us) VALUES (?1, ?2, ?3, ?4, ?5)",
        )?
        .execute(params![table.name, key(row), row.body, row.why, now_us])?;
    let conditions: Vec<String> = (1..)
        .zip(table.keys)
        // By their bytes: a key can be text that is none.
        .map(|(number, column)| format!("CAST({column} AS BLOB) IS CAST(?{number} AS BLOB)"))
        .collect();
    let sql = format!(
        "DELETE FROM {} WHERE {}",
        table.name,
        conditions.join(" AND ")
    );
    let keys: Vec<&dyn ToSql> = row.keys.iter().map(|key| key as &dyn ToSql).collect();
    transaction.execute(&sql, params_from_iter(keys))?;
    Ok(())
}

fn tell(
    transaction: &Transaction<'_>,
    table: &Table,
    row: &Row,
    now_us: i64,
) -> Result<(), JournalError> {
    tracing::error!(
        table = table.name,
        key = key(row),
        why = row.why,
        "a row of the journal cannot be read and was set aside"
    );
    let mut detail = json!({"table": table.name, "key": key(row), "why": row.why});
    for (name, value) in table.also.iter().zip(&row.also) {
        detail[*name] = text(value).into();
    }
    note(transaction, detail, now_us)
}

fn note(
    transaction: &Transaction<'_>,
    detail: serde_json::Value,
    now_us: i64,
) -> Result<(), JournalError> {
    metrics::counter!("respond_rows_set_aside_total").increment(1);
    let notice = Notice {
        what: Notice::DAMAGED_ROW,
        state: "set_aside",
        by: String::new(),
        detail,
        time_us: now_us,
    };
    chain::note(transaction, &notice)
}

fn key(row: &Row) -> String {
    let keys: Vec<String> = row.keys.iter().map(text).collect();
    keys.join("/")
}

fn text(value: &Value) -> String {
    match value {
        Value::Null => String::new(),
        Value::Integer(number) => number.to_string(),
        Value::Real(number) => number.to_string(),
        Value::Text(text) => text.clone(),
        Value::Blob(bytes) => String::from_utf8_lossy(bytes).into_owned(),
    }
}

#[cfg(test)]
mod tests {
    use rusqlite::Connection;

    use super::{count, has, set_aside};
    use crate::journal::{chain, tables};

    #[test]
    fn every_table_gives_up_what_cannot_be_read_and_keeps_the_rest() {
        let mut journal = Connection::open_in_memory().unwrap();
        tables::bring_up_to_date(&mut journal).unwrap();
        let rows = [
            "INSERT INTO actions (action_id, case_id, tenant_id, state, body) VALUES ('x', 'c', 't', 'approved', '{')",
            "INSERT INTO cases (case_id, tenant_id, user, user_id, anchor_time_us, changed_time_us, body) \
             VALUES ('c', 't', 'a', 'b', 1, 1, x'00ff')",
            "INSERT INTO alerts (tenant_id, alert_id, user, user_id, time_us, body) VALUES ('t', 'a1', '', '', 1, '{}')",
            "INSERT INTO alerts (tenant_id, alert_id, user, user_id, time_us, body) \
             VALUES ('t', 'a2', '', '', 1, CAST(x'7bff7d' AS TEXT))",
            "INSERT INTO pairs VALUES ('t', '1', 'x', 5), ('t', '2', 'y', 'long ago'), ('t', x'01', 'z', 5)",
            "INSERT INTO outgoing (topic, key, payload) VALUES ('no such topic', 'k', x'00'), ('audit', 'k', 7), \
             ('audit', 'k', x'00')",
        ];
        for sql in rows {
            journal.execute(sql, []).unwrap();
        }
        let transaction = journal.transaction().unwrap();
        assert_eq!(set_aside(&transaction, 7).unwrap(), 8);
        assert_eq!(set_aside(&transaction, 8).unwrap(), 0, "once");
        assert_eq!(count(&transaction).unwrap(), 8);
        assert!(has(&transaction, "actions", "x").unwrap());
        assert!(!has(&transaction, "actions", "y").unwrap());
        assert!(has(&transaction, "alerts", "t/a1").unwrap());
        assert_eq!(chain::after(&transaction, 0, 100).unwrap().len(), 8);
        for (table, left) in [("actions", 0), ("cases", 0), ("alerts", 0), ("pairs", 1)] {
            let sql = format!("SELECT count(*) FROM {table}");
            let found: i64 = transaction.query_row(&sql, [], |row| row.get(0)).unwrap();
            assert_eq!(found, left, "{table}");
        }
        // The message that is one, and those of the entries.
        let sql = "SELECT count(*) FROM outgoing";
        let found: i64 = transaction.query_row(sql, [], |row| row.get(0)).unwrap();
        assert_eq!(found, 1 + 8);
    }
}
