//! Lists for spreadsheets, which are given nothing to run.

use std::borrow::Cow;
use std::io::{self, Write};

use serde_json::Value;

/// Writes rows with a header line, each an object with these keys; null is an empty cell.
pub(crate) fn write(out: &mut impl Write, names: &[&str], rows: &[Value]) -> io::Result<()> {
    if names.is_empty() {
        return Ok(());
    }
    let mut writer = csv::Writer::from_writer(out);
    writer.write_record(names)?;
    for row in rows {
        writer.write_record(names.iter().map(|name| match &row[*name] {
            Value::Null => String::new(),
            Value::String(text) => defused(text).into_owned(),
            other => other.to_string(),
        }))?;
    }
    writer.flush()
}

/// The text with an apostrophe before what a spreadsheet would run as a formula.
pub(crate) fn defused(cell: &str) -> Cow<'_, str> {
    // Spreadsheets take the wide forms of Asian keyboards for the same signs.
    let signs = ['=', '+', '-', '@', '＝', '＋', '－', '＠'];
    if cell.starts_with(signs) || cell.starts_with(['\t', '\r', '\n']) {
        Cow::Owned(format!("'{cell}"))
    } else {
        Cow::Borrowed(cell)
    }
}

#[cfg(test)]
mod tests {
    use super::{defused, write};
    use serde_json::json;

    #[test]
    fn formulas_become_text_in_csv() {
        assert_eq!(defused("=cmd|' /C calc'!A0"), "'=cmd|' /C calc'!A0");
        assert_eq!(defused("＝1+1"), "'＝1+1");
        assert_eq!(defused("plain"), "plain");
    }

    #[test]
    fn a_row_is_a_line_of_its_columns_and_numbers_stay_numbers() {
        let rows = [
            json!({"a": "=1+1", "b": -5, "c": ["x"]}),
            json!({"a": "one, \"two\"", "c": null}),
        ];
        let mut out = Vec::new();
        write(&mut out, &["a", "b", "c"], &rows).expect("written");
        assert_eq!(
            String::from_utf8(out).expect("text"),
            "a,b,c\n'=1+1,-5,\"[\"\"x\"\"]\"\n\"one, \"\"two\"\"\",,\n"
        );
    }
}
