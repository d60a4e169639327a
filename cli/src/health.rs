//! How the process stands, for whoever runs it.
//!
//! Ready means: every stage runs, none is draining, and no part has been in trouble for longer than its grace.

use std::collections::BTreeMap;
use std::fmt;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use axum::http::StatusCode;
use schemas::environment::Clock;
use schemas::health::Health;

pub(crate) mod server;
pub(crate) mod watch;

/// How long a part may be in trouble before the process is not ready: one failed write is tried again and forgotten.
const GRACE: Duration = Duration::from_secs(30);

/// The same for a source: a failed poll, or some minutes of Microsoft's, say nothing about this process.
const SOURCE_GRACE: Duration = Duration::from_mins(5);

/// How a stage stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Standing {
    /// Opening what it needs.
    Starting,
    /// At work.
    Running,
    /// Finishing what it holds.
    Draining,
    /// Ended.
    Stopped,
}

impl fmt::Display for Standing {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(match self {
            Self::Starting => "starting",
            Self::Running => "running",
            Self::Draining => "draining",
            Self::Stopped => "stopped",
        })
    }
}

/// How every stage stands and what is wrong; shared by those who tell and those who ask.
#[derive(Clone)]
pub(crate) struct Readiness {
    standings: Arc<Mutex<BTreeMap<&'static str, Standing>>>,
    clock: Arc<dyn Clock>,
    /// How long a loop may not come round before it stands still.
    still_max: Duration,
    /// Where the stages tell what is wrong.
    pub(crate) health: Health,
}

impl Readiness {
    /// Nothing runs yet.
    pub(crate) fn new(clock: Arc<dyn Clock>, still_max: Duration) -> Self {
        Self {
            standings: Arc::default(),
            clock,
            still_max,
            health: Health::default(),
        }
    }

    /// Notes how `stage` stands.
    pub(crate) fn set(&self, stage: &'static str, standing: Standing) {
        match standing {
            // Also one that never comes as far as its loop stands still.
            Standing::Starting => self.health.comes_round(stage, self.clock.now_us()),
            Standing::Running | Standing::Draining => {}
            Standing::Stopped => self.health.rests(stage),
        }
        self.standings
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .insert(stage, standing);
    }

    /// The loops that stand still, and when they last came round.
    pub(crate) fn standing_still(&self) -> BTreeMap<&'static str, i64> {
        let now_us = self.clock.now_us();
        self.health.clock_reads(now_us);
        let mut rounds = self.health.rounds();
        rounds.retain(|_, round_us| {
            let for_us = u64::try_from(now_us.saturating_sub(*round_us)).unwrap_or(0);
            Duration::from_micros(for_us) >= self.still_max
        });
        rounds
    }

    /// Whether it is ready, and every reason to think so or not, a line each.
    fn answer(&self) -> (StatusCode, String) {
        let stages = self
            .standings
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .clone();
        let mut ready = !stages.is_empty()
            && stages
                .values()
                .all(|standing| *standing == Standing::Running);
        let mut lines: Vec<String> = stages
            .iter()
            .map(|(stage, standing)| format!("{stage}: {standing}"))
            .collect();
        let now_us = self.clock.now_us();
        for (part, since_us) in self.standing_still() {
            ready = false;
            lines.push(still(part, since_us, now_us));
        }
        for (part, trouble) in self.health.troubles() {
            let for_us = u64::try_from(now_us.saturating_sub(trouble.since_us)).unwrap_or(0);
            let lasted = Duration::from_micros(for_us);
            let grace = grace(&part);
            let weighs = lasted >= grace;
            ready &= !weighs;
            let yet = if weighs {
                String::new()
            } else {
                format!(", not ready after {} s", grace.as_secs())
            };
            let since = schemas::time::iso_ms(trouble.since_us);
            lines.push(format!(
                "{part}: {} (since {since}, {} s{yet})",
                trouble.why,
                lasted.as_secs()
            ));
        }
        for (part, note) in self.health.notes() {
            lines.push(format!("{part}: {note}"));
        }
        let code = if ready {
            StatusCode::OK
        } else {
            StatusCode::SERVICE_UNAVAILABLE
        };
        (code, lines.join("\n") + "\n")
    }
}

/// What is said of a loop that stands still.
pub(crate) fn still(part: &str, since_us: i64, now_us: i64) -> String {
    format!(
        "{part}: stands still: its loop has not come round for {} s (since {}); what it waits for is not known here",
        now_us.saturating_sub(since_us) / 1_000_000,
        schemas::time::iso_ms(since_us)
    )
}

fn grace(part: &str) -> Duration {
    if part.starts_with("ingest/") {
        SOURCE_GRACE
    } else {
        GRACE
    }
}

#[cfg(test)]
mod tests {
    use super::{Readiness, Standing};
    use axum::http::StatusCode;
    use schemas::environment::Clock;
    use std::sync::Arc;
    use std::sync::atomic::{AtomicI64, Ordering};
    use std::time::Duration;

    const STILL_MAX: Duration = Duration::from_mins(2);

    #[derive(Debug, Default)]
    struct Set(AtomicI64);

    impl Clock for Set {
        fn now_us(&self) -> i64 {
            self.0.load(Ordering::Relaxed)
        }
    }

    #[test]
    fn ready_only_while_every_stage_runs() {
        let readiness = Readiness::new(Arc::new(Set::default()), STILL_MAX);
        assert_eq!(readiness.answer().0, StatusCode::SERVICE_UNAVAILABLE);
        readiness.set("lake", Standing::Running);
        assert_eq!(readiness.answer().0, StatusCode::OK);
        readiness.set("detect", Standing::Draining);
        let (code, text) = readiness.answer();
        assert_eq!(code, StatusCode::SERVICE_UNAVAILABLE);
        assert_eq!(text, "detect: draining\nlake: running\n");
    }

    /// Whatever it waits for: a file that blocks, a call that never ends, at its start too.
    #[test]
    fn a_stage_whose_loop_does_not_come_round_is_not_ready() {
        let clock = Arc::new(Set::default());
        let readiness = Readiness::new(clock.clone(), STILL_MAX);
        for standing in [Standing::Starting, Standing::Running] {
            readiness.set("detect", standing);
        }
        let at = |seconds: i64| clock.0.store(seconds * 1_000_000, Ordering::Relaxed);
        at(119);
        assert_eq!(readiness.answer().0, StatusCode::OK);
        at(120);
        let (code, text) = readiness.answer();
        assert_eq!(code, StatusCode::SERVICE_UNAVAILABLE);
        assert!(text.contains("detect: stands still"), "{text}");
        readiness.health.comes_round("detect", clock.now_us());
        assert_eq!(readiness.answer().0, StatusCode::OK);
        // What waits for what may take any time says so.
        readiness.health.rests("detect");
        at(9_999);
        assert_eq!(readiness.answer().0, StatusCode::OK);
    }

    #[test]
    fn what_stands_by_is_ready_and_says_so() {
        let readiness = Readiness::new(Arc::new(Set::default()), STILL_MAX);
        readiness.set("respond", Standing::Running);
        let note = "stands by: north (process 7) acts";
        readiness.health.note("respond/lease", note);
        let (code, text) = readiness.answer();
        assert_eq!(code, StatusCode::OK);
        assert_eq!(text, format!("respond: running\nrespond/lease: {note}\n"));
    }

    #[test]
    fn a_trouble_that_lasts_makes_it_unready_and_one_failed_poll_does_not() {
        let clock = Arc::new(Set::default());
        let readiness = Readiness::new(clock.clone(), STILL_MAX);
        readiness.set("lake", Standing::Running);
        for (part, grace_s) in [("lake/disk", 30), ("ingest/graph_alerts/t", 300)] {
            let began_us = clock.now_us();
            readiness.health.trouble(part, "full", began_us);
            for (seconds, code) in [
                (0, StatusCode::OK),
                (grace_s - 1, StatusCode::OK),
                (grace_s, StatusCode::SERVICE_UNAVAILABLE),
            ] {
                clock
                    .0
                    .store(began_us + seconds * 1_000_000, Ordering::Relaxed);
                let (found, text) = readiness.answer();
                assert_eq!(found, code, "{part} after {seconds} s: {text}");
                assert!(text.contains(&format!("{part}: full (since ")), "{text}");
            }
            readiness.health.well(part);
            assert_eq!(readiness.answer().0, StatusCode::OK);
        }
    }
}
