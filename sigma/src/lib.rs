//! Sigma rules, from their text to the rows that they match.
//!
//! ```text
//! rules/*.yml ─▶ document ─▶ collection: filter ─▶ pipeline ─▶ placeholders ─▶ mapping ─▶ compile ─▶ plan
//!                                                                                │ distinct values first,
//! batch or row group ────────────────────────────────────────────────────────────┴─▶ hits ─▶ signals
//!                                                   correlation: windows of event time ◀───────┘
//! ```
//!
//! The modules are floors: each names only those above it in this list, which a test holds.
//!
//! | floor | what it is |
//! |---|---|
//! | [`error`] | why a rule, a mapping or a file is refused, and where |
//! | [`document`] | files of YAML within bounds; the line of everything that is said of them |
//! | [`metadata`] | what rules and correlations say of themselves: what alerts say, cases, ATT&CK, days |
//! | [`expression`] | predicates on values, formulas over their answers, paths in records |
//! | [`mapping`] | the table of a log source, and where in it a field stands |
//! | [`placeholders`], [`pipeline`], [`filter`] | what changes rules before they are compiled |
//! | `compile` | from detections and conditions to tests and formulas |
//! | [`plan`] | the rules of one table, evaluated over record batches and row groups |
//! | [`geo`] | where addresses are, for rules about places |
//! | [`correlation`] | what holds over several records, by the time of their events |
//! | [`collection`] | rules of many files: loaded, resolved, compiled, checked by their cases |
//! | [`tools`] | lint, explain, coverage (can a rule fire at all?), tuning (filters that leave an event out) |
//!
//! What was decided where Sigma leaves room is in `DECISIONS.md`.
//! Pure: no clock, no bus, no lake. It knows Arrow and nothing of `DataFusion`, so it builds and tests in seconds.

pub mod error;

pub mod document;

pub mod metadata;

pub mod expression;

pub mod mapping;

pub mod placeholders;

pub mod pipeline;

pub mod filter;

mod compile;

pub mod plan;

pub mod geo;

pub mod correlation;

pub mod collection;

pub mod tools;

pub use crate::collection::{Rule, RuleCollection, Ruleset};
pub use crate::correlation::Correlator;
pub use crate::error::RuleError;
pub use crate::plan::{Hits, Plan};
