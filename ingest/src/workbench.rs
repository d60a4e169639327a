//! Where bytes are made into records: off the threads that wait, and within a bound that all tenants share fairly.
//!
//! ```text
//! source ─▶ its tenant's share ─▶ the process's bytes ─▶ a core ─▶ records ─▶ publish ─▶ bytes given back
//! ```
//!
//! A tenant that floods waits at its own share, before it stands in the line of all.

use std::sync::Arc;
use std::thread::available_parallelism;

use tokio::sync::{OwnedSemaphorePermit, Semaphore};

use crate::error::IngestError;
use crate::guarded::guarded;

/// Most bytes of sources that are records not yet published, of all tenants together.
///
/// Records take some times the bytes that they are read from, so this is a quarter of what the process may hold.
const BYTES_IN_FLIGHT_MAX: usize = 256 * 1024 * 1024;

/// Most of them that are one tenant's: four floods leave nothing over, one leaves most.
const TENANT_BYTES_IN_FLIGHT_MAX: usize = BYTES_IN_FLIGHT_MAX / 4;

/// Bytes that are counted as one.
const UNIT_BYTES: usize = 64 * 1024;

/// The bench of one tenant. Cheap to clone; clones share.
#[derive(Clone)]
pub(crate) struct Workbench {
    process: Arc<Semaphore>,
    cores: Arc<Semaphore>,
    tenant: Arc<Semaphore>,
}

/// Bytes that are in flight until this is dropped.
#[derive(Debug)]
pub(crate) struct Held {
    _tenant: OwnedSemaphorePermit,
    _process: OwnedSemaphorePermit,
}

/// What was made, and the bytes that it holds.
#[derive(Debug)]
pub(crate) struct Made<T> {
    pub(crate) what: T,
    pub(crate) held: Held,
}

impl Workbench {
    /// The bench of a first tenant.
    pub(crate) fn new() -> Self {
        Self {
            process: Arc::new(Semaphore::new(BYTES_IN_FLIGHT_MAX / UNIT_BYTES)),
            cores: Arc::new(Semaphore::new(
                available_parallelism().map_or(1, usize::from),
            )),
            tenant: share(),
        }
    }

    /// The bench of another tenant, which shares the process with this one.
    pub(crate) fn of_another(&self) -> Self {
        Self {
            tenant: share(),
            ..self.clone()
        }
    }

    /// Does work on `bytes` bytes of a source where it may take its time.
    ///
    /// What is larger than a tenant's share waits for all of it.
    pub(crate) async fn make<T: Send + 'static>(
        &self,
        bytes: usize,
        work: impl FnOnce() -> T + Send + 'static,
    ) -> Result<Made<T>, IngestError> {
        let ended = || IngestError::Task {
            source_name: "workbench".to_owned(),
        };
        let units = (bytes.min(TENANT_BYTES_IN_FLIGHT_MAX) / UNIT_BYTES).max(1);
        let units = u32::try_from(units).unwrap_or(u32::MAX);
        let take = |from: &Arc<Semaphore>, units| from.clone().acquire_many_owned(units);
        let held = Held {
            _tenant: take(&self.tenant, units).await.map_err(|_| ended())?,
            _process: take(&self.process, units).await.map_err(|_| ended())?,
        };
        let core = take(&self.cores, 1);
        // A task of its own: a caller that is not polled would keep a core that was given to it, and use it for nothing.
        let done = guarded(async move {
            let core = core.await.ok()?;
            let work = move || {
                let what = work();
                drop(core);
                what
            };
            tokio::task::spawn_blocking(work).await.ok()
        });
        let what = done.await.flatten().ok_or_else(ended)?;
        Ok(Made { what, held })
    }
}

fn share() -> Arc<Semaphore> {
    Arc::new(Semaphore::new(TENANT_BYTES_IN_FLIGHT_MAX / UNIT_BYTES))
}

#[cfg(test)]
mod tests {
    use super::{TENANT_BYTES_IN_FLIGHT_MAX, Workbench};
    use std::time::Duration;
    use tokio::time::timeout;

    #[tokio::test]
    async fn a_tenant_that_floods_waits_and_keeps_no_other_waiting() {
        let flood = Workbench::new();
        let other = flood.of_another();
        let whole = TENANT_BYTES_IN_FLIGHT_MAX;
        let first = flood.make(whole * 3, || 1).await.unwrap();
        let mut second = Box::pin(flood.make(1, || 2));
        let soon = Duration::from_millis(50);
        assert!(timeout(soon, &mut second).await.is_err());
        let others = other.make(whole, || 3).await.unwrap();
        assert_eq!((first.what, others.what), (1, 3));
        drop(first.held);
        assert_eq!(second.await.unwrap().what, 2);
    }

    #[tokio::test]
    async fn work_that_takes_its_time_holds_no_waiting_up() {
        let bench = Workbench::new();
        let slow = bench.make(1, || std::thread::sleep(Duration::from_millis(300)));
        let quick = tokio::time::sleep(Duration::from_millis(10));
        // Both on the one thread of this test.
        tokio::select! {
            _ = slow => panic!("it was waited for"),
            () = quick => {}
        }
    }

    #[tokio::test]
    async fn a_fault_in_the_work_gives_its_bytes_back() {
        let bench = Workbench::new();
        for _ in 0..10 {
            let broken = bench.make(TENANT_BYTES_IN_FLIGHT_MAX, || panic!("as a fault does"));
            assert!(broken.await.map(|made| -> () { made.what }).is_err());
        }
        assert!(bench.make(TENANT_BYTES_IN_FLIGHT_MAX, || ()).await.is_ok());
    }
}
