//! Processor time of the calling thread: what is compared where a machine is shared.

use std::fs;
use std::io;
use std::time::Duration;

/// Time that the calling thread has spent on a processor.
///
/// Source: Linux, `Documentation/scheduler/sched-stats`, first field of `/proc/<pid>/schedstat`, in nanoseconds.
///
/// # Errors
/// [`io::Error`] where the kernel does not tell.
pub fn thread_time() -> io::Result<Duration> {
    let text = fs::read_to_string("/proc/thread-self/schedstat")?;
    let nanoseconds = text
        .split_ascii_whitespace()
        .next()
        .and_then(|field| field.parse().ok())
        .ok_or_else(|| io::Error::other("cannot read schedstat"))?;
    Ok(Duration::from_nanos(nanoseconds))
}
