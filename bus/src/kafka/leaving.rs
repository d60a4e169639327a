//! How a member is closed: never while the group's answer to it is under way.
//!
//! When the group settles who reads what, each member is told its part (the answer to `SyncGroup`). librdkafka 2.12.1
//! reads a null pointer, and the process is gone, where that comes right after a member without partitions was closed:
//! it has let go of the group's broker then, and the answer makes it leave by that broker
//! (`rd_kafka_cgrp_handle_LeaveGroup`). Seen where a stage failed as it started. The seat of a lease does not leave so:
//! it is a static member.

use std::sync::Arc;
use std::thread;
use std::time::{Duration, Instant};

use futures::{FutureExt as _, StreamExt as _};
use rdkafka::consumer::Consumer as _;

use super::consumer::Client;

/// Longest that a member takes part until it has been told its first part: brokers may be away.
const JOIN_WAIT: Duration = Duration::from_secs(2);

/// How long a member that has left hears the group, so that an answer that is under way comes before the end.
const ANSWER_WAIT: Duration = Duration::from_millis(250);

/// Wait before it is looked again.
const PAUSE: Duration = Duration::from_millis(5);

// The last handle of the bus waits for that, and for the client to end.
const _: () =
    assert!(JOIN_WAIT.as_millis() + ANSWER_WAIT.as_millis() < super::CLOSE_WAIT.as_millis());

/// A member that is to be closed; its drop blocks.
pub(super) struct Leaving(pub(super) Arc<Client>);

impl Leaving {
    /// Takes part for `wait`, or until that `suffices`; what it reads is read again by others.
    fn take_part(&self, wait: Duration, suffices: impl Fn() -> bool) {
        let deadline = Instant::now() + wait;
        let mut stream = self.0.stream();
        while !suffices() && Instant::now() < deadline {
            if stream.next().now_or_never().is_none() {
                thread::sleep(PAUSE);
            }
        }
    }
}

impl Drop for Leaving {
    fn drop(&mut self) {
        self.take_part(JOIN_WAIT, || self.0.context().has_joined());
        // At once, so that others take over; and it does not join again.
        self.0.unsubscribe();
        self.take_part(ANSWER_WAIT, || false);
    }
}
