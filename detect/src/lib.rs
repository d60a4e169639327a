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
