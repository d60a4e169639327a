//! Tables of names: our own, and what a user's file adds to them.

use std::collections::BTreeSet;

use schemas::tables::Table;

use super::field::{Field, FieldBinding};
use super::names::Names;

/// Names of log sources and fields, table by table.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct UserMapping {
    pub(super) sources: Vec<TableMapping>,
}

/// What is known of one table.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct TableMapping {
    /// The table.
    pub(super) table: Table,
    /// The names that rules give its log source.
    pub(super) logsources: Vec<Names>,
    /// Where a field may stand in the raw record, `{}` for its name, most likely first.
    pub(super) paths: Vec<String>,
    /// Fields by the names that rules use.
    pub(super) aliases: Vec<(Vec<String>, Field)>,
    /// What Microsoft documents of the values of fields.
    pub(crate) values: Vec<DocumentedValues>,
    /// Paths that Microsoft documents and that have no column.
    pub(crate) known: Vec<String>,
}

/// What Microsoft documents of the values of a field.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct DocumentedValues {
    /// The field.
    pub place: FieldBinding,
    /// All its values, in lower case, if they are a closed set.
    pub documented: Option<BTreeSet<String>>,
    /// What every value contains.
    pub form: Option<String>,
    /// Words that no value contains together.
    pub never_together: Vec<String>,
    /// Why.
    pub because: Option<String>,
}

impl UserMapping {
    /// Adds what another file says; where both speak of a name, this one counts.
    pub fn join(&mut self, other: Self) {
        for source in other.sources {
            match self
                .sources
                .iter_mut()
                .find(|own| own.table == source.table)
            {
                None => self.sources.push(source),
                Some(own) => {
                    own.logsources.extend(source.logsources);
                    own.paths.extend(source.paths);
                    own.aliases.extend(source.aliases);
                    own.values.extend(source.values);
                    own.known.extend(source.known);
                }
            }
        }
    }

    pub(super) fn sources(&self) -> &[TableMapping] {
        &self.sources
    }

    /// What it says of a table.
    pub(crate) fn source(&self, table: Table) -> Option<&TableMapping> {
        self.sources.iter().find(|source| source.table == table)
    }
}

impl TableMapping {
    pub(super) fn alias(&self, name: &str) -> Option<&Field> {
        let is_named = |names: &[String]| names.iter().any(|own| own.eq_ignore_ascii_case(name));
        self.aliases
            .iter()
            .find(|(names, _)| is_named(names))
            .map(|(_, field)| field)
    }
}
