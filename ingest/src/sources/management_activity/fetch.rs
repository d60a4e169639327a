//! What became of a blob, and when one that failed is tried again. Pure but for the time of the next try.

use std::collections::HashMap;
use std::time::Duration;

use microsoft::{Answer, MicrosoftError};
use schemas::dead_letter::Reason;
use schemas::ids;
use schemas::provenance::Provenance;
use tokio::time::Instant;

use super::answers::{Content, SOURCE};
use super::codes::{self, Meaning};
use crate::normalise::{Dates, Normalised, Origin, normalise};
use crate::workbench::Held;

/// What became of a blob.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Fetched {
    /// Its records are at hand.
    Read,
    /// It is gone for good.
    Lost(String),
    /// It could not be fetched; it is tried again.
    Later(String),
    /// What came is not the blob, or not all of it; it is kept, and the blob is tried again.
    Broken {
        /// Hash of what came.
        body: String,
        /// What is wrong.
        reason: String,
    },
}

impl Fetched {
    /// True if it need not be fetched again.
    pub(super) fn is_done(&self) -> bool {
        matches!(self, Self::Read | Self::Lost(_))
    }
}

/// A blob that was asked for.
#[derive(Debug)]
pub(super) struct Blob {
    pub(super) content: Content,
    pub(super) fetched: Fetched,
    pub(super) normalised: Normalised,
    /// Length of its body.
    pub(super) bytes: usize,
    /// The bytes that its records hold until they are published.
    pub(super) held: Option<Held>,
}

impl Blob {
    /// A blob that is tried again.
    pub(super) fn later(content: Content, reason: String) -> Self {
        Self {
            content,
            fetched: Fetched::Later(reason),
            normalised: Normalised::default(),
            bytes: 0,
            held: None,
        }
    }

    /// Under what a broken body is remembered, so that it is published once.
    pub(super) fn broken_id(&self) -> Option<String> {
        match &self.fetched {
            Fetched::Broken { body, .. } => Some(format!("broken/{}/{body}", self.content.id)),
            _ => None,
        }
    }
}

/// Reads the answer to a request for a blob.
pub(super) fn read(
    content: Content,
    answer: Result<Answer, MicrosoftError>,
    tenant_id: &str,
    content_type: &str,
    now_us: i64,
) -> Blob {
    let answer = match answer {
        Ok(answer) => answer,
        Err(error) => {
            return Blob {
                fetched: failed(&error),
                content,
                normalised: Normalised::default(),
                bytes: 0,
                held: None,
            };
        }
    };
    let origin = Origin {
        tenant_id: Some(tenant_id),
        provenance: Provenance::Live,
        source: SOURCE,
        category: Some(content_type),
        ingest_time_us: now_us,
        dates: Dates::OF_MICROSOFT,
    };
    let normalised = normalise(&answer.body, &content.id, &origin);
    let is_broken = |reason: &str| {
        [
            Reason::Truncated,
            Reason::NotTheFormat,
            Reason::NotJson,
            Reason::NotUtf8,
        ]
        .iter()
        .any(|broken| broken.as_str() == reason)
    };
    // A page of HTML with status 200, or a body that was cut: what came is kept, the blob is asked for again.
    let broken = normalised
        .dead_letters
        .iter()
        .find(|letter| is_broken(&letter.reason));
    let fetched = broken.map_or(Fetched::Read, |letter| Fetched::Broken {
        body: ids::hex(&[&answer.body]),
        reason: format!("what came is no blob: {}", letter.detail),
    });
    Blob {
        content,
        fetched,
        normalised,
        bytes: answer.body.len(),
        held: None,
    }
}

fn failed(error: &MicrosoftError) -> Fetched {
    let reason = error.to_string();
    match codes::meaning(error.code().unwrap_or_default()) {
        Meaning::Lost => Fetched::Lost(reason),
        _ if error.status() == Some(410) => Fetched::Lost(reason),
        // A body over the bound is no success; it would be over it the next time too.
        _ if matches!(error, MicrosoftError::BodyTooLarge { .. }) => Fetched::Lost(reason),
        _ => Fetched::Later(reason),
    }
}

/// When blobs that failed are tried again.
#[derive(Debug)]
pub(super) struct Failed {
    tries: HashMap<String, (u32, Instant)>,
    ids_max: usize,
}

/// First wait before a failed blob is tried again; it doubles with each try.
const TRY_WAIT: Duration = Duration::from_millis(500);

/// Longest wait before a failed blob is tried again.
const TRY_WAIT_MAX: Duration = Duration::from_mins(15);

impl Failed {
    pub(super) fn new(ids_max: usize) -> Self {
        Self {
            tries: HashMap::new(),
            ids_max,
        }
    }

    /// Those of `contents` that may be tried now.
    pub(super) fn due(&self, contents: Vec<Content>) -> Vec<Content> {
        let now = Instant::now();
        let is_due =
            |content: &Content| self.tries.get(&content.id).is_none_or(|(_, at)| *at <= now);
        contents.into_iter().filter(is_due).collect()
    }

    /// Notes the outcome of a try.
    pub(super) fn note(&mut self, id: String, is_done: bool) {
        if is_done {
            self.tries.remove(&id);
            return;
        }
        if self.tries.len() >= self.ids_max {
            // Bounded; what is forgotten is tried at once, which is no loss.
            self.tries.clear();
        }
        let (tries, at) = self.tries.entry(id).or_insert((0, Instant::now()));
        let wait = TRY_WAIT
            .saturating_mul(2_u32.saturating_pow((*tries).min(16)))
            .min(TRY_WAIT_MAX);
        *tries += 1;
        *at = Instant::now() + wait;
    }
}
