//! Lines of the completeness ledger. Pure.

use schemas::{ids, wire};

use crate::outlet::Published;

/// How far a range was read.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum State {
    /// Whole.
    Read,
    /// Not whole; it may be filled later.
    Gap,
    /// Known to have existed and out of reach.
    Lost,
}

impl State {
    const fn as_str(self) -> &'static str {
        match self {
            Self::Read => "read",
            Self::Gap => "gap",
            Self::Lost => "lost",
        }
    }
}

/// What a line of the ledger is about.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Range<'a> {
    pub(crate) tenant_id: &'a str,
    pub(crate) source: &'static str,
    /// "window", "blob", "page", "range" or "file".
    pub(crate) kind: &'static str,
    pub(crate) subject: &'a str,
    pub(crate) from: i64,
    pub(crate) to: i64,
}

impl Range<'_> {
    /// The line, whose id follows from the range, and from the state where it is not "read":
    /// a gap that is filled later stays in the ledger beside the line that fills it.
    pub(crate) fn line(
        &self,
        state: State,
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
            if state == State::Read {
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
