//! Colour where it helps; `anstream` takes it away for pipes and where `NO_COLOR` is set.

use anstyle::{AnsiColor, Style};

/// What is as it should be.
pub(crate) const GOOD: Style = AnsiColor::Green.on_default();

/// What is wrong.
pub(crate) const BAD: Style = AnsiColor::Red.on_default();

/// What deserves a look.
pub(crate) const DOUBTFUL: Style = AnsiColor::Yellow.on_default();

/// What surrounds the point.
pub(crate) const FAINT: Style = Style::new().dimmed();

/// The text in a style.
pub(crate) fn paint(style: Style, text: &str) -> String {
    format!("{style}{text}{style:#}")
}
