//! The one writer of what commands print.

use std::borrow::Cow;
use std::io::{self, Stderr, StdoutLock, Write};

use anstyle::{AnsiColor, Style};
use serde::Serialize;
use serde_json::Value;

use super::csv;
use super::form::Form;
use super::inert::inert_lines;
use super::table::Table;

/// What a piece of text says by its colour.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Tone {
    /// What is as it should be.
    Good,
    /// What is wrong.
    Bad,
    /// What deserves a look.
    Doubtful,
    /// What could be said otherwise.
    Remark,
    /// What surrounds the point.
    Faint,
}

impl Tone {
    const fn style(self) -> Style {
        match self {
            Self::Good => AnsiColor::Green.on_default(),
            Self::Bad => AnsiColor::Red.on_default(),
            Self::Doubtful => AnsiColor::Yellow.on_default(),
            Self::Remark => AnsiColor::Blue.on_default(),
            Self::Faint => Style::new().dimmed(),
        }
    }

    /// A text in this tone.
    pub(crate) fn of<'a>(self, text: impl Into<Cow<'a, str>>) -> Piece<'a> {
        Piece {
            tone: Some(self),
            text: text.into(),
        }
    }

    /// A tick where it is good, a cross where it is not.
    pub(crate) fn mark(is_good: bool) -> Piece<'static> {
        if is_good {
            Self::Good.of("✓")
        } else {
            Self::Bad.of("✗")
        }
    }
}

/// A part of a line.
#[derive(Debug)]
pub(crate) struct Piece<'a> {
    tone: Option<Tone>,
    text: Cow<'a, str>,
}

/// A part of a line without colour.
pub(crate) fn plain<'a>(text: impl Into<Cow<'a, str>>) -> Piece<'a> {
    Piece {
        tone: None,
        text: text.into(),
    }
}

/// A writer after which nothing acts: what would is written as `\u001b`.
///
/// In JSON that is the same text; a writer of JSON has escaped the rest of the control characters itself.
#[derive(Debug)]
pub(crate) struct Printer<W: Write> {
    inner: W,
    is_coloured: bool,
    /// The beginning of a character whose end has not come yet; at most three bytes.
    begun: Vec<u8>,
}

impl<W: Write> Printer<W> {
    pub(crate) const fn new(inner: W, is_coloured: bool) -> Self {
        Self {
            inner,
            is_coloured,
            begun: Vec::new(),
        }
    }

    /// A line of pieces.
    pub(crate) fn line(&mut self, pieces: &[Piece<'_>]) -> io::Result<()> {
        for piece in pieces {
            let style = piece.tone.filter(|_| self.is_coloured).map(Tone::style);
            if let Some(style) = style {
                write!(self.inner, "{style}")?;
            }
            self.write_all(piece.text.as_bytes())?;
            if let Some(style) = style {
                write!(self.inner, "{style:#}")?;
            }
        }
        writeln!(self)
    }

    /// A table.
    pub(crate) fn table(&mut self, table: &Table) -> io::Result<()> {
        // Its cells are inert already, and its colours are its own.
        writeln!(self.inner, "{}", table.drawn(self.is_coloured))
    }

    /// An object of JSON, on a line.
    pub(crate) fn json(&mut self, object: &impl Serialize) -> io::Result<()> {
        let text = serde_json::to_string(object)?;
        writeln!(self, "{text}")
    }

    /// Rows, each an object with the same keys.
    pub(crate) fn list(&mut self, rows: &[Value], form: Form) -> io::Result<()> {
        let names: Vec<&str> = rows
            .first()
            .and_then(Value::as_object)
            .map(|row| row.keys().map(String::as_str).collect())
            .unwrap_or_default();
        match form {
            Form::Json => {
                for row in rows {
                    self.json(row)?;
                }
            }
            Form::Csv => csv::write(self, &names, rows)?,
            Form::Table => self.rows(rows, &names)?,
        }
        Ok(())
    }

    /// A table of rows with these columns.
    pub(crate) fn rows(&mut self, rows: &[Value], names: &[&str]) -> io::Result<()> {
        if rows.is_empty() {
            return writeln!(self, "none yet");
        }
        let mut table = Table::new(names.iter().copied());
        for row in rows {
            table.row(names.iter().map(|name| match &row[*name] {
                Value::Null => String::new(),
                Value::String(text) => text.clone(),
                other => other.to_string(),
            }));
        }
        self.table(&table)
    }
}

impl<W: Write> Write for Printer<W> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let mut all = std::mem::take(&mut self.begun);
        all.extend_from_slice(bytes);
        let whole = match std::str::from_utf8(&all) {
            Err(error) if error.error_len().is_none() => error.valid_up_to(),
            _ => all.len(),
        };
        self.begun = all.split_off(whole);
        let text = String::from_utf8_lossy(&all);
        self.inner.write_all(inert_lines(&text).as_bytes())?;
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        self.inner.flush()
    }
}

/// Standard output; in colour on a terminal, unless `NO_COLOR` is set.
pub(crate) fn stdout() -> Printer<StdoutLock<'static>> {
    let out = io::stdout();
    let is_coloured = is_coloured(anstream::AutoStream::choice(&out));
    Printer::new(out.lock(), is_coloured)
}

/// Standard error; in colour on a terminal, unless `NO_COLOR` is set.
pub(crate) fn stderr() -> Printer<Stderr> {
    let out = io::stderr();
    let is_coloured = is_coloured(anstream::AutoStream::choice(&out));
    Printer::new(out, is_coloured)
}

fn is_coloured(choice: anstream::ColorChoice) -> bool {
    !matches!(choice, anstream::ColorChoice::Never)
}

#[cfg(test)]
mod tests {
    use super::super::inert::tests::{HOSTILE, acting};
    use super::{Form, Printer, Tone, plain};
    use serde_json::json;
    use std::io::Write as _;

    /// However the bytes come, what is written is the same, and JSON stays the same value.
    #[test]
    fn a_writer_makes_inert_what_comes_in_pieces() {
        let json = json!({"user": HOSTILE, "mail": "日本 é"}).to_string() + "\n";
        let mut written = Vec::new();
        for size in 1..5 {
            let mut writer = Printer::new(Vec::new(), true);
            for piece in json.as_bytes().chunks(size) {
                writer.write_all(piece).expect("written");
            }
            written.push(String::from_utf8(writer.inner).expect("text"));
        }
        for text in &written {
            assert_eq!(text, &written[0]);
            assert_eq!(acting(text.trim_end()), 0, "{text:?}");
            let again: serde_json::Value = serde_json::from_str(text).expect("JSON");
            assert_eq!(again["user"], HOSTILE);
        }
    }

    #[test]
    fn colour_is_ours_and_what_is_coloured_is_inert() {
        let line = |is_coloured| {
            let mut out = Printer::new(Vec::new(), is_coloured);
            out.line(&[Tone::Bad.of(HOSTILE), plain(HOSTILE)])
                .expect("written");
            String::from_utf8(out.inner).expect("text")
        };
        assert_eq!(acting(line(false).trim_end()), 0);
        let coloured = line(true);
        assert_eq!(
            acting(coloured.trim_end()),
            2,
            "one sequence before, one after: {coloured:?}"
        );
        assert!(coloured.starts_with("\u{1b}[31m"), "{coloured:?}");
    }

    #[test]
    fn a_list_is_inert_in_every_form() {
        let rows = [json!({"user": HOSTILE, "count": -1, "parts": [HOSTILE]})];
        for form in [Form::Table, Form::Csv, Form::Json] {
            let mut out = Printer::new(Vec::new(), false);
            out.list(&rows, form).expect("written");
            let text = String::from_utf8(out.inner).expect("text");
            assert!(text.contains("owned"), "{text}");
            assert_eq!(acting(&text.replace('\n', "")), 0, "{form:?}: {text:?}");
        }
    }
}
