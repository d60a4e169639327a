//! Changed files of rules, taken while others run. Their file system may not answer: the loop never waits for it.

use std::sync::Arc;
use std::time::{Duration, Instant};

use schemas::fate::chain;
use tokio::task::JoinHandle;

use super::{Stage, aside};
use crate::domains;
use crate::error::DetectError;
use crate::rules::ruleset;
use crate::watch::Files;

/// How long a look at the files of rules may take before it is told.
const LOOK_MAX: Duration = Duration::from_secs(30);

/// The part that is in trouble while the files of rules cannot be looked at.
const RULE_FILES: &str = "detect/rule_files";

/// How the files of rules are looked at.
#[derive(Debug)]
pub(super) struct Look {
    /// When the last look began.
    began: Instant,
    under_way: Option<JoinHandle<Files>>,
}

impl Look {
    /// They have just been looked at.
    pub(super) fn begin() -> Self {
        Self {
            began: Instant::now(),
            under_way: None,
        }
    }
}

impl Stage {
    /// Takes changed rules, compiled aside; those that run go on until then, and where strictness refuses the new.
    pub(super) async fn reload(&mut self) -> Result<(), DetectError> {
        let every = Duration::from_millis(self.config.reload_ms);
        if every.is_zero() {
            return Ok(());
        }
        match self.look.under_way.take() {
            None if self.look.began.elapsed() >= every => {
                let config = self.config.clone();
                self.look.began = Instant::now();
                self.look.under_way = Some(tokio::task::spawn_blocking(move || Files::of(&config)));
                Ok(())
            }
            None => Ok(()),
            Some(look) if look.is_finished() => {
                self.health.well(RULE_FILES);
                let files = look.await.map_err(|_| DetectError::Interrupted)?;
                if self.watch.is_due(files) {
                    return self.compile().await;
                }
                Ok(())
            }
            Some(look) => {
                self.look.under_way = Some(look);
                if self.look.began.elapsed() >= LOOK_MAX {
                    let why = "the folder of rules does not answer: changed rules are not taken, those from before go on";
                    self.health.trouble(RULE_FILES, why, self.clock.now_us());
                }
                Ok(())
            }
        }
    }

    /// Takes what the lake says of domains now.
    pub(super) async fn learn_domains(&mut self) -> Result<(), DetectError> {
        let domains = domains::of_lake(&self.lake).await?;
        if domains == self.domains {
            return Ok(());
        }
        self.domains = domains;
        self.compile().await
    }

    async fn compile(&mut self) -> Result<(), DetectError> {
        let config = domains::join(self.config.clone(), &self.domains);
        match aside(move || ruleset(&config)).await? {
            Ok(rules) => {
                tracing::info!(rules = rules.rules().len(), "rules were loaded again");
                metrics::counter!("detect_reloads_total", "result" => "taken").increment(1);
                self.rules = Arc::new(rules);
                self.count = None;
            }
            Err(error) => {
                tracing::error!(error = %chain(&error), "changed rules were not taken; those from before go on");
                metrics::counter!("detect_reloads_total", "result" => "refused").increment(1);
            }
        }
        Ok(())
    }
}
