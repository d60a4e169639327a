//! Sigma rules, from their text to the rows that they match.
//!
//! ```text
//! rules/*.yml ─▶ rule ─▶ filter ─▶ pipeline ─▶ placeholders ─▶ mapping ─▶ compile ─▶ plan
//!                                                                                    │ distinct values first,
//! batch or row group ────────────────────────────────────────────────────────────────┴─▶ hits ─▶ signals
//!                                                       correlation: windows of event time ◀───────┘
//! ```
//! `coverage` asks of compiled rules whether they can fire at all; `tuning` proposes filters that leave an event out.
//! What was decided where Sigma leaves room is in `DECISIONS.md`.
//! Pure: no clock, no bus, no lake. It knows Arrow and nothing of `DataFusion`, so it builds and tests in seconds.

pub mod compile;
pub mod correlation;
pub mod coverage;
pub mod day;
pub mod explain;
pub mod fields;
pub mod filter;
pub mod lint;
pub mod mapping;
pub mod pipeline;
pub mod placeholders;
pub mod places;
pub mod plan;
pub mod predicate;
pub mod record;
pub mod refusal;
mod rewrite;
mod rows;
pub mod rule;
pub mod ruleset;
pub mod statement;
pub mod tuning;

pub use crate::correlation::Correlator;
pub use crate::plan::{Hits, Plan};
pub use crate::refusal::Refusal;
pub use crate::rule::{Catalogue, Rule};
pub use crate::ruleset::Ruleset;
