//! Lists what a window holds, one page at a time.

use microsoft::{Answer, Url};

use super::answers::{self, Page};
use crate::error::IngestError;
use crate::sources::desk::PagesRead;

/// Most pages of one listing; a day of the largest tenants has some hundreds.
const PAGES_MAX: usize = 10_000;

/// A listing, as far as it has been read.
#[derive(Debug)]
pub(super) struct Listing {
    next: Option<Url>,
    read: PagesRead,
    began_us: Option<i64>,
}

impl Listing {
    /// A listing that begins with the page at `first`.
    pub(super) fn of(first: Url) -> Self {
        Self {
            next: Some(first),
            read: PagesRead::default(),
            began_us: None,
        }
    }

    /// Microsoft's time when it answered with the first page: what was made later need not be on any.
    pub(super) fn began_us(&self) -> Option<i64> {
        self.began_us
    }

    /// Where the next page is; none after the last. After an error there is none either.
    pub(super) fn next(&mut self) -> Result<Option<Url>, IngestError> {
        let Some(url) = self.next.take() else {
            return Ok(None);
        };
        if self.read.count() >= PAGES_MAX {
            return Err(answers::unexpected(
                "content",
                "more pages than are followed",
            ));
        }
        if !self.read.note(&url) {
            let found = "a next page that was read already";
            return Err(answers::unexpected("content", found));
        }
        Ok(Some(url))
    }

    /// The page that was answered.
    pub(super) fn page(&mut self, answer: &Answer) -> Result<Page, IngestError> {
        if self.began_us.is_none() {
            self.began_us = answer.date_us();
        }
        let mut page = answers::contents(&answer.body)?;
        // The next page is opaque and is followed to the end.
        match answers::next_page(answer) {
            None => {}
            Some(Ok(next)) => self.next = Some(next),
            Some(Err(error)) => page.problem = Some(error),
        }
        Ok(page)
    }
}
