//! `graph_alerts` source: Microsoft's alerts, by polling Microsoft Graph on `lastUpdateDateTime`.
//!
//! Delivery: at least once. Versions are remembered, and the cursor moves, only after the bus has taken them.
//! Protocol: Microsoft Graph v1.0, `GET /security/alerts_v2` with `lastUpdateDateTime ge`, ordered, `nextLink`
//! followed to the end; `ge` and an overlap, because alerts appear late and share times (P34, P36); order and filter
//! are checked again here, because the service is known to ignore them (P38).

mod page;

use std::collections::HashSet;
use std::time::Duration;

use microsoft::{Audience, Method, Request, Url};
use schemas::provenance::Provenance;
use schemas::{time, wire};
use tokio_util::sync::CancellationToken;

use self::page::Then;
use super::{Desk, is_fresh};
use crate::config::GraphAlertsConfig;
use crate::error::IngestError;
use crate::normalise::{Normalised, Origin, normalise};
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

    pub(crate) fn label(&self) -> String {
        format!("{SOURCE}/{}", self.desk.tenant_id)
    }

    /// Reads what changed, and says how long to wait before the next poll.
    pub(crate) async fn poll(&mut self, stop: &CancellationToken) -> Result<Duration, IngestError> {
        let cursor = self.desk.cursors.get(self.label()).await?;
        let cursor_us = cursor.and_then(|text| text.parse::<i64>().ok());
        let from_us = page::from_us(
            cursor_us,
            self.desk.clock.now_us(),
            self.config.first_days,
            self.config.overlap_s,
        );
        let mut newest_us = cursor_us;
        let mut published = Published::default();
        let read = self
            .read_from(from_us, &mut newest_us, &mut published, stop)
            .await;
        let now_us = self.desk.clock.now_us();
        let mut lines = Vec::new();
        if let Err(error) = &read {
            lines.push(self.line(
                from_us,
                now_us,
                CoverageState::Gap,
                published,
                &error.to_string(),
            ));
        } else {
            if newest_us != cursor_us
                && let Some(newest_us) = newest_us
            {
                self.desk
                    .cursors
                    .set(self.label(), newest_us.to_string())
                    .await?;
            }
            if published != Published::default() {
                lines.push(self.line(from_us, now_us, CoverageState::Read, published, ""));
            }
        }
        self.desk.outlet.cover(lines).await?;
        read?;
        is_fresh(&self.label(), now_us);
        Ok(Duration::from_millis(self.config.poll_ms))
    }

    async fn read_from(
        &self,
        from_us: i64,
        newest_us: &mut Option<i64>,
        published: &mut Published,
        stop: &CancellationToken,
    ) -> Result<(), IngestError> {
        let top = self.config.page_alerts.clamp(1, PAGE_ALERTS_MAX);
        let mut boundary_us = from_us;
        let mut url = self.first_page(boundary_us, top)?;
        let mut seen = HashSet::new();
        for _ in 0..PAGES_MAX {
            if stop.is_cancelled() {
                return Err(IngestError::Stopped);
            }
            if !seen.insert(url.to_string()) {
                return Err(unexpected("a next page that was read already"));
            }
            let request = Request::new(Method::GET, url)
                // Without it new members of enumerations read "unknownFutureValue".
                .with_header("Prefer", "include-unknown-enum-members");
            let answer = self.desk.microsoft.send(Audience::Graph, request).await?;
            let page = page::read(&answer.body).map_err(unexpected)?;
            *published += self.keep(&answer.body).await?;
            *newest_us = (*newest_us).max(page.newest_us());
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
    async fn keep(&self, body: &[u8]) -> Result<Published, IngestError> {
        let origin = Origin {
            tenant_id: Some(&self.desk.tenant_id),
            provenance: Provenance::Live,
            source: SOURCE,
            category: None,
            ingest_time_us: self.desk.clock.now_us(),
        };
        let all = normalise(body, "alerts_v2", &origin);
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
            return Ok(Published::default());
        }
        let normalised = Normalised {
            events,
            dead_letters,
        };
        let published = self.desk.outlet.publish(SOURCE, normalised).await?;
        // Publish, then remember: a crash between the two repeats versions and loses none (P9).
        self.desk
            .cursors
            .remember(self.label(), new, origin.ingest_time_us)
            .await?;
        Ok(published)
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
        range.line(state, published, detail, to_us)
    }
}

fn unexpected(found: &str) -> IngestError {
    IngestError::Answer {
        call: "alerts_v2",
        found: found.to_owned(),
    }
}
