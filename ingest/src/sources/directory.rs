//! `directory` source: the tenant's users, groups and domains, by Microsoft Graph's delta queries.
//!
//! Delivery: at least once. States of objects are remembered, and the cursor moves, only after the bus has taken them.
//! Protocol: Microsoft Graph v1.0, `GET /users/delta` and `/groups/delta` with `$select`, `nextLink` followed to the
//! `deltaLink`, which the next poll begins at; `GET /domains` has no delta and is read whole. A link that Graph no
//! longer knows begins a round in full, which publishes only what is not known.
//!
//! ```text
//! users, groups, domains, each by itself: link or first page ─▶ pages to the end ─▶ unknown states ─▶ publish ─▶ remember ─▶ cursor
//! ```

mod page;
mod states;

use std::time::Duration;

use async_trait::async_trait;
use bytes::Bytes;
use microsoft::{Audience, Method, Request, Url};
use serde::{Deserialize, Serialize};
use tokio_util::sync::CancellationToken;

use self::page::Then;
use super::desk::{Desk, PagesRead, is_fresh};
use super::live_source::LiveSource;
use crate::config::DirectoryConfig;
use crate::error::IngestError;
use crate::normalise::directory::Kind;
use crate::normalise::{Dates, Normalised, Origin, normalise};
use crate::outlet::Taken;
use schemas::coverage::{CoverageRange, CoverageState, Published};
use schemas::provenance::Provenance;

/// Name of the source in events.
pub(crate) const SOURCE: &str = "directory";

/// Most pages of one round: millions of objects even where Graph gives 200 on a page.
const PAGES_MAX: usize = 20_000;

/// Most objects that Microsoft gives on a page.
const PAGE_OBJECTS_MAX: u32 = 999;

const DAY_US: i64 = 24 * 3_600 * 1_000_000;

/// The properties of users that are kept; a change of any of them is a new state.
const USER_PROPERTIES: &str = "id,userPrincipalName,mail,proxyAddresses,displayName,userType,accountEnabled,\
    createdDateTime,onPremisesSyncEnabled,onPremisesImmutableId,department,jobTitle";

/// The same of groups.
const GROUP_PROPERTIES: &str =
    "id,displayName,mail,groupTypes,securityEnabled,createdDateTime,membershipRule";

/// How a collection is asked for.
struct Collection {
    segments: &'static [&'static str],
    /// What is selected of each object; empty for all, where there is no delta.
    properties: &'static str,
    /// What the application must be allowed.
    permission: &'static str,
}

/// How the objects of a kind are asked for.
const fn collection(kind: Kind) -> Collection {
    match kind {
        Kind::User => Collection {
            segments: &["v1.0", "users", "delta"],
            properties: USER_PROPERTIES,
            permission: "User.Read.All",
        },
        Kind::Group => Collection {
            segments: &["v1.0", "groups", "delta"],
            properties: GROUP_PROPERTIES,
            permission: "GroupMember.Read.All or Group.Read.All",
        },
        Kind::Domain => Collection {
            segments: &["v1.0", "domains"],
            properties: "",
            permission: "Domain.Read.All",
        },
    }
}

impl Collection {
    const fn tells_changes(&self) -> bool {
        !self.properties.is_empty()
    }
}

/// Where the next round of a kind begins.
#[derive(Debug, Clone, Serialize, Deserialize)]
struct Position {
    link: String,
    /// What the link was asked for; it tells of changes to nothing else.
    properties: String,
    /// When the round began that ended at the link.
    read_us: i64,
}

/// How a kind was read.
struct Turn {
    position: Option<Position>,
    began_us: i64,
    taken: Taken,
    /// Why it was read in full though a link was known.
    anew: Option<String>,
    /// The link at the round's end.
    ended: Result<Option<Url>, IngestError>,
}

/// The source.
pub(crate) struct Directory {
    desk: Desk,
    config: DirectoryConfig,
    /// True if Microsoft refused something for want of a permission at the last poll.
    was_denied: bool,
}

impl Directory {
    pub(crate) fn new(desk: Desk, config: DirectoryConfig) -> Self {
        Self {
            desk,
            config,
            was_denied: false,
        }
    }
}

#[async_trait]
impl LiveSource for Directory {
    fn label(&self) -> String {
        format!("{SOURCE}/{}", self.desk.tenant_id)
    }

    /// Reads what changed, and says how long to wait before the next poll.
    ///
    /// A kind that fails keeps no other from being read. A missing permission is a person's to mend, so it is no
    /// failure that is tried again at once.
    async fn turn(&mut self, stop: &CancellationToken) -> Result<Duration, IngestError> {
        if std::mem::take(&mut self.was_denied) {
            self.take_new_permissions().await;
        }
        let mut failed = None;
        for kind in Kind::ALL {
            let turn = self.read(kind, stop).await?;
            self.tell(kind, &turn).await?;
            match turn.ended {
                Ok(_) => {}
                Err(IngestError::Stopped) => return Err(IngestError::Stopped),
                Err(error) if page::is_denied(&error) => self.was_denied = true,
                Err(error) => failed = Some(error),
            }
        }
        match failed {
            Some(error) => return Err(error),
            None if self.was_denied => {}
            None => is_fresh(&self.label(), self.desk.clock.now_us()),
        }
        Ok(Duration::from_millis(self.config.poll_ms))
    }
}

impl Directory {
    /// Takes a new token: consent that was given since shows in a new one only.
    async fn take_new_permissions(&self) {
        let microsoft = &self.desk.microsoft;
        let renewed = match microsoft.token(Audience::Graph).await {
            Ok(old) => microsoft.renew(Audience::Graph, &old).await,
            Err(error) => Err(error),
        };
        if let Err(error) = renewed {
            // The old one is used as long as it lasts; if it does not, the requests say so.
            tracing::debug!(
                error = &error as &dyn std::error::Error,
                "no new token after a refusal"
            );
        }
    }

    /// Reads a kind from where it stands, or in full.
    ///
    /// # Errors
    /// Of the cursor store; all others stand in the turn, to be told.
    async fn read(&self, kind: Kind, stop: &CancellationToken) -> Result<Turn, IngestError> {
        let position = self.position(kind).await?;
        let began_us = self.desk.clock.now_us();
        let mut taken = Taken::default();
        let link = position
            .as_ref()
            .and_then(|position| Url::parse(&position.link).ok());
        let is_full = link.is_none();
        let mut ended = self.round(kind, link, &mut taken, stop).await;
        let anew = match &ended {
            Err(error) if !is_full => page::why_anew(error),
            _ => None,
        };
        if anew.is_some() {
            ended = self.round(kind, None, &mut taken, stop).await;
        }
        if let Ok(Some(link)) = &ended {
            self.move_to(kind, link, began_us, taken).await?;
        }
        Ok(Turn {
            position,
            began_us,
            taken,
            anew,
            ended,
        })
    }

    /// Reads pages from `link` on, or from the first, and says where the next round begins.
    async fn round(
        &self,
        kind: Kind,
        link: Option<Url>,
        taken: &mut Taken,
        stop: &CancellationToken,
    ) -> Result<Option<Url>, IngestError> {
        let collection = collection(kind);
        let unexpected = |found| unexpected(kind, found);
        let mut url = match link {
            Some(link) => link,
            None => self.first_page(&collection)?,
        };
        let objects = self.config.page_objects.clamp(1, PAGE_OBJECTS_MAX);
        let prefer = format!("odata.maxpagesize={objects}");
        let mut read = PagesRead::default();
        for _ in 0..PAGES_MAX {
            if stop.is_cancelled() {
                return Err(IngestError::Stopped);
            }
            if !read.note(&url) {
                return Err(unexpected("a next page that was read already"));
            }
            let request = Request::new(Method::GET, url).with_header("Prefer", &prefer);
            let answer = self.desk.microsoft.send(Audience::Graph, request).await?;
            let page = page::read(&answer.body).map_err(unexpected)?;
            *taken += self.keep(kind, &answer.body).await?;
            if answer.status == 206 {
                return Err(unexpected("a part of the objects"));
            }
            match page::then(&page, collection.tells_changes()) {
                Then::Next(next) => url = next,
                Then::Done(link) => return Ok(link),
                Then::Stuck(why) => return Err(unexpected(why)),
            }
        }
        Err(unexpected("more pages than are followed"))
    }

    /// Publishes the states of a page that are new, then remembers them.
    async fn keep(&self, kind: Kind, body: &Bytes) -> Result<Taken, IngestError> {
        let (tenant_id, bytes) = (self.desk.tenant_id.clone(), body.clone());
        let now_us = self.desk.clock.now_us();
        let work = move || {
            let origin = Origin {
                tenant_id: Some(&tenant_id),
                provenance: Provenance::Live,
                source: SOURCE,
                category: Some(kind.name()),
                ingest_time_us: now_us,
                dates: Dates::OF_MICROSOFT,
            };
            normalise(&bytes, kind.name(), &origin)
        };
        let made = self.desk.make(body.len(), work).await?;
        let (all, _held) = (made.what, made.held);
        let cursors = &self.desk.cursors;
        let subject = self.subject(kind);
        let letters: Vec<String> = all
            .dead_letters
            .iter()
            .map(|letter| letter.id.clone())
            .collect();
        let known_letters = cursors.known(subject.clone(), letters).await?;
        let mut dead_letters = all.dead_letters;
        dead_letters.retain(|letter| !known_letters.contains(&letter.id));
        let new_letters: Vec<String> = dead_letters
            .iter()
            .map(|letter| letter.id.clone())
            .collect();
        let events = states::by_object(all.events);
        let objects = events.iter().map(|(object, _)| object.clone()).collect();
        let known = cursors.states(subject.clone(), objects).await?;
        let changed = states::changed(events, known);
        if changed.events.is_empty() && dead_letters.is_empty() {
            return Ok(Taken::default());
        }
        let normalised = Normalised {
            events: changed.events,
            dead_letters,
            ..Normalised::default()
        };
        let taken = self.desk.publish(SOURCE, normalised).await?;
        // Publish, then remember: a crash between the two repeats events and loses none.
        let covers = taken.covered();
        if !new_letters.is_empty() {
            let now_us = self.desk.server_now_us(Audience::Graph);
            cursors
                .remember(subject.clone(), new_letters, covers, now_us)
                .await?;
        }
        cursors
            .remember_states(subject, changed.states, covers)
            .await?;
        Ok(taken)
    }

    fn first_page(&self, collection: &Collection) -> Result<Url, IngestError> {
        let mut url = self
            .desk
            .microsoft
            .url(Audience::Graph, collection.segments)?;
        if collection.tells_changes() {
            url.query_pairs_mut()
                .append_pair("$select", collection.properties);
        }
        Ok(url)
    }

    async fn position(&self, kind: Kind) -> Result<Option<Position>, IngestError> {
        let text = self.desk.cursors.get(self.subject(kind)).await?;
        let position = text.and_then(|text| serde_json::from_str::<Position>(&text).ok());
        let properties = collection(kind).properties;
        Ok(position.filter(|position| position.properties == properties))
    }

    async fn move_to(
        &self,
        kind: Kind,
        link: &Url,
        read_us: i64,
        taken: Taken,
    ) -> Result<(), IngestError> {
        let position = serde_json::json!(Position {
            link: link.to_string(),
            properties: collection(kind).properties.to_owned(),
            read_us,
        });
        self.desk
            .cursors
            .set(self.subject(kind), position.to_string(), taken.covered())
            .await
    }

    /// Writes the line of the ledger, where there is something to tell.
    async fn tell(&self, kind: Kind, turn: &Turn) -> Result<(), IngestError> {
        let now_us = self.desk.clock.now_us();
        let published = turn.taken.published;
        let mut range = CoverageRange {
            tenant_id: &self.desk.tenant_id,
            source: SOURCE,
            kind: "page",
            subject: kind.name(),
            from: turn
                .position
                .as_ref()
                .map_or(turn.began_us, |position| position.read_us),
            to: now_us,
        };
        let anew = turn.anew.as_ref().map(|why| format!("read in full: {why}"));
        let (state, detail) = match &turn.ended {
            Err(IngestError::Stopped) => return Ok(()),
            Err(error) if page::is_denied(error) => {
                // One line for a day, not one for each poll: it stays so until a person has mended it.
                range.from = now_us.div_euclid(DAY_US) * DAY_US;
                range.to = range.from.saturating_add(DAY_US);
                let permission = collection(kind).permission;
                let detail = format!("needs the permission {permission}: {}", error.told());
                (CoverageState::Gap, detail)
            }
            Err(error) => (CoverageState::Gap, error.told()),
            Ok(_) if anew.is_none() && published == Published::default() => return Ok(()),
            Ok(_) => (CoverageState::Read, anew.unwrap_or_default()),
        };
        let line = range.line(state, published, &detail, now_us);
        self.desk.outlet.cover(vec![line]).await
    }

    fn subject(&self, kind: Kind) -> String {
        format!("{}/{}", self.label(), kind.name())
    }
}

fn unexpected(kind: Kind, found: &str) -> IngestError {
    IngestError::Answer {
        call: kind.name(),
        found: found.to_owned(),
    }
}
