//! Colour where it helps; `anstream` takes it away for pipes and where `NO_COLOR` is set.

use anstyle::{AnsiColor, Style};

/// What is as it should be.
pub(super) const GOOD: Style = AnsiColor::Green.on_default();

/// What is wrong.
pub(super) const BAD: Style = AnsiColor::Red.on_default();

/// What deserves a look.
pub(super) const DOUBTFUL: Style = AnsiColor::Yellow.on_default();

/// What surrounds the point.
pub(super) const FAINT: Style = Style::new().dimmed();

/// The text in a style.
pub(super) fn paint(style: Style, text: &str) -> String {
    format!("{style}{text}{style:#}")
}
