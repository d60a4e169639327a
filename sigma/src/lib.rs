//! Sigma rules, from their text to the rows that they match.
//!
//! ```text
//! rules/*.yml ─▶ rule ─▶ mapping ─▶ compile ─▶ plan
//!                                               │ distinct values first, rows only where a value hit
//! batch or row group ───────────────────────────┴─▶ hits
//! ```
//! Pure: no clock, no bus, no lake. It knows Arrow and nothing of `DataFusion`, so it builds and tests in seconds.

pub mod compile;
pub mod explain;
pub mod lint;
pub mod mapping;
pub mod plan;
pub mod predicate;
pub mod record;
pub mod refusal;
pub mod rule;
pub mod ruleset;

pub use crate::plan::{Hits, Plan};
pub use crate::refusal::Refusal;
pub use crate::rule::{Catalogue, Rule};
pub use crate::ruleset::Ruleset;
