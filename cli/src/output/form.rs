//! Forms of what is printed, by what it is.

use clap::ValueEnum;

/// Form of a list.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum Form {
    /// For people.
    Table,
    /// With a header line; cells that a spreadsheet would run as a formula get an apostrophe.
    Csv,
    /// One object a line.
    Json,
}

/// Form of one thing that is told at length.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum DetailForm {
    /// For people.
    Table,
    /// One object.
    Json,
}

/// Form of what is checked, which machines of a build read too.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum CheckForm {
    /// For people.
    Table,
    /// One object a line.
    Json,
    /// XML, as build servers show test results.
    Junit,
}

/// Form of a comparison.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum ComparisonForm {
    /// For people, and for the comments of a pull request.
    Markdown,
    /// One object for each rule, a line each.
    Json,
}
