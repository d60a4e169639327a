//! Asks a tenant's directory for the half of an account that neither an alert nor the journal knows.
//!
//! Delivery: at most once, and never waited for longer than [`QUESTIONS_WAIT_MAX`] and one [`ANSWER_WAIT_MAX`]: an
//! alert whose account stays half known is placed by what is known. Tenants are asked side by side, and what one of
//! them can hold up the intake in a minute is bounded by [`crate::accounts::memory`].

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use schemas::environment::Clock;
use tokio::task::JoinSet;
use tokio::time::{Instant, timeout};
use tokio_util::sync::CancellationToken;

use super::Directories;
use crate::accounts::memory::{Answer, Memory, Noted};
use crate::accounts::{Half, Pair};
use crate::cases::SeenAlert;
use crate::directory::Directory;
use crate::journal::Ledger;

/// Longest wait for one answer: Graph gives a user in a fraction of a second.
const ANSWER_WAIT_MAX: Duration = Duration::from_secs(2);

/// Longest time in which a tenant's questions about one batch of alerts are asked.
const QUESTIONS_WAIT_MAX: Duration = Duration::from_secs(2);

/// Most questions to one directory at once.
const QUESTIONS_AT_ONCE_MAX: usize = 8;

type Answers = Vec<(Half, Answer)>;

/// The directories that can be asked, and what was asked.
pub(super) struct Lookup {
    directories: Directories,
    memory: Memory,
}

impl Lookup {
    pub(super) fn new(directories: Directories) -> Self {
        Self {
            directories,
            memory: Memory::default(),
        }
    }

    /// Lets the journal know the accounts of the alerts whole, as far as their directories say; never fails.
    pub(super) async fn learn(
        &mut self,
        alerts: &[SeenAlert],
        ledger: &Ledger,
        clock: &dyn Clock,
        stop: &CancellationToken,
    ) {
        let asked: Vec<SeenAlert> = alerts
            .iter()
            .filter(|alert| self.directories.contains_key(&alert.tenant_id))
            .filter(|alert| Half::of(alert).is_some())
            .cloned()
            .collect();
        if asked.is_empty() {
            return;
        }
        // A journal that cannot be read now is waited for where the alerts are kept.
        let now_us = clock.now_us();
        let halves = ledger
            .with(move |journal| journal.halves(&asked, now_us))
            .await;
        let due = self.memory.due(halves.unwrap_or_default(), clock.now_us());
        let answers = tokio::select! {
            () = stop.cancelled() => return,
            answers = self.ask(due) => answers,
        };
        let pairs = self.note(&answers, clock.now_us());
        if pairs.is_empty() {
            return;
        }
        if let Err(error) = ledger.with(move |journal| journal.learn(&pairs)).await {
            tracing::warn!(error = %error, "what the directory said about accounts could not be kept");
        }
    }

    /// Asks each tenant's directory for its halves.
    async fn ask(&mut self, due: Vec<Half>) -> Answers {
        let mut by_tenant: BTreeMap<String, Vec<Half>> = BTreeMap::new();
        for half in due {
            by_tenant
                .entry(half.tenant_id.clone())
                .or_default()
                .push(half);
        }
        let mut asked = JoinSet::new();
        for (tenant_id, halves) in by_tenant {
            if let Some(directory) = self.directories.get(&tenant_id) {
                let directory = Arc::clone(directory);
                asked.spawn(async move {
                    let began = Instant::now();
                    let answers = ask_one(directory, halves).await;
                    (tenant_id, began.elapsed(), answers)
                });
            }
        }
        let mut answers = Answers::new();
        while let Some(done) = asked.join_next().await {
            let Ok((tenant_id, waited, answered)) = done else {
                continue;
            };
            let waited_us = i64::try_from(waited.as_micros()).unwrap_or(i64::MAX);
            self.memory.waited(&tenant_id, waited_us);
            answers.extend(answered);
        }
        answers
    }

    fn note(&mut self, answers: &[(Half, Answer)], now_us: i64) -> Vec<Pair> {
        let mut pairs = Vec::new();
        for (half, answer) in answers {
            metrics::counter!("respond_account_lookups_total", "outcome" => answer.as_str())
                .increment(1);
            match (self.memory.note(half, answer, now_us), answer) {
                (Noted::Pair(pair), _) => pairs.push(pair),
                (Noted::FellSilent, Answer::Silence { why }) => tracing::warn!(
                    tenant_id = half.tenant_id,
                    why,
                    "the directory does not say whose alerts are; they are placed by what they know"
                ),
                _ => {}
            }
        }
        pairs
    }
}

/// Asks one directory, until it falls silent or the time is over; what was not asked is asked with a later alert.
async fn ask_one(directory: Arc<dyn Directory>, halves: Vec<Half>) -> Answers {
    let until = Instant::now() + QUESTIONS_WAIT_MAX;
    let mut halves = halves.into_iter();
    let mut asked = JoinSet::new();
    let mut answers = Answers::new();
    loop {
        while asked.len() < QUESTIONS_AT_ONCE_MAX
            && Instant::now() < until
            && let Some(half) = halves.next()
        {
            let directory = Arc::clone(&directory);
            asked.spawn(async move {
                let answer = match timeout(ANSWER_WAIT_MAX, directory.user(&half.text)).await {
                    Ok(answered) => Answer::of(answered),
                    Err(_) => Answer::Silence {
                        why: format!("no answer within {} s", ANSWER_WAIT_MAX.as_secs()),
                    },
                };
                (half, answer)
            });
        }
        let Some(done) = asked.join_next().await else {
            return answers;
        };
        let Ok((half, answer)) = done else { continue };
        let is_silent = matches!(answer, Answer::Silence { .. });
        answers.push((half, answer));
        if is_silent {
            // The others in flight are dropped with the set: only questions, which change nothing.
            return answers;
        }
    }
}
