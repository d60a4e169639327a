//! Keeps the subscriptions on: lists them first, starts only what is missing.

use std::collections::HashMap;
use std::time::Duration;

use microsoft::{Audience, MicrosoftError};
use tokio::time::Instant;

use super::ManagementActivity;
use super::answers;
use super::codes::{Meaning, meaning};
use super::windows::Window;
use crate::error::IngestError;
use schemas::coverage::{CoverageState, Published};

/// How long a list of subscriptions is believed.
const LIST_AGE_MAX: Duration = Duration::from_hours(1);

/// Wait before a start is tried again where nobody says how long: Microsoft throttles repeats within 15 minutes.
const START_WAIT: Duration = Duration::from_mins(15);

/// What is known about the subscriptions.
#[derive(Debug, Default)]
pub(super) struct Subscriptions {
    listed: Option<Instant>,
    /// When each content type may be started next.
    not_before: HashMap<String, Instant>,
}

impl Subscriptions {
    /// Lists again at the next poll, because a content type turned out to be off.
    pub(super) fn forget(&mut self, content_type: &str) {
        tracing::warn!(content_type, "subscription is off");
        self.listed = None;
    }

    fn is_listed(&self) -> bool {
        self.listed.is_some_and(|at| at.elapsed() < LIST_AGE_MAX)
    }

    fn may_start(&self, content_type: &str) -> bool {
        self.not_before
            .get(content_type)
            .is_none_or(|at| *at <= Instant::now())
    }
}

impl ManagementActivity {
    /// Lists the subscriptions, and starts those that are off.
    pub(super) async fn subscribe(&mut self) -> Result<(), IngestError> {
        if self.subscriptions.is_listed() {
            return Ok(());
        }
        let answer = self.get(self.url(&["subscriptions", "list"])?).await?;
        let listed = answers::subscriptions(&answer.body)?;
        let mut are_all_on = true;
        for content_type in self.config.content_types.clone() {
            let is_on = listed
                .iter()
                .any(|one| one.content_type.eq_ignore_ascii_case(&content_type) && one.is_enabled);
            if is_on {
                continue;
            }
            if !self.subscriptions.may_start(&content_type) {
                are_all_on = false;
                continue;
            }
            match self.start(&content_type).await {
                Ok(()) => self.note_restart(&content_type).await?,
                Err(error) => {
                    are_all_on = false;
                    let wait = wait_of(&error);
                    tracing::warn!(
                        tenant = self.desk.tenant_id,
                        content_type,
                        wait_s = wait.as_secs(),
                        error = &error as &dyn std::error::Error,
                        "could not start a subscription"
                    );
                    self.subscriptions
                        .not_before
                        .insert(content_type, Instant::now() + wait);
                }
            }
        }
        // While one is off the list is asked for at each poll, and started no sooner than allowed.
        self.subscriptions.listed = are_all_on.then(Instant::now);
        Ok(())
    }

    async fn start(&self, content_type: &str) -> Result<(), MicrosoftError> {
        let mut url = self.url(&["subscriptions", "start"])?;
        url.query_pairs_mut()
            .append_pair("contentType", content_type);
        let started = self
            .desk
            .microsoft
            .post(Audience::Management, self.signed(url), None)
            .await;
        metrics::counter!("ingest_subscription_starts_total", "content_type" => content_type.to_owned()).increment(1);
        match started {
            Err(error) if meaning(error.code().unwrap_or_default()) == Meaning::Success => Ok(()),
            other => other.map(|_| ()),
        }
    }

    /// Content made while a subscription was off is lost, so the ledger says since when it was.
    async fn note_restart(&self, content_type: &str) -> Result<(), IngestError> {
        let now_us = self.now_us();
        tracing::info!(
            tenant = self.desk.tenant_id,
            content_type,
            "subscription started"
        );
        let Some(cursor_us) = self.cursor(content_type).await? else {
            return Ok(());
        };
        let off = Window {
            from_us: cursor_us,
            to_us: now_us,
        };
        let line = self.window(content_type, off).line(
            CoverageState::Gap,
            Published::default(),
            "the subscription was off at some time in this window: content made meanwhile is lost",
            now_us,
        );
        self.desk.outlet.cover(vec![line]).await
    }
}

/// How long to leave a content type alone after a failed start.
fn wait_of(error: &MicrosoftError) -> Duration {
    match error {
        MicrosoftError::Refused {
            retry_after: Some(wait),
            ..
        } => *wait,
        MicrosoftError::Refused {
            message, status, ..
        } if *status == 429 || message.to_ascii_lowercase().contains("retry after") => {
            minutes_and_seconds(message).unwrap_or(START_WAIT)
        }
        MicrosoftError::Refused { status: 500.., .. } | MicrosoftError::Transport { .. } => {
            Duration::from_secs(5)
        }
        _ => START_WAIT,
    }
}

/// Reads "Please retry again after 14m 56s", which comes without a header.
fn minutes_and_seconds(message: &str) -> Option<Duration> {
    let lower = message.to_ascii_lowercase();
    let (_, after) = lower.split_once(" after ")?;
    let mut total = None;
    for word in after.split_ascii_whitespace() {
        let word = word.trim_end_matches(['.', ',']);
        let (number, unit_s) = match word.strip_suffix('m') {
            Some(number) => (number, 60),
            None => (word.strip_suffix('s')?, 1),
        };
        let Ok(number) = number.parse::<u64>() else {
            break;
        };
        total = Some(
            total
                .unwrap_or(0_u64)
                .saturating_add(number.saturating_mul(unit_s)),
        );
    }
    total.map(|total_s| Duration::from_secs(total_s).min(microsoft::RETRY_AFTER_MAX))
}

#[cfg(test)]
mod tests {
    use super::minutes_and_seconds;
    use std::time::Duration;

    #[test]
    fn reads_the_wait_out_of_the_message() {
        for (text, expected) in [
            (
                "Too many frequent subscription start requests. Please retry again after 14m 56s",
                Some(896),
            ),
            ("Please retry again after 20s.", Some(20)),
            ("retry after 999999999m", Some(3_600)),
            ("retry after a while", None),
            ("", None),
        ] {
            assert_eq!(
                minutes_and_seconds(text),
                expected.map(Duration::from_secs),
                "{text}"
            );
        }
    }
}
