//! Watches the kill switch, and acknowledges it: from the audit entry on, nothing is sent until it is lifted.
//!
//! The entry is written after the last call under way is over or cut off, so that whoever waits for it knows. What is
//! done follows the file at once; what was seen and cannot be written is owed, in order, until the chain has it. Where
//! the chain is still to say that the switch was lifted, nothing is sent: an action between the two would be a lie.

use std::collections::VecDeque;
use std::fs::File;
use std::io::Read as _;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use bus::retry::retry_or_stop;
use schemas::environment::Clock;
use schemas::health::Health;
use serde_json::{Value, json};
use tokio_util::sync::CancellationToken;

use super::Wake;
use crate::effects::{Gates, is_set};
use crate::error::RespondError;
use crate::journal::{JournalError, Ledger, Notice};

/// How often the switch is looked at; calls look at it themselves.
const LOOK_EVERY: Duration = Duration::from_millis(100);

/// Most bytes of the file that are kept: it says who set it and why.
const NOTE_BYTES_MAX: u64 = 4_096;

/// Most flips that are owed to the chain: more than people make while a disk is full.
const OWED_MAX: usize = 64;

/// The part that is in trouble while nothing may be sent.
const PART: &str = "respond/kill_switch";

const SET: &str = "the kill switch is set: nothing is sent to Microsoft";

/// What was seen of the switch, and what the chain is still to be told of it.
#[derive(Debug, Default)]
pub(super) struct Flips {
    /// How it was last seen; none where that must be told again, whatever it is.
    seen: Option<bool>,
    /// Who set it and why, by the file.
    note: Value,
    owed: VecDeque<Notice>,
}

impl Flips {
    /// After what the chain last said: whoever set or lifted the switch while no responder ran waits for a word that is
    /// true now.
    fn after(said: Option<&str>) -> Self {
        let is_set = said == Some("set");
        Self {
            seen: (!is_set).then_some(false),
            ..Self::default()
        }
    }

    /// Whether it is another way than it was seen last.
    fn is_news(&self, is_set: bool) -> bool {
        self.seen != Some(is_set)
    }

    /// Takes a flip; the oldest pair of those owed gives way where there are too many.
    fn take(&mut self, is_set: bool, now_us: i64) {
        self.seen = Some(is_set);
        self.owed.push_back(notice(is_set, &self.note, now_us));
        if self.owed.len() > OWED_MAX {
            for lost in self.owed.drain(..2) {
                tracing::error!(
                    state = lost.state,
                    by = lost.by,
                    time_us = lost.time_us,
                    "a flip of the kill switch is not told in the audit chain, which cannot be written"
                );
            }
        }
    }
}

/// What the chain last said, by which the gates begin: while its last word is that the switch is set, nothing is sent.
pub(super) async fn begin(
    gates: &Gates,
    ledger: &Ledger,
    stop: &CancellationToken,
) -> Result<Flips, RespondError> {
    let said = loop {
        match ledger
            .with(|journal| journal.noted(Notice::KILL_SWITCH))
            .await
        {
            Ok(said) => break said,
            Err(error) => retry_or_stop(error, "respond/kill_switch", stop).await?,
        }
    };
    let flips = Flips::after(said.as_ref().map(|entry| entry.state.as_str()));
    if flips.seen.is_none() {
        gates.stop().await;
    }
    Ok(flips)
}

pub(super) async fn run(
    mut flips: Flips,
    gates: Gates,
    ledger: Ledger,
    clock: Arc<dyn Clock>,
    health: Health,
    wake: Wake,
    stop: CancellationToken,
) -> Result<(), RespondError> {
    while !stop.is_cancelled() {
        let is_set_now = is_set(&gates.kill_switch);
        if flips.is_news(is_set_now) {
            if is_set_now {
                gates.stop().await;
                flips.note = read(&gates.kill_switch);
                health.trouble(PART, SET, clock.now_us());
                tracing::warn!(switch = %gates.kill_switch.display(), note = %flips.note, "the kill switch is set");
            }
            flips.take(is_set_now, clock.now_us());
        }
        if !flips.owed.is_empty() {
            if let Err(error) = tell(&mut flips, &ledger).await {
                let standing = if is_set_now {
                    SET
                } else {
                    "the kill switch is lifted, and nothing is sent before the audit chain says so"
                };
                let why =
                    format!("{standing}; not acknowledged: the journal cannot be written: {error}");
                health.trouble(PART, why, clock.now_us());
                retry_or_stop(error, "respond/kill_switch", &stop).await?;
                continue;
            }
            if is_set_now {
                health.trouble(PART, SET, clock.now_us());
            } else {
                gates.start();
                health.well(PART);
                tracing::warn!("the kill switch is lifted");
            }
            wake.send_replace(());
        }
        tokio::select! {
            () = stop.cancelled() => {}
            () = tokio::time::sleep(LOOK_EVERY) => {}
        }
    }
    Ok(())
}

/// Writes what is owed, in order; what cannot be written stays owed.
async fn tell(flips: &mut Flips, ledger: &Ledger) -> Result<(), JournalError> {
    while let Some(notice) = flips.owed.front().cloned() {
        ledger.with(move |journal| journal.note(&notice)).await?;
        flips.owed.pop_front();
    }
    Ok(())
}

fn notice(is_set: bool, note: &Value, time_us: i64) -> Notice {
    let by = note.get("by").and_then(Value::as_str);
    Notice {
        what: Notice::KILL_SWITCH,
        state: if is_set { "set" } else { "lifted" },
        by: by.unwrap_or_default().to_owned(),
        detail: json!({"note": note}),
        time_us,
    }
}

/// What the file says: JSON of the command, or whatever somebody wrote into it; a file need not say anything.
fn read(path: &Path) -> Value {
    let mut bytes = Vec::new();
    let is_file = path.metadata().is_ok_and(|metadata| metadata.is_file());
    if is_file && let Ok(file) = File::open(path) {
        // What cannot be read is a switch that says nothing.
        drop(file.take(NOTE_BYTES_MAX).read_to_end(&mut bytes));
    }
    serde_json::from_slice(&bytes)
        .unwrap_or_else(|_| Value::String(String::from_utf8_lossy(&bytes).into_owned()))
}

#[cfg(test)]
mod tests {
    use super::{Flips, OWED_MAX};

    #[test]
    fn flips_are_owed_in_order_and_within_a_bound() {
        let mut flips = Flips::after(None);
        assert!(flips.is_news(true) && !flips.is_news(false));
        for time_us in 0..200 {
            flips.take(time_us % 2 == 0, time_us);
        }
        let owed: Vec<&str> = flips.owed.iter().map(|notice| notice.state).collect();
        assert_eq!(owed.len(), OWED_MAX);
        assert_eq!(owed[..2], ["set", "lifted"]);
        assert_eq!(flips.owed.back().unwrap().time_us, 199);
    }

    #[test]
    fn what_the_chain_said_last_may_not_be_so_any_more() {
        assert!(Flips::after(Some("set")).is_news(true));
        assert!(Flips::after(Some("set")).is_news(false));
        assert!(!Flips::after(Some("lifted")).is_news(false));
    }
}
