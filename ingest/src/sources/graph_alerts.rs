//! `graph_alerts` source: Microsoft's alerts, by polling Microsoft Graph on `lastUpdateDateTime`.
//!
//! Delivery: at least once. Versions are remembered, and the cursor moves, only after the bus has taken them.
//! Protocol: Microsoft Graph v1.0, `GET /security/alerts_v2` with `lastUpdateDateTime ge`, ordered, `nextLink`
//! followed to the end; `ge` and an overlap, because alerts appear late and share times; order and filter
//! are checked again here, because the service is known to ignore them.

mod page;

use std::time::Duration;

use async_trait::async_trait;
use bytes::Bytes;
use microsoft::{Audience, Method, Request, Url};
use schemas::provenance::Provenance;
use schemas::{time, wire};
use tokio_util::sync::CancellationToken;

use self::page::Then;
use super::desk::{Desk, PagesRead, is_fresh};
use super::live_source::LiveSource;
use crate::config::GraphAlertsConfig;
use crate::error::IngestError;
use crate::normalise::{Dates, Normalised, Origin, normalise};
use crate::outlet::Taken;
use schemas::coverage::{CoverageRange, CoverageState, Published};

/// Name of the source in events.
pub(crate) const SOURCE: &str = "graph_alerts";

/// Most pages of one poll: ten million alerts.
const PAGES_MAX: usize = 10_000;

/// Most alerts that Microsoft gives on a page.
const PAGE_ALERTS_MAX: u32 = 1_000;

/// The source.
pub(crate) struct GraphAlerts {
    desk: Desk,
    config: GraphAlertsConfig,
}

impl GraphAlerts {
    pub(crate) fn new(desk: Desk, config: GraphAlertsConfig) -> Self {
        Self { desk, config }
    }
}

#[async_trait]
impl LiveSource for GraphAlerts {
    fn label(&self) -> String {
        format!("{SOURCE}/{}", self.desk.tenant_id)
    }

    /// Reads what changed, and says how long to wait before the next poll.
    async fn turn(&mut self, stop: &CancellationToken) -> Result<Duration, IngestError> {
        let now_us = self.desk.server_now_us(Audience::Graph);
        let mut lines = Vec::new();
        let stood_at_us = self.cursor().await?;
        let cursor_us = self.believable(stood_at_us, now_us, &mut lines);
        let from_us = page::from_us(
            cursor_us,
            now_us,
            self.days_back(now_us).await?,
            self.config.overlap_s,
        );
        let mut newest_us = cursor_us;
        let mut taken = Taken::default();
        let read = self
            .read_from(from_us, &mut newest_us, &mut taken, stop)
            .await;
        let published = taken.published;
        let now_us = self.desk.server_now_us(Audience::Graph);
        match &read {
            // What is left is read after the next start.
            Err(IngestError::Stopped) => {}
            Err(error) => {
                let detail = error.told();
                lines.push(self.line(from_us, now_us, CoverageState::Gap, published, &detail));
            }
            Ok(()) => {
                // One that was not believed is replaced also where there is no alert: it is told once.
                let goes_back_us = (cursor_us != stood_at_us).then_some(from_us);
                if newest_us != stood_at_us
                    && let Some(newest_us) = newest_us.or(goes_back_us)
                {
                    let covers = taken.covered();
                    let (label, newest) = (self.label(), newest_us.to_string());
                    self.desk.cursors.set(label, newest, covers).await?;
                }
                if published != Published::default() {
                    lines.push(self.line(from_us, now_us, CoverageState::Read, published, ""));
                }
            }
        }
        self.desk.outlet.cover(lines).await?;
        read?;
        is_fresh(&self.label(), self.desk.clock.now_us());
        Ok(Duration::from_millis(self.config.poll_ms))
    }
}

impl GraphAlerts {
    /// How far back a poll without a cursor looks, in days: also to where sources began that are read again.
    async fn days_back(&self, now_us: i64) -> Result<u32, IngestError> {
        let begun_us = self.desk.cursors.begun_before_us().await?;
        Ok(page::days_back(self.config.first_days, begun_us, now_us))
    }

    async fn cursor(&self) -> Result<Option<i64>, IngestError> {
        let text = self.desk.cursors.get(self.label()).await?;
        Ok(text.and_then(|text| text.parse().ok()))
    }

    /// The time of the newest change that is known; none where it lies ahead of Microsoft's time.
    ///
    /// Then a clock was wrong, or an alert's own time: what came meanwhile is unknown, and the poll begins as the first.
    fn believable(
        &self,
        cursor_us: Option<i64>,
        now_us: i64,
        lines: &mut Vec<wire::Coverage>,
    ) -> Option<i64> {
        let ahead_us = cursor_us.filter(|cursor_us| page::is_ahead(*cursor_us, now_us));
        let Some(ahead_us) = ahead_us else {
            return cursor_us;
        };
        let detail = "the cursor stood ahead of Microsoft's time, as after a clock that jumped: what changed before \
                      the first poll's look back may be missing";
        let (state, none) = (CoverageState::Gap, Published::default());
        lines.push(self.line(now_us, ahead_us, state, none, detail));
        None
    }

    async fn read_from(
        &self,
        from_us: i64,
        newest_us: &mut Option<i64>,
        taken: &mut Taken,
        stop: &CancellationToken,
    ) -> Result<(), IngestError> {
        let top = self.config.page_alerts.clamp(1, PAGE_ALERTS_MAX);
        let mut boundary_us = from_us;
        let mut url = self.first_page(boundary_us, top)?;
        let mut read = PagesRead::default();
        for _ in 0..PAGES_MAX {
            if stop.is_cancelled() {
                return Err(IngestError::Stopped);
            }
            if !read.note(&url) {
                return Err(unexpected("a next page that was read already"));
            }
            let request = Request::new(Method::GET, url)
                // Without it new members of enumerations read "unknownFutureValue".
                .with_header("Prefer", "include-unknown-enum-members");
            let answer = self.desk.microsoft.send(Audience::Graph, request).await?;
            let page = page::read(&answer.body).map_err(unexpected)?;
            *taken += self.keep(&answer.body).await?;
            let now_us = self.desk.server_now_us(Audience::Graph);
            *newest_us = (*newest_us).max(page.newest_by(now_us));
            if answer.status == 206 {
                return Err(unexpected("a part of the alerts"));
            }
            match page::then(&page, top, boundary_us) {
                Then::Done => return Ok(()),
                Then::Next(next) => {
                    url =
                        Url::parse(&next).map_err(|_| unexpected("a next page that is no URL"))?;
                }
                Then::Boundary(next_us) => {
                    boundary_us = next_us;
                    url = self.first_page(boundary_us, top)?;
                }
                Then::Stuck(why) => return Err(unexpected(why)),
            }
        }
        Err(unexpected("more pages than are followed"))
    }

    /// Publishes the versions of a page that are new, then remembers them.
    async fn keep(&self, body: &Bytes) -> Result<Taken, IngestError> {
        let (tenant_id, bytes) = (self.desk.tenant_id.clone(), body.clone());
        let now_us = self.desk.clock.now_us();
        let work = move || {
            let origin = Origin {
                tenant_id: Some(&tenant_id),
                provenance: Provenance::Live,
                source: SOURCE,
                category: None,
                ingest_time_us: now_us,
                dates: Dates::OF_MICROSOFT,
            };
            normalise(&bytes, "alerts_v2", &origin)
        };
        let made = self.desk.make(body.len(), work).await?;
        let (all, _held) = (made.what, made.held);
        let ids = all.events.iter().map(|event| event.event_id.clone());
        let letters = all
            .dead_letters
            .iter()
            .map(|letter| format!("letter/{}", letter.id));
        let known = self
            .desk
            .cursors
            .known(self.label(), ids.chain(letters).collect())
            .await?;
        let events: Vec<wire::Event> = all
            .events
            .into_iter()
            .filter(|event| !known.contains(&event.event_id))
            .map(|event| wire::Event {
                // The place on a page says nothing later on.
                position: format!("alerts_v2/{}", event.event_id),
                ..event
            })
            .collect();
        let dead_letters: Vec<wire::DeadLetter> = all
            .dead_letters
            .into_iter()
            .filter(|letter| !known.contains(&format!("letter/{}", letter.id)))
            .collect();
        let mut new: Vec<String> = events.iter().map(|event| event.event_id.clone()).collect();
        new.extend(
            dead_letters
                .iter()
                .map(|letter| format!("letter/{}", letter.id)),
        );
        if new.is_empty() {
            return Ok(Taken::default());
        }
        let normalised = Normalised {
            events,
            dead_letters,
            ..Normalised::default()
        };
        let taken = self.desk.publish(SOURCE, normalised).await?;
        // Publish, then remember: a crash between the two repeats versions and loses none.
        let now_us = self.desk.server_now_us(Audience::Graph);
        self.desk
            .cursors
            .remember(self.label(), new, taken.covered(), now_us)
            .await?;
        Ok(taken)
    }

    fn first_page(&self, from_us: i64, top: u32) -> Result<Url, IngestError> {
        let mut url = self
            .desk
            .microsoft
            .url(Audience::Graph, &["v1.0", "security", "alerts_v2"])?;
        url.query_pairs_mut()
            .append_pair(
                "$filter",
                &format!("lastUpdateDateTime ge {}", time::iso_ms(from_us)),
            )
            .append_pair("$orderby", "lastUpdateDateTime asc")
            .append_pair("$top", &top.to_string());
        Ok(url)
    }

    fn line(
        &self,
        from_us: i64,
        to_us: i64,
        state: CoverageState,
        published: Published,
        detail: &str,
    ) -> wire::Coverage {
        let range = CoverageRange {
            tenant_id: &self.desk.tenant_id,
            source: SOURCE,
            kind: "page",
            subject: "alerts_v2",
            from: from_us,
            to: to_us,
        };
        range.line(state, published, detail, self.desk.clock.now_us())
    }
}

fn unexpected(found: &str) -> IngestError {
    IngestError::Answer {
        call: "alerts_v2",
        found: found.to_owned(),
    }
}
