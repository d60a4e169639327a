//! Sigma rules as DataFusion predicates over every batch of the lake.
//!
//! ```text
//! [batches] ─▶ read the announced files ─▶ evaluate ─▶ [alerts] ─▶ commit
//!                one announcement at a time; while it is evaluated no other is read
//! rules/*.yml ─▶ rule ─▶ mapping ─▶ compile ─┘
//! ```
//! Everything but [`stage`] and [`backtest`] is pure: a rule, a batch and a place in the lake give the same alerts always.

pub mod alert;
pub mod backtest;
pub mod compile;
pub mod config;
pub mod error;
pub mod evaluate;
pub mod graph_alert;
pub mod mapping;
pub mod rule;
pub mod stage;
pub mod subject;

pub use crate::config::DetectConfig;
pub use crate::error::DetectError;
pub use crate::evaluate::Ruleset;
