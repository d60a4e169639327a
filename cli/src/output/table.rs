//! Tables for a terminal, of cells in which nothing acts.

use std::fmt::Display;

use comfy_table::presets::UTF8_HORIZONTAL_ONLY;
use comfy_table::{Attribute, CellAlignment, Color, ContentArrangement};

use super::inert::inert;
use super::printer::Tone;

/// Narrower terminals say nothing about themselves, as some that record do.
const WIDTH_MIN: u16 = 20;

/// A cell: text on which nothing acts.
#[derive(Debug)]
pub(crate) struct Cell(comfy_table::Cell);

impl Cell {
    /// A text, cut to what a cell holds.
    pub(crate) fn new(text: impl Display) -> Self {
        Self(comfy_table::Cell::new(inert(&text.to_string())))
    }

    /// Some texts, a line each.
    pub(crate) fn lines(lines: &[String]) -> Self {
        let lines: Vec<String> = lines.iter().map(|line| inert(line)).collect();
        Self(comfy_table::Cell::new(lines.join("\n")))
    }

    /// A number, on the right.
    pub(crate) fn number(number: impl Display) -> Self {
        Self(Self::new(number).0.set_alignment(CellAlignment::Right))
    }

    /// The cell in a tone.
    pub(crate) fn toned(self, tone: Tone) -> Self {
        Self(match tone {
            Tone::Good => self.0.fg(Color::Green),
            Tone::Bad => self.0.fg(Color::Red),
            Tone::Doubtful => self.0.fg(Color::Yellow),
            Tone::Remark => self.0.fg(Color::Blue),
            Tone::Faint => self.0.add_attribute(Attribute::Dim),
        })
    }
}

impl<T: Display> From<T> for Cell {
    fn from(text: T) -> Self {
        Self::new(text)
    }
}

/// A table that fits the terminal, if that says how wide it is.
#[derive(Debug)]
pub(crate) struct Table(comfy_table::Table);

impl Table {
    /// An empty table.
    pub(crate) fn new(header: impl IntoIterator<Item = impl Into<Cell>>) -> Self {
        let mut table = comfy_table::Table::new();
        table.load_style(UTF8_HORIZONTAL_ONLY);
        let header: Vec<comfy_table::Cell> = header.into_iter().map(|cell| cell.into().0).collect();
        // Without columns there is nothing to draw a line over.
        if !header.is_empty() {
            table.set_header(header);
        }
        Self(table)
    }

    /// Adds a row.
    pub(crate) fn row(&mut self, cells: impl IntoIterator<Item = impl Into<Cell>>) {
        self.0.add_row(cells.into_iter().map(|cell| cell.into().0));
    }

    /// True if it has no row.
    pub(crate) fn is_empty(&self) -> bool {
        self.0.row_count() == 0
    }

    /// The table as text, in colour or without.
    pub(crate) fn drawn(&self, is_coloured: bool) -> String {
        let mut table = self.0.clone();
        let width = table.width();
        table.set_content_arrangement(if width.is_some_and(|width| width < WIDTH_MIN) {
            ContentArrangement::Disabled
        } else {
            ContentArrangement::Dynamic
        });
        if is_coloured {
            table.enforce_styling();
        } else {
            // Without a terminal it would not know its width either.
            if let Some(width) = width {
                table.set_width(width);
            }
            table.force_no_tty();
        }
        table.to_string()
    }
}

#[cfg(test)]
mod tests {
    use super::{Cell, Table};
    use crate::output::printer::Tone;

    #[test]
    fn a_cell_holds_no_escape_sequence_and_no_line() {
        let mut table = Table::new(["na\u{1b}[31mme"]);
        table.row([Cell::new("a\u{1b}]0;owned\u{7}b\nc").toned(Tone::Bad)]);
        let plain = table.drawn(false);
        assert!(plain.contains("na\u{fffd}[31mme"), "{plain}");
        assert!(plain.contains("a\u{fffd}]0;owned\u{fffd}b c"), "{plain}");
        assert!(!plain.contains('\u{1b}'), "{plain}");
        let coloured = table.drawn(true);
        assert!(!coloured.contains("\u{1b}]0"), "{coloured}");
        assert!(
            coloured.contains("\u{1b}["),
            "its own colour is there: {coloured:?}"
        );
    }
}
