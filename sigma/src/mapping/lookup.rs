//! Finds the place of a field by its name: alias, column, path in the raw record.

use super::field::natural_fold;
use super::names::same_word;
use schemas::tables::{Column, Table};

use super::built_in::built_in;
use super::field::{Field, FieldBinding};
use super::user_mapping::{TableMapping, UserMapping};
use crate::expression::RecordPath;

/// Lists of name and value pairs: `Parameters.ForwardTo` is `Parameters[ForwardTo]`.
const PAIR_LISTS: &[&str] = &[
    "Parameters",
    "ExtendedProperties",
    "OperationProperties",
    "DeviceProperties",
    "additionalDetails",
    "authenticationProcessingDetails",
];

/// The list of pairs that has an old and a new value, and the names of what it has itself.
const CHANGES: (&str, &[&str]) = (
    "ModifiedProperties",
    &["Name", "DisplayName", "NewValue", "OldValue"],
);

/// Where the field `name` of a table stands.
pub(super) fn field(user_mapping: &UserMapping, table: Table, name: &str) -> Field {
    let sources = || [user_mapping.source(table), built_in().source(table)];
    if let Some(field) = sources()
        .into_iter()
        .flatten()
        .find_map(|source| source.alias(name))
    {
        return field.clone();
    }
    let mut templates: Vec<&str> = sources()
        .into_iter()
        .flatten()
        .flat_map(|source: &TableMapping| source.paths.iter().map(String::as_str))
        .collect();
    if templates.is_empty() {
        templates.push("{}");
    }
    let paths = candidates(name, &templates);
    match column_of(table, name, &paths) {
        Some(column) => Field {
            place: FieldBinding::Column(column.name.to_owned()),
            fold: natural_fold(column.name),
            meanings: Vec::new(),
        },
        None => Field::plain(FieldBinding::Raw(
            paths.iter().map(|path| RecordPath::new(path)).collect(),
        )),
    }
}

/// The raw paths at which a field of this name may stand, most likely first.
fn candidates(name: &str, templates: &[&str]) -> Vec<String> {
    let in_list = pair(name);
    let name = in_list.as_deref().unwrap_or(name);
    templates
        .iter()
        .filter(|template| in_list.is_none() || !template.contains('['))
        .map(|template| template.replace("{}", name))
        .collect()
}

/// `a.Parameters.ForwardTo` as `a.Parameters[ForwardTo]`; none if no list of pairs is on the way.
fn pair(name: &str) -> Option<String> {
    let starts = name.match_indices('.').map(|(at, _)| at + 1);
    for start in std::iter::once(0).chain(starts) {
        let Some((list, rest)) = name[start..].split_once('.') else {
            continue;
        };
        let before = &name[..start];
        if PAIR_LISTS
            .iter()
            .any(|known| known.eq_ignore_ascii_case(list))
        {
            return Some(format!("{before}{list}[{rest}]"));
        }
        let is_own = CHANGES.1.iter().any(|own| own.eq_ignore_ascii_case(rest));
        if CHANGES.0.eq_ignore_ascii_case(list) && !is_own {
            let (property, value) = match rest.rsplit_once('.') {
                Some((property, value))
                    if CHANGES.1[2..]
                        .iter()
                        .any(|own| own.eq_ignore_ascii_case(value)) =>
                {
                    (property, value)
                }
                _ => (rest, "NewValue"),
            };
            return Some(format!("{before}{list}[{property}].{value}"));
        }
    }
    None
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
