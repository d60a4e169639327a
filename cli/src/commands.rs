//! What `vedette` does: one file for each command, named as the command is; and what many of them need.
//!
//! `run`, `ingest`, `lake`, `detect` and `respond` are one: a process that runs these stages until it is told to end.

pub(crate) mod audit;
pub(crate) mod completions;
pub(crate) mod config;
pub(crate) mod demo;
pub(crate) mod forward;
pub(crate) mod import;
pub(crate) mod lag;
pub(crate) mod reproduce;
pub(crate) mod rules;
pub(crate) mod run;
pub(crate) mod simulate;
pub(crate) mod sql;
pub(crate) mod stop_actions;

use anyhow::Context as _;
use detect::{DetectConfig, domains};
use lake::Lake;

use crate::config::Config;

/// The runtime of every command.
pub(crate) fn runtime() -> anyhow::Result<tokio::runtime::Runtime> {
    tokio::runtime::Builder::new_multi_thread()
        .enable_all()
        .build()
        .context("could not start the runtime")
}

/// The lake, and which rules run, with what the lake knows of each tenant.
pub(crate) async fn open_lake(config: &Config) -> anyhow::Result<(Lake, DetectConfig)> {
    let lake = Lake::open(&config.lake()).context("could not open the lake")?;
    let domains = domains::of_lake_or_none(&lake).await;
    Ok((lake, domains::join(config.detect(), &domains)))
}
