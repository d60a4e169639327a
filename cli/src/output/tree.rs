//! An explanation of a rule as a tree of lines.

use std::io::{self, Write};

use sigma::tools::explain::tree::Explanation;

use super::printer::{Printer, Tone, plain};

/// Writes the tree, each line behind `before`, with a mark where a part holds or does not.
pub(crate) fn write_tree(
    out: &mut Printer<impl Write>,
    before: &str,
    explanation: &Explanation,
) -> io::Result<()> {
    for line in explanation.lines() {
        let branches = Tone::Faint.of(format!("{before}{}", line.branches));
        match line.holds {
            Some(holds) => {
                let text = plain(format!(" {}", line.text));
                out.line(&[branches, Tone::mark(holds), text])?;
            }
            None => out.line(&[branches, Tone::Faint.of(line.text.as_str())])?,
        }
    }
    Ok(())
}
