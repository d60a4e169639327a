//! Watches the kill switch, and acknowledges it: from the audit entry on, nothing is sent until it is lifted.
//!
//! The entry is written after the last call under way is over or cut off, so that whoever waits for it knows.

use std::fs::File;
use std::io::Read as _;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use schemas::environment::Clock;
use schemas::health::Health;
use serde_json::{Value, json};
use tokio_util::sync::CancellationToken;

use super::{Wake, obey};
use crate::effects::{Gates, is_set};
use crate::error::RespondError;
use crate::journal::{Ledger, Notice};

/// How often the switch is looked at; calls look at it themselves.
const LOOK_EVERY: Duration = Duration::from_millis(100);

/// Most bytes of the file that are kept: it says who set it and why.
const NOTE_BYTES_MAX: u64 = 4_096;

/// The part that is in trouble while nothing may be sent.
const PART: &str = "respond/kill_switch";

pub(super) async fn run(
    gates: Gates,
    ledger: Ledger,
    clock: Arc<dyn Clock>,
    health: Health,
    wake: Wake,
    stop: CancellationToken,
) -> Result<(), RespondError> {
    let said = loop {
        match ledger
            .with(|journal| journal.noted(Notice::KILL_SWITCH))
            .await
        {
            Ok(said) => break said,
            Err(error) => obey(error.into(), "kill switch", &stop).await?,
        }
    };
    // Whoever set or lifted it while no responder ran waits for a word that is true now: the last one said may not be.
    let mut told = match said {
        Some(entry) if entry.state == "set" => None,
        _ => Some(false),
    };
    let mut note = Value::Null;
    while !stop.is_cancelled() {
        let is_set_now = is_set(&gates.kill_switch);
        if told != Some(is_set_now) {
            if is_set_now {
                gates.stop().await;
                note = read(&gates.kill_switch);
            }
            let notice = notice(is_set_now, &note, clock.now_us());
            if let Err(error) = ledger.with(move |journal| journal.note(&notice)).await {
                // Told later; while it is set nothing passes anyway.
                obey(error.into(), "kill switch", &stop).await?;
                continue;
            }
            if is_set_now {
                let why = "the kill switch is set: nothing is sent to Microsoft";
                health.trouble(PART, why, clock.now_us());
                tracing::warn!(switch = %gates.kill_switch.display(), note = %note, "the kill switch is set");
            } else {
                gates.start();
                health.well(PART);
                tracing::warn!("the kill switch is lifted");
            }
            told = Some(is_set_now);
            wake.send_replace(());
        }
        tokio::select! {
            () = stop.cancelled() => {}
            () = tokio::time::sleep(LOOK_EVERY) => {}
        }
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
