//! Which table a rule's log source is, and where in it a rule's field stands.
//!
//! Public Sigma rules name the same field in many styles (`ResultType`, `properties.message`,
//! `DeviceDetail.trusttype`) and few of the names are Microsoft's. Each file in `mapping/` is the table of one
//! log source. A name is looked up in this order: the source's aliases, the lake's column of that name or path,
//! the same path in the raw record.

mod azure_activity;
mod directory_audits;
mod graph_activity;
mod graph_alerts;
mod m365_activity;
mod risk_events;
mod signins;

use rsigma_parser::LogSource;
use schemas::tables::{Column, Kind, Table};

use crate::predicate::Fold;
use crate::record::RecordPath;
use crate::refusal::Refusal;

/// Where the values of a field stand.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub enum Place {
    /// In a column.
    Column(String),
    /// In the raw record, at the first of these paths that has a value.
    Raw(Vec<RecordPath>),
    /// Anywhere in the raw record: keywords.
    Anywhere,
}

/// A field of a rule, found.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Field {
    /// Where it stands.
    pub place: Place,
    /// How its text compares.
    pub fold: Fold,
    /// Words of rules that mean something else in the record.
    pub meanings: &'static [Meaning],
}

/// A word that rules use, and what it means in the record.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Meaning {
    /// The rule's word, in lower case.
    pub word: &'static str,
    /// What the record says then.
    pub means: Means,
}

/// What a record says where a rule's word is meant.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Means {
    /// One of these, in lower case.
    OneOf(&'static [&'static str]),
    /// None of these, in lower case; an absent field counts.
    NoneOf(&'static [&'static str]),
}

/// One line of a source's table: names that rules use, and the place that they mean.
#[derive(Debug, Clone, Copy)]
struct Alias {
    names: &'static [&'static str],
    target: Target,
    fold: Fold,
    meanings: &'static [Meaning],
}

#[derive(Debug, Clone, Copy)]
enum Target {
    Column(&'static str),
    Raw(&'static [&'static str]),
}

/// A field that stands in a column.
const fn column(names: &'static [&'static str], name: &'static str) -> Alias {
    Alias {
        names,
        target: Target::Column(name),
        fold: Fold::Lower,
        meanings: &[],
    }
}

/// A field that stands in the raw record only.
const fn raw(names: &'static [&'static str], paths: &'static [&'static str]) -> Alias {
    Alias {
        names,
        target: Target::Raw(paths),
        fold: Fold::Lower,
        meanings: &[],
    }
}

impl Alias {
    /// Its values are names of operations.
    const fn operation(mut self) -> Self {
        self.fold = Fold::Operation;
        self
    }

    /// Some words mean something else in the record.
    const fn meaning(mut self, meanings: &'static [Meaning]) -> Self {
        self.meanings = meanings;
        self
    }
}

/// A log source: its table, the names that rules give it, and its fields.
#[derive(Debug, Clone, Copy)]
struct Source {
    table: Table,
    /// Products that rules name; one must match.
    products: &'static [&'static str],
    /// Services and categories that rules name; one must match.
    services: &'static [&'static str],
    aliases: &'static [Alias],
    /// Where a field may stand in the raw record, `{}` for its name, most likely first.
    paths: &'static [&'static str],
}

const SOURCES: &[Source] = &[
    signins::SOURCE,
    directory_audits::SOURCE,
    risk_events::SOURCE,
    m365_activity::SOURCE,
    azure_activity::SOURCE,
    graph_activity::SOURCE,
    graph_alerts::SOURCE,
];

/// Lists of name and value pairs: `Parameters.ForwardTo` is `Parameters[ForwardTo]`.
const PAIR_LISTS: &[&str] = &[
    "Parameters",
    "ExtendedProperties",
    "OperationProperties",
    "DeviceProperties",
    "additionalDetails",
];

/// How fields are found: in a table of the lake, or in records of any other shape.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Mapping {
    /// A table of the lake, by its source's table of names.
    Lake(Table),
    /// A batch with a column for each field, named exactly as in the rules.
    Flat,
    /// Nothing but the raw record.
    Raw,
}

impl Mapping {
    /// Where the field `name` stands.
    pub fn field(self, name: &str) -> Field {
        match self {
            Self::Lake(table) => lake_field(table, name),
            Self::Flat => plain(Place::Column(name.to_owned())),
            Self::Raw => plain(Place::Raw(vec![RecordPath::new(name)])),
        }
    }
}

fn plain(place: Place) -> Field {
    Field {
        place,
        fold: Fold::Lower,
        meanings: &[],
    }
}

/// The table that holds a rule's log source.
///
/// # Errors
/// [`Refusal::LogSource`] if none does.
pub fn table(logsource: &LogSource) -> Result<Table, Refusal> {
    let has = |list: &[&str], word: Option<&String>| {
        word.is_some_and(|word| list.iter().any(|known| same_word(known, word)))
    };
    SOURCES
        .iter()
        .find(|source| {
            has(source.products, logsource.product.as_ref())
                && (has(source.services, logsource.service.as_ref())
                    || (logsource.service.is_none()
                        && has(source.services, logsource.category.as_ref())))
        })
        .map(|source| source.table)
        .ok_or_else(|| Refusal::LogSource {
            logsource: describe(logsource),
        })
}

fn describe(logsource: &LogSource) -> String {
    [&logsource.product, &logsource.category, &logsource.service]
        .into_iter()
        .flatten()
        .cloned()
        .collect::<Vec<_>>()
        .join("/")
}

/// Equal but for letter case and the marks between words.
fn same_word(left: &str, right: &str) -> bool {
    let letters = |text: &str| {
        text.chars()
            .filter(|character| !matches!(character, '_' | '-' | ' '))
            .map(|character| character.to_ascii_lowercase())
            .collect::<String>()
    };
    letters(left) == letters(right)
}

fn lake_field(table: Table, name: &str) -> Field {
    let source = SOURCES.iter().find(|source| source.table == table);
    let alias = source.and_then(|source| {
        source.aliases.iter().find(|alias| {
            alias
                .names
                .iter()
                .any(|known| known.eq_ignore_ascii_case(name))
        })
    });
    if let Some(alias) = alias {
        let place = match alias.target {
            Target::Column(name) => Place::Column(name.to_owned()),
            Target::Raw(paths) => {
                Place::Raw(paths.iter().map(|path| RecordPath::new(path)).collect())
            }
        };
        return Field {
            place,
            fold: alias.fold,
            meanings: alias.meanings,
        };
    }
    let templates = source.map_or(&["{}"][..], |source| source.paths);
    let paths = candidates(name, templates);
    match column_of(table, name, &paths) {
        Some(column) => {
            let fold = if is_operation(column.name) {
                Fold::Operation
            } else {
                Fold::Lower
            };
            Field {
                place: Place::Column(column.name.to_owned()),
                fold,
                meanings: &[],
            }
        }
        None => plain(Place::Raw(
            paths.iter().map(|path| RecordPath::new(path)).collect(),
        )),
    }
}

fn is_operation(column: &str) -> bool {
    matches!(
        column,
        "operation" | "operation_name" | "activity_display_name"
    )
}

/// The raw paths at which a field of this name may stand, most likely first.
fn candidates(name: &str, templates: &[&str]) -> Vec<String> {
    if let Some((list, rest)) = name.split_once('.')
        && let Some(list) = PAIR_LISTS
            .iter()
            .find(|known| known.eq_ignore_ascii_case(list))
    {
        return templates
            .iter()
            .filter(|template| !template.contains('['))
            .map(|template| template.replace("{}", &format!("{list}[{rest}]")))
            .collect();
    }
    templates
        .iter()
        .map(|template| template.replace("{}", name))
        .collect()
}

fn column_of(table: Table, name: &str, paths: &[String]) -> Option<Column> {
    let columns = table.columns();
    let has_path = |column: &Column, path: &str| {
        column
            .paths
            .iter()
            .any(|known| known.eq_ignore_ascii_case(path))
    };
    // The envelope is ours; rules that say `source` or `category` mean Microsoft's.
    let by_name = || {
        columns
            .iter()
            .find(|column| !column.paths.is_empty() && same_word(column.name, name))
    };
    paths
        .iter()
        .find_map(|path| columns.iter().find(|column| has_path(column, path)))
        .or_else(by_name)
        .copied()
}

/// The kind of a column of a table; text for columns that only the batch has.
pub fn kind(mapping: Mapping, column: &str) -> Kind {
    match mapping {
        Mapping::Lake(table) => table
            .columns()
            .iter()
            .find(|known| known.name == column)
            .map_or(Kind::Text, |known| known.kind),
        Mapping::Flat | Mapping::Raw => Kind::Text,
    }
}

#[cfg(test)]
mod tests {
    use super::{Mapping, Place, SOURCES, Target, table};
    use rsigma_parser::LogSource;
    use schemas::tables::Table;

    #[track_caller]
    fn check(table: Table, name: &str, column: &str) {
        let field = Mapping::Lake(table).field(name);
        assert_eq!(
            field.place,
            Place::Column(column.to_owned()),
            "{table} {name}"
        );
    }

    #[test]
    fn finds_columns_by_the_names_that_rules_use() {
        check(Table::Signins, "ResultType", "result_type");
        check(Table::Signins, "Status", "result_type");
        check(Table::Signins, "DeviceDetail.trusttype", "trust_type");
        check(
            Table::Signins,
            "properties.message",
            "authentication_protocol",
        );
        check(
            Table::Signins,
            "AuthenticationRequirement",
            "authentication_requirement",
        );
        check(
            Table::DirectoryAudits,
            "properties.message",
            "activity_display_name",
        );
        check(
            Table::DirectoryAudits,
            "LoggedByService",
            "logged_by_service",
        );
        check(Table::DirectoryAudits, "Initiatedby", "user_principal_name");
        check(Table::RiskEvents, "riskEventType", "risk_event_type");
        check(Table::M365Activity, "ForwardTo", "forward_to");
        check(Table::M365Activity, "Parameters.ForwardTo", "forward_to");
        check(Table::M365Activity, "eventSource", "workload");
        check(Table::AzureActivity, "operationNameValue", "operation_name");
        check(Table::GraphActivity, "RequestUri", "request_uri");
    }

    #[test]
    fn what_has_no_column_is_read_from_the_record() {
        let field = Mapping::Lake(Table::M365Activity).field("SubjectContainsWords");
        assert!(matches!(field.place, Place::Raw(paths) if paths.len() > 1));
    }

    #[test]
    fn every_alias_names_a_column_of_its_table() {
        for source in SOURCES {
            for alias in source.aliases {
                if let Target::Column(name) = alias.target {
                    assert!(
                        source
                            .table
                            .columns()
                            .iter()
                            .any(|column| column.name == name),
                        "{} {name}",
                        source.table
                    );
                }
            }
        }
    }

    #[test]
    fn knows_log_sources_in_any_style() {
        let of = |product: &str, category: Option<&str>, service: Option<&str>| {
            table(&LogSource {
                product: Some(product.to_owned()),
                category: category.map(str::to_owned),
                service: service.map(str::to_owned),
                ..LogSource::default()
            })
            .ok()
        };
        assert_eq!(of("azure", None, Some("signinlogs")), Some(Table::Signins));
        assert_eq!(of("azure", None, Some("SignInLogs")), Some(Table::Signins));
        assert_eq!(of("azure", None, Some("pim")), Some(Table::RiskEvents));
        assert_eq!(
            of("m365", None, Some("threat_management")),
            Some(Table::M365Activity)
        );
        assert_eq!(of("m365", Some("audit"), None), Some(Table::M365Activity));
        assert_eq!(of("windows", Some("process_creation"), None), None);
    }
}
