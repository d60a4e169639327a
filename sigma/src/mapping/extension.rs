//! Tables of names: our own, and what a user's file adds to them.

use std::collections::BTreeSet;
use std::sync::LazyLock;

use schemas::tables::Table;

use super::file;
use super::logsource::Names;
use super::{Field, Place};
use crate::rule::Rejected;

/// Our own tables, in the order in which a log source is looked for.
const BUILT_IN: &[(&str, &str)] = &[
    ("signins.yml", include_str!("signins.yml")),
    ("directory_audits.yml", include_str!("directory_audits.yml")),
    ("risk_events.yml", include_str!("risk_events.yml")),
    ("m365_activity.yml", include_str!("m365_activity.yml")),
    ("azure_activity.yml", include_str!("azure_activity.yml")),
    ("graph_activity.yml", include_str!("graph_activity.yml")),
    ("graph_alerts.yml", include_str!("graph_alerts.yml")),
];

/// Names of log sources and fields, table by table.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Extension {
    sources: Vec<Source>,
}

/// What is known of one table.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Source {
    /// The table.
    pub(super) table: Table,
    /// The names that rules give its log source.
    pub(super) logsources: Vec<Names>,
    /// Where a field may stand in the raw record, `{}` for its name, most likely first.
    pub(super) paths: Vec<String>,
    /// Fields by the names that rules use.
    pub(super) aliases: Vec<(Vec<String>, Field)>,
    /// What Microsoft documents of the values of fields.
    pub(crate) values: Vec<Values>,
    /// Paths that Microsoft documents and that have no column.
    pub(crate) known: Vec<String>,
}

/// What Microsoft documents of the values of a field.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Values {
    /// The field.
    pub place: Place,
    /// All its values, in lower case, if they are a closed set.
    pub documented: Option<BTreeSet<String>>,
    /// What every value contains.
    pub form: Option<String>,
    /// Words that no value contains together.
    pub never_together: Vec<String>,
    /// Why.
    pub because: Option<String>,
}

impl Extension {
    /// Reads a mapping file; `name` is what messages call it.
    ///
    /// Shape: YAML, a table's name over `logsources`, `paths`, `fields`, `values` and `known`.
    ///
    /// # Errors
    /// [`Rejected`] with the file, its line and the reason, if it names an unknown table or column, or has a path or
    /// key that cannot be read.
    pub fn parse(name: &str, text: &str) -> Result<Self, Rejected> {
        file::read(name, text).map(|sources| Self { sources })
    }

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

    pub(super) fn sources(&self) -> &[Source] {
        &self.sources
    }

    /// What it says of a table.
    pub(crate) fn source(&self, table: Table) -> Option<&Source> {
        self.sources.iter().find(|source| source.table == table)
    }
}

impl Source {
    pub(super) fn alias(&self, name: &str) -> Option<&Field> {
        let is_named = |names: &[String]| names.iter().any(|own| own.eq_ignore_ascii_case(name));
        self.aliases
            .iter()
            .find(|(names, _)| is_named(names))
            .map(|(_, field)| field)
    }
}

/// Our own tables.
pub(crate) fn built_in() -> &'static Extension {
    static TABLES: LazyLock<Extension> = LazyLock::new(|| {
        let mut all = Extension::default();
        for (name, text) in BUILT_IN {
            match Extension::parse(name, text) {
                Ok(one) => all.join(one),
                // A test reads them all, so this is a table that was changed and never tested.
                Err(rejected) => tracing::error!(%rejected, "cannot read built-in table of names"),
            }
        }
        all
    });
    &TABLES
}

#[cfg(test)]
mod tests {
    use super::{BUILT_IN, Extension};

    #[test]
    fn every_built_in_table_is_read() {
        for (name, text) in BUILT_IN {
            let parsed = Extension::parse(name, text).map_err(|rejected| rejected.to_string());
            assert_eq!(parsed.map(|one| one.sources.len()), Ok(1), "{name}");
        }
    }
}
