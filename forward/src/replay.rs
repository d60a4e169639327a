//! Sends notices once more, or a single one, and says what came of it: `vedette forward replay` and `test`.

use std::sync::Arc;
use std::time::Duration;

use schemas::environment::Clock;
use schemas::wire::Alert;
use tokio::time::{sleep, timeout};

use crate::contract::Notice;
use crate::destination::{Answer, Destination, Outcome, Reply, Retry};
use crate::pace::Pace;

/// Tries of the same notices in a row without any success, after which it is given up.
const TRIES_MAX: u32 = 6;

/// Longest that a destination has for a batch, whatever its own limits.
const DELIVER_MAX: Duration = Duration::from_mins(1);

/// Longest wait between two tries: a person waits too.
const WAIT_MAX: Duration = Duration::from_secs(30);

/// What came of notices.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Sent {
    /// How many were delivered.
    pub delivered: u64,
    /// Those that the destination will never take: the key, and why.
    pub refused: Vec<(String, String)>,
    /// What the other side said last.
    pub said: String,
}

/// The destination took nothing, again and again.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("it took nothing in {TRIES_MAX} tries: {why}")]
pub struct GivenUp {
    /// What it said last, and what would mend it.
    pub why: String,
}

/// Sends notices until each is delivered or refused.
///
/// # Errors
/// [`GivenUp`] if the destination takes nothing any more; `sent` has what was delivered before.
pub async fn send(
    destination: &mut dyn Destination,
    notices: Vec<Notice>,
    clock: &dyn Clock,
    sent: &mut Sent,
) -> Result<(), GivenUp> {
    let limits = destination.limits();
    let mut left: Vec<Arc<Notice>> = notices.into_iter().map(Arc::new).collect();
    let mut pace = Pace::new(Duration::from_millis(500));
    while !left.is_empty() {
        sleep(pace.wait(clock.now_us()).min(WAIT_MAX)).await;
        let count = fit(
            &left,
            pace.notices_max(limits.notices_max),
            limits.bytes_max,
        );
        let reply = timeout(DELIVER_MAX, destination.deliver(&left[..count]))
            .await
            .unwrap_or_else(|_| {
                Reply::later(format!("did not answer within {} s", DELIVER_MAX.as_secs()))
            });
        sent.said.clone_from(&reply.said);
        let before = left.len();
        let again = settle(&mut left, count, &reply, &mut pace, sent);
        if left.len() < before {
            pace.succeeded(limits.notices_max);
        }
        if let Some(Retry { after, why }) = again {
            if left.len() == before {
                pace.failed(after, clock.now_us(), 0.0);
            } else {
                pace.rest(after, clock.now_us());
            }
            if pace.failures() >= TRIES_MAX {
                return Err(GivenUp { why });
            }
        }
    }
    Ok(())
}

/// Takes out of `left` what is done of the first `count`; why the rest of them is tried again, if it is.
fn settle(
    left: &mut Vec<Arc<Notice>>,
    count: usize,
    reply: &Reply,
    pace: &mut Pace,
    sent: &mut Sent,
) -> Option<Retry> {
    match &reply.answer {
        Answer::Later(retry) => Some(retry.clone()),
        Answer::TooLarge { why } if count == 1 => {
            let notice = left.remove(0);
            sent.refused.push((notice.idempotency_key(), why.clone()));
            None
        }
        Answer::TooLarge { .. } => {
            pace.too_large(count);
            None
        }
        Answer::Each(outcomes) => {
            let mut again = None;
            let mut rest = left.split_off(count);
            let tried = std::mem::take(left);
            let outcomes = outcomes.iter().chain(std::iter::repeat(&Outcome::NotTried));
            for (notice, outcome) in tried.into_iter().zip(outcomes) {
                match outcome {
                    Outcome::Delivered => sent.delivered += 1,
                    Outcome::Refused { why } => {
                        sent.refused.push((notice.idempotency_key(), why.clone()));
                    }
                    Outcome::Retry(retry) => {
                        again = Some(retry.clone());
                        left.push(notice);
                    }
                    Outcome::NotTried => {
                        again.get_or_insert_with(|| Retry::because("it was not tried"));
                        left.push(notice);
                    }
                }
            }
            left.append(&mut rest);
            again
        }
    }
}

/// How many of the first notices fit in a batch: at least one.
fn fit(left: &[Arc<Notice>], notices_max: usize, bytes_max: usize) -> usize {
    let mut bytes = 0;
    let fits = left.iter().take(notices_max).take_while(|notice| {
        bytes += notice.document.to_string().len();
        bytes <= bytes_max
    });
    fits.count().max(1)
}

/// A notice that says of itself that nothing has happened; each is a new one.
pub fn test_notice(now_us: i64) -> Notice {
    Notice::of_alert(&Alert {
        alert_id: schemas::ids::hex(&[b"test", &now_us.to_le_bytes()]),
        label: "VEDETTE-TEST".to_owned(),
        rule_id: "test".to_owned(),
        title: "Test of vedette: nothing has happened".to_owned(),
        description: "Somebody has run `vedette forward test` to see whether alerts arrive here. There is nothing to do."
            .to_owned(),
        severity: "informational".to_owned(),
        category: "Test".to_owned(),
        state: "raised".to_owned(),
        group_key: "test".to_owned(),
        first_event_time_us: now_us,
        last_event_time_us: now_us,
        accepted_time_us: now_us,
        detected_time_us: now_us,
        event_count: 1,
        ..Alert::default()
    })
}

#[cfg(test)]
mod tests {
    use std::collections::VecDeque;
    use std::sync::Arc;

    use async_trait::async_trait;
    use schemas::environment::SystemClock;

    use super::{Sent, send, test_notice};
    use crate::contract::Notice;
    use crate::destination::{Answer, BatchLimits, Destination, Outcome, Reply, Retry, Validated};

    /// Answers as it is told, and takes everything when nothing is told any more.
    struct Told(VecDeque<Answer>, Vec<usize>);

    #[async_trait]
    impl Destination for Told {
        fn limits(&self) -> BatchLimits {
            BatchLimits {
                notices_max: 4,
                bytes_max: 1_000_000,
            }
        }

        async fn deliver(&mut self, batch: &[Arc<Notice>]) -> Reply {
            self.1.push(batch.len());
            match self.0.pop_front() {
                Some(answer) => Reply {
                    answer,
                    said: "told".to_owned(),
                },
                None => Reply::delivered(batch.len(), "taken"),
            }
        }

        async fn validate(&mut self) -> Vec<Validated> {
            Vec::new()
        }
    }

    async fn sent(answers: Vec<Answer>) -> (Result<(), super::GivenUp>, Sent, Vec<usize>) {
        let mut destination = Told(answers.into(), Vec::new());
        let notices = (0..6).map(test_notice).collect();
        let mut sent = Sent::default();
        let outcome = send(&mut destination, notices, &SystemClock, &mut sent).await;
        (outcome, sent, destination.1)
    }

    #[tokio::test]
    async fn each_is_delivered_or_refused_once() {
        let refused = Outcome::Refused {
            why: "no".to_owned(),
        };
        let first = Answer::Each(vec![
            Outcome::Delivered,
            refused,
            Outcome::Retry(Retry::because("busy")),
        ]);
        let (outcome, sent, batches) = sent(vec![first]).await;
        assert!(outcome.is_ok());
        assert_eq!((sent.delivered, sent.refused.len()), (5, 1));
        assert_eq!(batches, [4, 4]);
    }

    #[tokio::test]
    async fn what_is_too_large_is_halved_and_alone_it_is_refused() {
        let large = || Answer::TooLarge {
            why: "413".to_owned(),
        };
        let (outcome, sent, batches) = sent(vec![large(), large(), large()]).await;
        assert!(outcome.is_ok());
        assert_eq!((sent.delivered, sent.refused.len()), (5, 1));
        assert_eq!(batches[..3], [4, 2, 1]);
    }
}
