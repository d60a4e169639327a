//! What a rule and a correlation say of themselves, whatever they look for.

pub mod attack;
mod case;
mod day;
pub(crate) mod keys;
mod rule_metadata;

pub use self::case::{Case, CaseEvent};
pub use self::day::Day;
pub use self::rule_metadata::RuleMetadata;
