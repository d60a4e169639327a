//! What commands print: one way for each form, and in none of them does anything act that others wrote.
//!
//! | form | way |
//! |---|---|
//! | a line | `writeln!` on a [`Printer`]; what would act is shown as `\u001b` |
//! | a line with colour | [`Printer::line`] of [`printer::Piece`]s |
//! | a table | [`Table`] of [`Cell`]s |
//! | JSON, an object a line | [`Printer::json`] |
//! | CSV | [`csv::write`] |
//! | an explanation | [`write_tree`] |
//! | rows in whatever form was asked for | [`Printer::list`] |
//! | how a command ended | [`exit`] |

pub(crate) mod csv;
pub(crate) mod exit;
mod form;
mod inert;
pub(crate) mod junit;
mod printer;
mod table;
mod tree;

use std::io::Write as _;

use serde_json::Value;

pub(crate) use self::exit::Verdict;
pub(crate) use self::form::{CheckForm, ComparisonForm, DetailForm, Form};
pub(crate) use self::inert::{inert, inert_sentence};
pub(crate) use self::printer::{Printer, Tone, plain, stderr, stdout};
pub(crate) use self::table::{Cell, Table};
pub(crate) use self::tree::write_tree;

/// Shows rows on standard output, each an object with the same keys.
pub(crate) fn list(rows: &[Value], form: Form) -> anyhow::Result<Verdict> {
    stdout().list(rows, form)?;
    Ok(Verdict::Done)
}

/// Shows rows as [`list`] does, and in a table of them only these columns, in this order.
pub(crate) fn list_some(rows: &[Value], form: Form, shown: &[&str]) -> anyhow::Result<Verdict> {
    match form {
        Form::Table => stdout().rows(rows, shown)?,
        Form::Csv | Form::Json => stdout().list(rows, form)?,
    }
    Ok(Verdict::Done)
}

/// Says a line on standard output.
pub(crate) fn say(line: &str) -> anyhow::Result<Verdict> {
    writeln!(stdout(), "{line}")?;
    Ok(Verdict::Done)
}
