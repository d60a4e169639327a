//! The hits of a partition as a stream that somebody polls, computed where it holds up nobody.

use std::mem;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::task::{Context, Poll};

use arrow::datatypes::SchemaRef;
use arrow::record_batch::RecordBatch;
use datafusion::common::Result;
use datafusion::common::runtime::SpawnedTask;
use datafusion::error::DataFusionError;
use datafusion::execution::RecordBatchStream;
use futures::{FutureExt as _, Stream};

use super::partition::PartitionScan;

/// The thread on which rules are evaluated.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ComputeThread {
    /// One of the runtime's for what blocks: whoever polls may hold up the tasks of others.
    Blocking,
    /// The one that polls, because it is there to compute.
    Caller,
}

/// A partition, and the next of its batches.
type Computed = (Box<PartitionScan>, Option<Result<RecordBatch>>);

/// The hits of a partition; dropping it ends the evaluation.
pub(super) struct HitStream {
    schema: SchemaRef,
    stop: Arc<AtomicBool>,
    thread: ComputeThread,
    state: StreamState,
}

enum StreamState {
    /// Nobody has asked for the next batch.
    Idle(Box<PartitionScan>),
    /// It is being computed.
    Computing(SpawnedTask<Computed>),
    /// All is told.
    Done,
}

impl HitStream {
    pub(super) fn new(scan: PartitionScan, schema: SchemaRef, thread: ComputeThread) -> Self {
        Self {
            schema,
            stop: Arc::clone(scan.stop()),
            thread,
            state: StreamState::Idle(Box::new(scan)),
        }
    }

    /// Keeps what is left of the partition, unless that was all.
    fn told(&mut self, (scan, next): Computed) -> Poll<Option<Result<RecordBatch>>> {
        if matches!(next, Some(Ok(_))) {
            self.state = StreamState::Idle(scan);
        }
        Poll::Ready(next)
    }
}

fn compute(mut scan: Box<PartitionScan>) -> Computed {
    let next = scan.next();
    (scan, next)
}

impl Stream for HitStream {
    type Item = Result<RecordBatch>;

    fn poll_next(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        loop {
            match mem::replace(&mut self.state, StreamState::Done) {
                StreamState::Done => return Poll::Ready(None),
                StreamState::Idle(scan) if self.thread == ComputeThread::Caller => {
                    return self.told(compute(scan));
                }
                StreamState::Idle(scan) => {
                    let task = SpawnedTask::spawn_blocking(move || compute(scan));
                    self.state = StreamState::Computing(task);
                }
                StreamState::Computing(mut task) => match task.poll_unpin(cx) {
                    Poll::Ready(Ok(computed)) => return self.told(computed),
                    Poll::Ready(Err(cause)) => {
                        return Poll::Ready(Some(Err(DataFusionError::ExecutionJoin(Box::new(
                            cause,
                        )))));
                    }
                    Poll::Pending => {
                        self.state = StreamState::Computing(task);
                        return Poll::Pending;
                    }
                },
            }
        }
    }
}

impl RecordBatchStream for HitStream {
    fn schema(&self) -> SchemaRef {
        Arc::clone(&self.schema)
    }
}

impl Drop for HitStream {
    fn drop(&mut self) {
        self.stop.store(true, Ordering::Relaxed);
    }
}
