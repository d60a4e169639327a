//! Sigma rules over every batch of the lake.
//!
//! ```text
//! [batches] ─▶ open the announced files ─▶ evaluate ─▶ [alerts] ─▶ commit
//!                one announcement at a time; while it is evaluated no other is read
//! ```
//! The engine is the crate `sigma`; here its hits become alerts, on the stream and over all that the lake holds.
//! Everything but [`stage`], [`backtest`] and [`reproduce`] is pure: a rule, a batch and a place in the lake give the same alerts always.

pub mod alert;
pub mod backtest;
pub mod config;
pub mod error;
pub mod evaluate;
pub mod graph_alert;
pub mod impact;
pub mod matches;
pub mod reproduce;
pub mod rules;
pub mod stage;
pub mod subject;
mod watch;

pub use crate::config::DetectConfig;
pub use crate::error::DetectError;
pub use crate::evaluate::Evaluation;
