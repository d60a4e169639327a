//! Sigma rules, from their text to the rows that they match.
//!
//! ```text
//! rules/*.yml ─▶ document ─▶ collection: filter ─▶ pipeline ─▶ placeholders ─▶ mapping ─▶ compile ─▶ plan
//!                                                                                │ distinct values first,
//! batch or row group ────────────────────────────────────────────────────────────┴─▶ hits ─▶ signals
//!                                                   correlation: windows of event time ◀───────┘
//! ```
//!
//! ```
//! use std::sync::Arc;
//!
//! use arrow::array::{ArrayRef, StringArray};
//! use arrow::record_batch::RecordBatch;
//! use sigma::mapping::Mapping;
//! use sigma::plan::chunk::Batch;
//! use sigma::{Plan, RuleCollection};
//!
//! let mut collection = RuleCollection::default();
//! collection.add(
//!     "inbox_rule.yml",
//!     b"title: A new inbox rule
//! id: 5f0c54b2-3a3e-4b1e-9d3b-2f1f3a0f4b10
//! logsource: {product: m365, service: audit}
//! detection:
//!   created: {Operation: New-InboxRule}
//!   own: {UserId|endswith: '@contoso.test'}
//!   condition: created and not own
//! ",
//! );
//! assert!(collection.rejected.is_empty());
//!
//! // A batch with a column for each field and for the log source, named as in the rule; a table of the lake is
//! // `Mapping::Lake(table)`.
//! let column = |values: [&str; 3]| Arc::new(StringArray::from_iter_values(values)) as ArrayRef;
//! let batch = RecordBatch::try_from_iter([
//!     ("product", column(["m365"; 3])),
//!     ("service", column(["audit"; 3])),
//!     ("Operation", column(["New-InboxRule", "MailItemsAccessed", "new-inboxrule"])),
//!     ("UserId", column(["ada@contoso.test", "eve@evil.test", "eve@evil.test"])),
//! ])?;
//! let rules = collection.loaded.iter().map(|rule| &rule.sigma).enumerate();
//! let (plan, refused) = Plan::new(Mapping::Flat, rules);
//! assert!(refused.is_empty());
//! let hits = plan.evaluate(&mut Batch(&batch))?;
//! assert_eq!(hits[0].rows, [2]);
//! # Ok::<(), arrow::error::ArrowError>(())
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
