//! What a destination is, and what it promises.
//!
//! Delivery: at least once. A destination says [`Outcome::Delivered`] of a notice only when whoever receives it has
//! acknowledged it (files: when it is on disk). It never waits for a better time itself: it answers
//! [`Outcome::Retry`], and the loop waits, for this destination alone. Where the protocol has a place for it, each
//! notice carries [`Notice::idempotency_key`], so that the second of two deliveries can be removed.
//!
//! Bounded: every call ends within a time limit of the destination's own, whatever the other side does, and no answer
//! is read beyond a limit. What the other side says is data: it is shown cut and escaped, and never followed.

use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;

use crate::contract::Notice;

/// What came of one notice.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Outcome {
    /// It is there, and acknowledged; also if it was there before.
    Delivered,
    /// It will never be taken: it becomes a dead letter.
    Refused {
        /// Why, for a person.
        why: String,
    },
    /// Not now.
    Retry(Retry),
    /// It was not handed over, because of what became of those before it; it is, in a later batch.
    NotTried,
}

/// Why something was not taken now, and when it may be.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Retry {
    /// How long the destination asks to be left alone, as it said; the loop caps what is absurd.
    pub after: Option<Duration>,
    /// Why, and what would mend it, for a person.
    pub why: String,
}

impl Retry {
    /// Not now, and the destination did not say until when.
    pub fn because(why: impl Into<String>) -> Self {
        Self {
            after: None,
            why: why.into(),
        }
    }
}

/// What came of a batch.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Answer {
    /// Something of each notice, in their order.
    Each(Vec<Outcome>),
    /// It is more than the destination takes at once (HTTP 413): the loop halves it; a notice alone is refused.
    TooLarge {
        /// What the destination said, for a person.
        why: String,
    },
    /// None of it was taken: nobody listens, the credentials are refused, the destination is busy.
    Later(Retry),
}

/// What a destination answered to a batch.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Reply {
    /// What came of it.
    pub answer: Answer,
    /// What the other side said, cut and escaped, for `vedette forward test`: a status line, a broker's offset.
    pub said: String,
}

impl Reply {
    /// Nothing was taken.
    pub fn later(why: impl Into<String>) -> Self {
        let why = why.into();
        Self {
            said: why.clone(),
            answer: Answer::Later(Retry::because(why)),
        }
    }

    /// All of so many were taken.
    pub fn delivered(notices: usize, said: impl Into<String>) -> Self {
        Self {
            answer: Answer::Each(vec![Outcome::Delivered; notices]),
            said: said.into(),
        }
    }
}

/// Most that is handed over at once.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct BatchLimits {
    /// Most notices.
    pub notices_max: usize,
    /// Most bytes of their documents together; one that is larger comes alone.
    pub bytes_max: usize,
}

/// What was found before anything was sent.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Validated {
    /// What was looked at: the credentials, TLS, a schema, a permission.
    pub what: String,
    /// What is wrong and how to mend it; none if it is as it should be.
    pub fault: Option<String>,
}

impl Validated {
    /// It is as it should be.
    pub fn well(what: impl Into<String>) -> Self {
        Self {
            what: what.into(),
            fault: None,
        }
    }

    /// It is not; `fault` says how to mend it.
    pub fn fault(what: impl Into<String>, fault: impl Into<String>) -> Self {
        Self {
            what: what.into(),
            fault: Some(fault.into()),
        }
    }
}

/// Where notices are sent.
#[async_trait]
pub trait Destination: Send {
    /// Most that it takes at once.
    fn limits(&self) -> BatchLimits;

    /// Hands the notices over, in their order, and says what came of them.
    ///
    /// Safe to drop at any await: the notices are then handed over again.
    async fn deliver(&mut self, batch: &[Arc<Notice>]) -> Reply;

    /// Looks at credentials, TLS, schema and permissions without sending a notice.
    async fn validate(&mut self) -> Vec<Validated>;
}
