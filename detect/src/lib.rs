//! Sigma rules over every batch of the lake.
//!
//! ```text
//! [batches] ─▶ open the announced files ─▶ rule_scan ─▶ hits ─▶ evaluate ─┬─▶ [alerts]
//!                one announcement at a time                              └─▶ [signals] ─▶ count: correlations ─▶ [alerts]
//!                                                                                           ▲ after a restart: the lake's table
//! ```
//! The engine is the crate `sigma`; [`rule_scan`] is the one operator that runs it, for the stream, for all that the lake
//! holds and for SQL; [`evaluate`] says what its hits mean.
//! Everything but [`stage`], `count`, [`announced`], [`missing`], [`backtest`], [`rule_scan`] and [`reproduce`] is pure: a
//! rule, a batch and a place in the lake give the same alerts always.
//!
//! ```
//! use columns::event_batch;
//! use detect::Evaluation;
//! use detect::alert::Origin;
//! use schemas::tables::Table;
//! use schemas::wire::Event;
//! use sigma::Ruleset;
//!
//! let rules = Ruleset::compile(&mut detect::rules::builtin());
//! let table = Table::M365Activity;
//! let record = r#"{"Id": "e1", "Operation": "New-InboxRule", "UserId": "ada@contoso.test",
//!     "Parameters": [{"Name": "Name", "Value": "Copies"}, {"Name": "ForwardTo", "Value": "smtp:x@mail.example"}]}"#;
//! let event = Event {
//!     event_id: "e1".to_owned(),
//!     event_time_us: Some(1_795_000_000_000_000),
//!     ingest_time_us: 1_795_000_060_000_000,
//!     raw: record.to_owned().into(),
//!     ..Event::default()
//! };
//! let evaluation = Evaluation {
//!     rules: &rules,
//!     table,
//!     origin: &Origin {
//!         table: table.name().to_owned(),
//!         tenant_id: "7f3c".to_owned(),
//!         file: "tenant_id=7f3c/day=2026-11-18/a.parquet".to_owned(),
//!         version: 4,
//!     },
//!     now_us: 1_795_000_090_000_000,
//! };
//! let found = evaluation.batch(&event_batch(table, &[event])?)?;
//! // Who, and which row of which file proves it.
//! assert_eq!((&*found.alerts[0].label, &*found.alerts[0].user), ("SAAS-M365-00002", "ada@contoso.test"));
//! assert_eq!(found.alerts[0].evidence[0].row, 0);
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```

pub mod alert;
pub mod announced;
pub mod backtest;
mod catch_up;
pub mod config;
mod count;
mod damaged;
pub mod domains;
pub mod error;
pub mod evaluate;
pub mod graph_alert;
pub mod impact;
pub mod ip_database;
mod lateness;
pub mod matches;
pub mod missing;
mod published;
pub mod reproduce;
pub mod rule_scan;
pub mod rules;
pub mod signal;
pub mod stage;
mod stored_event;
mod stretches;
pub mod subject;
mod watch;

pub use crate::config::DetectConfig;
pub use crate::error::DetectError;
pub use crate::evaluate::Evaluation;
