//! How what is known is shown: a table for people, or an object a line for programs.

use std::io::Write as _;

use clap::ValueEnum;
use serde_json::Value;

use crate::exit::Verdict;

/// Form of a list.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum Output {
    /// For people.
    Table,
    /// One object a line.
    Json,
}

/// Shows rows, each an object with the same keys.
pub(super) fn list(rows: &[Value], output: Output) -> anyhow::Result<Verdict> {
    let mut out = crate::inert::stdout();
    if output == Output::Json {
        for row in rows {
            writeln!(out, "{row}")?;
        }
        return Ok(Verdict::Done);
    }
    if rows.is_empty() {
        writeln!(out, "none yet")?;
        return Ok(Verdict::Done);
    }
    let names: Vec<&String> = rows
        .first()
        .and_then(Value::as_object)
        .map(|row| row.keys().collect())
        .unwrap_or_default();
    let mut table = crate::inert::table();
    table.set_header(&names);
    for row in rows {
        table.add_row(names.iter().map(|name| match &row[name.as_str()] {
            Value::String(text) => crate::inert::inert(text),
            other => crate::inert::inert(&other.to_string()),
        }));
    }
    writeln!(out, "{table}")?;
    Ok(Verdict::Done)
}

/// Says a line.
pub(super) fn say(line: &str) -> anyhow::Result<Verdict> {
    writeln!(crate::inert::stdout(), "{line}")?;
    Ok(Verdict::Done)
}
