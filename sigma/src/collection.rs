//! Rules, filters, correlations and pipelines of many files, and what they mean for each other.
//!
//! ```text
//! files ─▶ load ─▶ resolve: filters, pipelines, placeholders, references ─▶ ruleset: a plan for each table
//! ```

pub mod cases;
mod link;
mod load;
mod resolve;
mod rule;
mod ruleset;

pub use self::load::{RuleCollection, load_folder};
pub use self::rule::Rule;
pub use self::ruleset::Ruleset;
