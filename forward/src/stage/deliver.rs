//! What is done with a destination's answer. Pure: the answer comes in, what to set aside and how long to wait goes out.

use std::time::Duration;

use schemas::dead_letter::Reason;

use super::letters::{Place, SetAside};
use crate::destination::{Answer, Outcome, Reply};
use crate::pace::Pace;
use crate::window::{Held, Window};

/// How often a notice is not taken while others of its batch are, before it is set aside.
const FAILURES_ALONE_MAX: u32 = 10;

/// How long a notice is tried at least, before it is set aside for that: ten failures can be one bad minute.
const TRIED_ALONE_MIN: Duration = Duration::from_mins(15);

/// What came of a batch.
#[derive(Debug, Default)]
pub(super) struct Settled {
    /// Keys of what was delivered.
    pub(super) delivered: Vec<u64>,
    /// Keys of what is set aside, and the letters.
    pub(super) set_aside: Vec<(u64, SetAside)>,
    /// Why it has to be tried again; none if it has not.
    pub(super) again: Option<Again>,
}

/// That something is tried again.
#[derive(Debug)]
pub(super) struct Again {
    pub(super) why: String,
    pub(super) wait: Duration,
    /// What the destination asked for, where that is too long to be believed.
    pub(super) capped: Option<Duration>,
}

/// When and by what chance it is decided.
#[derive(Debug, Clone, Copy)]
pub(super) struct Moment {
    pub(super) now_us: i64,
    /// Between 0 and 1.
    pub(super) chance: f64,
    /// Most notices that the destination takes at once.
    pub(super) notices_max: usize,
}

/// Decides what becomes of each notice of a batch.
pub(super) fn settle(
    batch: &[Held],
    reply: &Reply,
    window: &mut Window,
    pace: &mut Pace,
    at: Moment,
) -> Settled {
    match &reply.answer {
        Answer::Each(outcomes) => each(batch, outcomes, window, pace, at),
        Answer::TooLarge { why } => {
            let mut settled = Settled::default();
            if let [alone] = batch {
                pace.succeeded(at.notices_max);
                settled
                    .set_aside
                    .push((alone.key, letter(alone, Reason::TooLarge, why)));
            } else {
                pace.too_large(batch.len());
            }
            settled
        }
        Answer::Later(retry) => Settled {
            again: Some(again(retry.after, &retry.why, pace, at)),
            ..Settled::default()
        },
    }
}

fn each(
    batch: &[Held],
    outcomes: &[Outcome],
    window: &mut Window,
    pace: &mut Pace,
    at: Moment,
) -> Settled {
    let mut settled = Settled::default();
    let mut failed: Vec<(&Held, &str)> = Vec::new();
    let mut asked: Option<Duration> = None;
    // A destination that says too little has not taken the rest.
    let outcomes = outcomes.iter().chain(std::iter::repeat(&Outcome::NotTried));
    for (held, outcome) in batch.iter().zip(outcomes) {
        match outcome {
            Outcome::Delivered => settled.delivered.push(held.key),
            Outcome::Refused { why } => settled
                .set_aside
                .push((held.key, letter(held, Reason::Refused, why))),
            Outcome::Retry(retry) => {
                asked = asked.max(retry.after);
                failed.push((held, &retry.why));
            }
            Outcome::NotTried => {}
        }
    }
    let is_taking = !settled.delivered.is_empty() || !settled.set_aside.is_empty();
    if is_taking {
        pace.succeeded(at.notices_max);
        // That it takes others says that it is there: what it does not take then is not taken for its own sake.
        failed.retain(|(held, why)| {
            let tried = window.fail(held.key, at.now_us);
            let is_over = tried.failures >= FAILURES_ALONE_MAX
                && at.now_us.saturating_sub(tried.since_us) >= us(TRIED_ALONE_MIN);
            if is_over {
                let why = format!(
                    "not taken {} times while others were: {why}",
                    tried.failures
                );
                settled
                    .set_aside
                    .push((held.key, letter(held, Reason::KeptFailing, &why)));
            }
            !is_over
        });
    }
    if let Some((_, why)) = failed.first() {
        settled.again = Some(if is_taking {
            let (wait, is_capped) = pace.rest(asked, at.now_us);
            Again {
                why: (*why).to_owned(),
                wait,
                capped: asked.filter(|_| is_capped),
            }
        } else {
            again(asked, why, pace, at)
        });
    } else if !is_taking && !batch.is_empty() {
        // Nothing was even tried: a destination that says so for ever must not make this loop spin.
        settled.again = Some(again(None, "the destination tried none of it", pace, at));
    }
    settled
}

fn again(asked: Option<Duration>, why: &str, pace: &mut Pace, at: Moment) -> Again {
    let (wait, is_capped) = pace.failed(asked, at.now_us, at.chance);
    Again {
        why: why.to_owned(),
        wait,
        capped: asked.filter(|_| is_capped),
    }
}

fn letter(held: &Held, reason: Reason, why: &str) -> SetAside {
    let place = Place {
        topic: held.partition.0,
        partition: held.partition.1,
        offset: held.offset,
    };
    SetAside::of_notice(&held.notice, place, reason, why)
}

fn us(duration: Duration) -> i64 {
    i64::try_from(duration.as_micros()).unwrap_or(i64::MAX)
}

#[cfg(test)]
mod tests;
