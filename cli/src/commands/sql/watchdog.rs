//! Ends a query that takes too long or too much memory.
//!
//! The memory pool of the engine counts what sorts, joins and aggregates hold, not what functions make; and what computes
//! without a pause cannot be cancelled. So a thread looks at the process itself, and ends it.

use std::io::Write as _;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use crate::output;
use crate::output::exit::UNREACHABLE;

/// How often it looks.
const LOOK_EVERY: Duration = Duration::from_millis(50);

/// Bytes of a page, as Linux counts resident memory on every machine that we build for.
const PAGE_BYTES: u64 = 4096;

/// What a query may take.
#[derive(Debug, Clone, Copy)]
pub(super) struct Bounds {
    /// Longest that it may run.
    pub(super) time: Duration,
    /// Most memory of the process, in bytes.
    pub(super) bytes: u64,
}

/// Watches until it is dropped.
pub(super) struct Watchdog(Arc<AtomicBool>);

impl Watchdog {
    /// Watches one query.
    pub(super) fn start(bounds: Bounds) -> Self {
        let is_done = Arc::new(AtomicBool::new(false));
        let watched = Arc::clone(&is_done);
        thread::spawn(move || watch(bounds, &watched));
        Self(is_done)
    }
}

impl Drop for Watchdog {
    fn drop(&mut self) {
        self.0.store(true, Ordering::Release);
    }
}

fn watch(bounds: Bounds, is_done: &AtomicBool) {
    let started = Instant::now();
    while !is_done.load(Ordering::Acquire) {
        let bytes = resident_bytes().unwrap_or(0);
        let why = if started.elapsed() > bounds.time {
            format!(
                "the query ran for more than {} s; --seconds-max allows more",
                bounds.time.as_secs()
            )
        } else if bytes > bounds.bytes {
            format!(
                "the query needs more than {} MB of memory; --memory-max allows more",
                bounds.bytes / 1_000_000
            )
        } else {
            thread::sleep(LOOK_EVERY);
            continue;
        };
        // Nothing is left to do if standard error is closed.
        drop(writeln!(output::stderr(), "vedette: {why}"));
        #[expect(
            clippy::disallowed_methods,
            reason = "what computes without a pause cannot be ended in another way; a query changes nothing"
        )]
        std::process::exit(i32::from(UNREACHABLE));
    }
}

/// Resident memory of this process; none where the system does not tell.
fn resident_bytes() -> Option<u64> {
    let pages = std::fs::read_to_string("/proc/self/statm").ok()?;
    let pages: u64 = pages.split_whitespace().nth(1)?.parse().ok()?;
    Some(pages * PAGE_BYTES)
}

#[cfg(test)]
mod tests {
    use super::resident_bytes;

    #[test]
    fn the_memory_of_this_process_is_told() {
        assert!(resident_bytes().is_none_or(|bytes| bytes > 1_000_000));
    }
}
