//! Lines of the completeness ledger: what was read, and what was not. Pure.

use std::str::FromStr;

use crate::topics::Topic;
use crate::word::{self, UnknownWord};
use crate::{ids, wire};

/// How far a range was read.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum CoverageState {
    /// Whole.
    Read,
    /// Not whole; it may be filled later.
    Gap,
    /// Known to have existed and out of reach.
    Lost,
}

impl CoverageState {
    /// Every state.
    pub const ALL: &'static [Self] = &[Self::Read, Self::Gap, Self::Lost];

    /// The word on the wire.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Read => "read",
            Self::Gap => "gap",
            Self::Lost => "lost",
        }
    }
}

impl FromStr for CoverageState {
    type Err = UnknownWord;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        word::find("coverage state", Self::ALL, Self::as_str, text)
    }
}

/// What a line of the ledger is about.
#[derive(Debug, Clone, Copy)]
pub struct CoverageRange<'a> {
    /// The tenant; empty where a loss is not one tenant's.
    pub tenant_id: &'a str,
    /// The connector, or the stage that could not read on.
    pub source: &'a str,
    /// "window", "blob", "page", "range" or "file".
    pub kind: &'a str,
    /// What was read: a content type and content id, hub/partition, a query, a path.
    pub subject: &'a str,
    /// Start of the range: a time in microseconds, a sequence number, an offset or a row.
    pub from: i64,
    /// End of the range, exclusive.
    pub to: i64,
}

/// The line for a log of the bus that another one took the place of, or whose end was cut, which `source` had read up to
/// `stood_at`; `detail` says what of it is lost, and what is not.
pub fn replaced_log(
    source: &str,
    (topic, partition): (Topic, i32),
    stood_at: i64,
    detail: &str,
    now_us: i64,
) -> wire::Coverage {
    CoverageRange {
        tenant_id: "",
        source,
        kind: "range",
        subject: &format!("{topic}/{partition}"),
        from: stood_at,
        to: stood_at,
    }
    .line(CoverageState::Lost, Published::default(), detail, now_us)
}

/// The line for a partition whose log no longer has the messages `from` … `to` that it had acknowledged, and ends at `end`
/// now. It is a gap, and no loss: `source` has what they were made of, and `what_follows` says what it does with it.
pub fn forgetful_log(
    source: &str,
    (topic, partition): (Topic, i32),
    (from, to): (i64, i64),
    end: i64,
    what_follows: &str,
    now_us: i64,
) -> wire::Coverage {
    let detail = format!(
        "lost or replaced from {from} to {to}: the bus had acknowledged messages up to {to}, and its log now ends at {end} or \
         is another; {what_follows}"
    );
    CoverageRange {
        tenant_id: "",
        source,
        kind: "range",
        subject: &format!("{topic}/{partition}"),
        from,
        to,
    }
    .line(CoverageState::Gap, Published::default(), &detail, now_us)
}

/// What came out of a range.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Published {
    /// Records that became events.
    pub records: u64,
    /// Letters that could not.
    pub dead_letters: u64,
}

impl std::ops::AddAssign for Published {
    fn add_assign(&mut self, other: Self) {
        self.records += other.records;
        self.dead_letters += other.dead_letters;
    }
}

impl CoverageRange<'_> {
    /// The line, whose id follows from the range, and from the state where it is not "read":
    /// a gap that is filled later stays in the ledger beside the line that fills it.
    pub fn line(
        &self,
        state: CoverageState,
        published: Published,
        detail: &str,
        now_us: i64,
    ) -> wire::Coverage {
        let id = ids::hex(&[
            b"coverage",
            self.tenant_id.as_bytes(),
            self.source.as_bytes(),
            self.kind.as_bytes(),
            self.subject.as_bytes(),
            &self.from.to_le_bytes(),
            &self.to.to_le_bytes(),
            if state == CoverageState::Read {
                b""
            } else {
                state.as_str().as_bytes()
            },
        ]);
        wire::Coverage {
            id,
            tenant_id: self.tenant_id.to_owned(),
            source: self.source.to_owned(),
            kind: self.kind.to_owned(),
            subject: self.subject.to_owned(),
            from: self.from,
            to: self.to,
            state: state.as_str().to_owned(),
            records: published.records,
            dead_letters: published.dead_letters,
            detail: detail.to_owned(),
            observed_time_us: now_us,
        }
    }
}
