//! `management_activity` source: the unified audit log by polling the Office 365 Management Activity API.
//!
//! Delivery: at least once. A content id is remembered, and the window's cursor moves, only after the bus has taken
//! every record; what could not be fetched holds the cursor back and is listed again.
//! Protocol: Office 365 Management Activity API, `api/v1.0/{tenant}/activity/feed`; `PublisherIdentifier` on every
//! call; subscriptions are listed before one is started; the last 24 h are listed at each poll,
//! because content appears late and out of order.
//!
//! ```text
//! list windows ≤ 24 h, back to the cursor ─▶ pages to the end ─▶ unseen blobs, n at a time ─▶ publish ─▶ remember ─▶ cursor
//! ```

mod answers;
mod codes;
mod fetch;
mod ledger;
mod listing;
mod subscriptions;
mod windows;

use std::collections::{HashMap, HashSet};
use std::time::Duration;

use async_trait::async_trait;
use futures::StreamExt;
use microsoft::{Answer, Audience, MicrosoftError, Url};
use tokio_util::sync::CancellationToken;

use self::answers::Content;
pub(crate) use self::answers::SOURCE;
use self::codes::Meaning;
use self::fetch::Blob;
use self::listing::Listing;
use self::subscriptions::Subscriptions;
use self::windows::Window;
use super::desk::{Desk, is_fresh};
use super::live_source::LiveSource;
use crate::config::ManagementActivityConfig;
use crate::error::IngestError;
use crate::failures::Failures;
use crate::normalise::Normalised;
use crate::outlet::{self, PUBLISH_BYTES_MAX, Taken};

/// Most blobs that are published in one go.
const BLOBS_PER_PUBLISH_MAX: usize = 64;

/// Blobs that failed and wait for another try; more are tried at every poll.
const FAILED_MAX: usize = 100_000;

/// The source.
pub(crate) struct ManagementActivity {
    desk: Desk,
    config: ManagementActivityConfig,
    publisher_id: String,
    subscriptions: Subscriptions,
    failed: fetch::Failed,
    /// By content type, what failed at the last poll.
    failures: HashMap<String, Failures>,
}

impl ManagementActivity {
    pub(crate) fn new(desk: Desk, config: ManagementActivityConfig) -> Self {
        let publisher_id = if config.publisher_id.is_empty() {
            desk.tenant_id.clone()
        } else {
            config.publisher_id.clone()
        };
        Self {
            desk,
            config,
            publisher_id,
            subscriptions: Subscriptions::default(),
            failed: fetch::Failed::new(FAILED_MAX),
            failures: HashMap::new(),
        }
    }
}

#[async_trait]
impl LiveSource for ManagementActivity {
    fn label(&self) -> String {
        format!("{SOURCE}/{}", self.desk.tenant_id)
    }

    /// Reads what is new, and says how long to wait before the next poll.
    ///
    /// One content type's failure does not keep the others from being read; it is an error only if all fail.
    async fn turn(&mut self, stop: &CancellationToken) -> Result<Duration, IngestError> {
        self.subscribe().await?;
        let (mut whole, mut failed) = (0, None);
        let content_types = self.config.content_types.clone();
        for content_type in &content_types {
            if stop.is_cancelled() {
                return Ok(Duration::ZERO);
            }
            match self.poll_type(content_type, stop).await {
                Ok(()) => {
                    self.failures.remove(content_type);
                    whole += 1;
                }
                Err(error) if error.ends_all() => return Err(error),
                Err(error) => {
                    self.note_failure(content_type, &error);
                    failed = Some(error);
                }
            }
        }
        match failed {
            Some(error) if whole == 0 => return Err(error),
            Some(_) => {}
            None => is_fresh(&self.label(), self.desk.clock.now_us()),
        }
        Ok(Duration::from_millis(self.config.poll_ms))
    }
}

impl ManagementActivity {
    fn note_failure(&mut self, content_type: &str, error: &IngestError) {
        let failures = self.failures.entry(content_type.to_owned()).or_default();
        if let Some(times) = failures.note(&error.kind()) {
            tracing::warn!(
                tenant = self.desk.tenant_id,
                content_type,
                times,
                error = error as &dyn std::error::Error,
                "could not read content to its end"
            );
        }
        if let IngestError::Microsoft(cause) = error
            && codes::meaning(cause.code().unwrap_or_default()) == Meaning::NotSubscribed
        {
            self.subscriptions.forget(content_type);
        }
    }

    async fn poll_type(
        &mut self,
        content_type: &str,
        stop: &CancellationToken,
    ) -> Result<(), IngestError> {
        let now_us = self.now_us();
        let cursor = self.believable_cursor(content_type, now_us).await?;
        let first_hours = match cursor {
            Some(_) => self.config.first_hours,
            None => self.hours_back(now_us).await?,
        };
        let plan = windows::plan(cursor, now_us, first_hours);
        self.note_out_of_reach(content_type, &plan).await?;
        let mut taken = Taken::default();
        let mut error = None;
        // The cursor stands where everything before it has been read.
        let mut whole_to = None;
        let mut is_whole = true;
        for window in &plan.windows {
            if stop.is_cancelled() {
                return Ok(());
            }
            let mut listing = Listing::of(self.content_url(content_type, *window)?);
            let read = self
                .read_window(content_type, &mut listing, &mut taken, stop)
                .await;
            let gap = match read {
                Ok(0) => None,
                Ok(left) => Some(format!("{left} blobs could not be read yet")),
                Err(cause) if cause.ends_all() => return Err(cause),
                Err(IngestError::Stopped) => return Ok(()),
                Err(cause) => {
                    let detail = cause.told();
                    error.get_or_insert(cause);
                    Some(detail)
                }
            };
            is_whole = is_whole && gap.is_none();
            if is_whole {
                // What is made after the answer is in no list, whatever end was asked for.
                let listed_to_us = listing.began_us().unwrap_or(window.to_us);
                whole_to = Some(window.to_us.min(listed_to_us));
            }
            if let Some(detail) = gap {
                self.note_gap(content_type, *window, &detail).await?;
            }
        }
        if let Some(whole_to) = whole_to {
            let from_us = cursor.unwrap_or(plan.from_us);
            self.move_cursor(content_type, from_us, whole_to, taken)
                .await?;
        }
        error.map_or(Ok(()), Err)
    }

    /// Where a content type stands; none where nobody knows, which is also after a clock that jumped ahead.
    async fn believable_cursor(
        &self,
        content_type: &str,
        now_us: i64,
    ) -> Result<Option<i64>, IngestError> {
        let cursor = self.cursor(content_type).await?;
        let Some(ahead) = cursor.and_then(|cursor_us| windows::ahead(cursor_us, now_us)) else {
            return Ok(cursor);
        };
        let detail = "the cursor stood ahead of Microsoft's time, as after a clock that jumped: all that can still be \
                      listed is listed again";
        self.note_gap(content_type, ahead, detail).await?;
        Ok(None)
    }

    async fn next_page(&self, listing: &mut Listing) -> Result<Option<answers::Page>, IngestError> {
        match listing.next()? {
            Some(url) => listing.page(&self.get(url).await?).map(Some),
            None => Ok(None),
        }
    }

    /// Reads what is unseen of a listing, page by page, and says how many blobs could not be read yet.
    ///
    /// Errors only after everything that was listed has been tried.
    async fn read_window(
        &mut self,
        content_type: &str,
        listing: &mut Listing,
        taken: &mut Taken,
        stop: &CancellationToken,
    ) -> Result<usize, IngestError> {
        let mut left = 0;
        let mut problem = None;
        loop {
            if stop.is_cancelled() {
                return Err(IngestError::Stopped);
            }
            let page = match self.next_page(listing).await {
                Ok(None) => break,
                Ok(Some(page)) => page,
                Err(error) => {
                    problem = Some(error);
                    break;
                }
            };
            problem = problem.or(page.problem);
            let ids = page.contents.iter().map(|content| content.id.clone());
            let known = self
                .desk
                .cursors
                .known(self.subject(content_type), ids.collect())
                .await?;
            let mut wanted = HashSet::new();
            let unseen: Vec<Content> = page
                .contents
                .into_iter()
                .filter(|content| !known.contains(&content.id) && wanted.insert(content.id.clone()))
                .collect();
            left += self.read_blobs(content_type, unseen, taken, stop).await?;
        }
        problem.map_or(Ok(left), Err)
    }

    /// Reads blobs, some at a time, and says how many could not be read yet.
    async fn read_blobs(
        &mut self,
        content_type: &str,
        contents: Vec<Content>,
        taken: &mut Taken,
        stop: &CancellationToken,
    ) -> Result<usize, IngestError> {
        let waiting = contents.len();
        let due = self.failed.due(contents);
        let mut left = waiting - due.len();
        let outcomes = self.read_due(content_type, due, taken, stop).await?;
        for (id, is_done) in outcomes {
            if !is_done {
                left += 1;
            }
            self.failed.note(id, is_done);
        }
        if stop.is_cancelled() {
            return Err(IngestError::Stopped);
        }
        Ok(left)
    }

    /// Fetches, publishes and remembers blobs, and says of each whether it is done.
    async fn read_due(
        &self,
        content_type: &str,
        due: Vec<Content>,
        taken: &mut Taken,
        stop: &CancellationToken,
    ) -> Result<Vec<(String, bool)>, IngestError> {
        let fetched = futures::stream::iter(due)
            .take_until(stop.cancelled())
            .map(|content| self.fetch(content_type, content))
            .buffer_unordered(self.config.concurrent_blobs.max(1))
            .ready_chunks(BLOBS_PER_PUBLISH_MAX);
        futures::pin_mut!(fetched);
        let mut outcomes = Vec::new();
        while let Some(blobs) = fetched.next().await {
            let mut rest = blobs.into_iter().peekable();
            while rest.peek().is_some() {
                let mut bytes = 0;
                let mut group = Vec::new();
                while let Some(blob) =
                    rest.next_if(|blob| group.is_empty() || bytes + blob.bytes <= PUBLISH_BYTES_MAX)
                {
                    bytes += blob.bytes;
                    group.push(blob);
                }
                *taken += self.keep(content_type, &mut group).await?;
                outcomes.extend(
                    group
                        .into_iter()
                        .map(|blob| (blob.content.id, blob.fetched.is_done())),
                );
            }
        }
        Ok(outcomes)
    }

    async fn fetch(&self, content_type: &str, content: Content) -> Blob {
        let answer = match Url::parse(&content.uri) {
            Ok(url) => self.get(url).await,
            Err(_) => Err(MicrosoftError::Endpoint {
                text: "contentUri".to_owned(),
            }),
        };
        let bytes = answer.as_ref().map_or(0, |answer| answer.body.len());
        let (tenant_id, of_type) = (self.desk.tenant_id.clone(), content_type.to_owned());
        let now_us = self.desk.clock.now_us();
        let of = content.clone();
        let work = move || fetch::read(content, answer, &tenant_id, &of_type, now_us);
        match self.desk.make(bytes, work).await {
            Ok(made) => Blob {
                held: Some(made.held),
                ..made.what
            },
            Err(error) => Blob::later(of, error.to_string()),
        }
    }

    /// Publishes what blobs hold, then remembers the blobs, then writes their lines.
    async fn keep(&self, content_type: &str, blobs: &mut [Blob]) -> Result<Taken, IngestError> {
        let subject = self.subject(content_type);
        let now_us = self.desk.clock.now_us();
        // A broken body is published once, not at every try.
        let bodies = blobs.iter().filter_map(Blob::broken_id).collect();
        let broken = self.desk.cursors.known(subject.clone(), bodies).await?;
        let mut all = Normalised::default();
        let mut lines = Vec::new();
        let mut done = Vec::new();
        let mut held = Vec::new();
        for blob in blobs.iter_mut() {
            held.extend(blob.held.take());
            let normalised = std::mem::take(&mut blob.normalised);
            if let Some(id) = blob.broken_id() {
                if broken.contains(&id) {
                    continue;
                }
                done.push(id);
            }
            lines.push(self.blob_line(content_type, blob, outlet::published(&normalised), now_us));
            all.events.extend(normalised.events);
            all.dead_letters.extend(normalised.dead_letters);
            if blob.fetched.is_done() {
                done.push(blob.content.id.clone());
            }
        }
        let taken = self.desk.publish(SOURCE, all).await?;
        drop(held);
        if !done.is_empty() {
            // Publish, then remember: a crash between the two repeats records and loses none.
            let (covers, now_us) = (taken.covered(), self.now_us());
            self.desk
                .cursors
                .remember(subject, done, covers, now_us)
                .await?;
        }
        self.desk.outlet.cover(lines).await?;
        Ok(taken)
    }

    /// The time by which content is made.
    fn now_us(&self) -> i64 {
        self.desk.server_now_us(Audience::Management)
    }

    fn content_url(&self, content_type: &str, window: Window) -> Result<Url, MicrosoftError> {
        let mut url = self.url(&["subscriptions", "content"])?;
        url.query_pairs_mut()
            .append_pair("contentType", content_type)
            .append_pair("startTime", &windows::text(window.from_us))
            .append_pair("endTime", &windows::text(window.to_us));
        Ok(url)
    }

    fn url(&self, end: &[&str]) -> Result<Url, MicrosoftError> {
        let mut segments = vec![
            "api",
            "v1.0",
            self.desk.tenant_id.as_str(),
            "activity",
            "feed",
        ];
        segments.extend(end);
        self.desk.microsoft.url(Audience::Management, &segments)
    }

    /// Reads a URL, with the publisher's id on it; the door checks the host.
    async fn get(&self, url: Url) -> Result<Answer, MicrosoftError> {
        self.desk
            .microsoft
            .get(Audience::Management, self.signed(url))
            .await
    }

    fn signed(&self, mut url: Url) -> Url {
        if !url
            .query_pairs()
            .any(|(name, _)| name.eq_ignore_ascii_case("PublisherIdentifier"))
        {
            url.query_pairs_mut()
                .append_pair("PublisherIdentifier", &self.publisher_id);
        }
        url
    }
}
