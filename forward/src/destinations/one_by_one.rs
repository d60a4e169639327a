//! Destinations that take one message at a time: a batch is sent in its order, until one asks to be left alone.

use std::sync::Arc;
use std::time::{Duration, Instant};

use async_trait::async_trait;

use crate::contract::Notice;
use crate::destination::{Answer, Outcome, Reply, Retry};
use crate::http::{HttpDoor, HttpRequest, Meaning};

/// How long a batch is worked at; what is left comes in the next.
const BATCH_TIME: Duration = Duration::from_secs(20);

/// Failures in a row after which the rest of a batch is not tried.
const FAILURES_MAX: usize = 3;

/// Sends one notice.
#[async_trait]
pub(super) trait SendOne: Sync {
    /// What came of it, and what was said.
    async fn send_one(&self, notice: &Notice) -> (Outcome, String);
}

/// Sends each notice in its turn, this long after one that was taken.
pub(super) async fn deliver(
    sender: &impl SendOne,
    batch: &[Arc<Notice>],
    pause: Duration,
) -> Reply {
    let started = Instant::now();
    let mut outcomes = Vec::with_capacity(batch.len());
    let (mut failures, mut last) = (0, String::new());
    for notice in batch {
        if failures >= FAILURES_MAX || started.elapsed() > BATCH_TIME {
            outcomes.push(Outcome::NotTried);
            continue;
        }
        if outcomes.last() == Some(&Outcome::Delivered) {
            tokio::time::sleep(pause).await;
        }
        let (outcome, said) = sender.send_one(notice).await;
        match &outcome {
            // It asks to be left alone: one more request would be one too many.
            Outcome::Retry(Retry { after: Some(_), .. }) => failures = FAILURES_MAX,
            Outcome::Retry(_) => failures += 1,
            _ => failures = 0,
        }
        outcomes.push(outcome);
        last = said;
    }
    Reply {
        answer: Answer::Each(outcomes),
        said: last,
    }
}

/// Asks for one notice, and says what the status of the answer means for it.
pub(super) async fn ask(door: &HttpDoor, request: HttpRequest) -> (Outcome, String) {
    match door.send(request).await {
        Err(why) => (Outcome::Retry(Retry::because(why.clone())), why),
        Ok(answer) => {
            let outcome = match answer.meaning() {
                Meaning::Taken => Outcome::Delivered,
                Meaning::TooLarge => Outcome::Refused {
                    why: format!("too large for the receiver: {}", answer.said),
                },
                Meaning::Refused { why } => Outcome::Refused { why },
                Meaning::Later(retry) => Outcome::Retry(retry),
            };
            (outcome, answer.said)
        }
    }
}
