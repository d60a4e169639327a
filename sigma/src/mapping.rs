//! Which table a rule's log source is, and where in it a rule's field stands.
//!
//! Public Sigma rules name the same field in many styles (`ResultType`, `properties.message`,
//! `DeviceDetail.trusttype`) and few of the names are Microsoft's. Each file in `mapping/*.yml` is the table of one
//! log source, and a user's file of the same form adds to it. A name is looked up in this order: the user's names,
//! ours, the lake's column of that name or path, the same path in the raw record.
//!
//! ```yaml
//! signins:
//!   logsources:                      # one of each must match; without services the product is enough
//!     - {products: [acme], services: [logons]}
//!   fields:
//!     - names: [Outcome]             # in any letter case
//!       column: result_type          # or `paths: ['properties.acme.ring', 'tags[Ring]']`, or `anywhere: true`
//!       fold: operation              # exact, lower (default), operation: dashes, blanks, trailing periods
//!       words:                       # what a rule's word means beside itself; also under `contains`
//!         locked: {one_of: ['50053']}                        # none_of, contains, starts_with, present
//!         from abroad: {where: {Country: {none_of: [NL]}}}   # of other fields; `*` is the whole record
//!   values:                          # what coverage knows of values: a closed set, or a form
//!     - {column: result_type, documented: ['0', '50053']}
//!   known: [properties.acme]         # paths without a column that exist
//! ```

pub(crate) mod built_in;
mod field;
mod file;
pub(crate) mod logsource;
mod lookup;
mod names;
pub(crate) mod retold;
pub(crate) mod user_mapping;

use schemas::tables::{Kind, Table};

pub(crate) use self::field::{Ask, Clause, Field, FieldBinding, Meaning};
pub(crate) use self::user_mapping::DocumentedValues;
pub use self::user_mapping::UserMapping;
use crate::expression::RecordPath;

/// Whose an event is: a field of every table, which the lake keeps beside the rows and no record can say of itself.
pub const TENANT_ID: &str = "tenant_id";

/// How fields are found: in a table of the lake, or in records of any other shape.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Mapping {
    /// A table of the lake, by its source's table of names.
    Lake(Table),
    /// A batch with a column for each field, named exactly as in the rules.
    Flat,
    /// Nothing but the raw record.
    Raw,
    /// Records of the unified audit log, told again as records of one of Entra's own tables.
    Retold(Table),
}

impl Mapping {
    /// Where the field `name` stands; names of `user_mapping` come before our own.
    pub(crate) fn field(self, user_mapping: &UserMapping, name: &str) -> Field {
        match self {
            Self::Lake(_) | Self::Retold(_) if name == TENANT_ID => {
                Field::plain(FieldBinding::Column(TENANT_ID.to_owned()))
            }
            Self::Lake(table) => lookup::field(user_mapping, table, name),
            Self::Retold(table) => retold::field(user_mapping, table, name),
            Self::Flat => Field::plain(FieldBinding::Column(name.to_owned())),
            Self::Raw => Field::plain(FieldBinding::Raw(vec![RecordPath::new(name)])),
        }
    }
}

/// The kind of a column of a table; text for columns that only the batch has.
pub fn kind(mapping: Mapping, column: &str) -> Kind {
    let table = match mapping {
        Mapping::Lake(table) => table,
        Mapping::Retold(_) => retold::TELLER,
        Mapping::Flat | Mapping::Raw => return Kind::Text,
    };
    table
        .columns()
        .iter()
        .find(|known| known.name == column)
        .map_or(Kind::Text, |known| known.kind)
}

#[cfg(test)]
mod tests;
