//! Lists what a window holds, all pages of it.

use std::collections::HashSet;

use super::ManagementActivity;
use super::answers::{self, Content};
use super::windows::{self, Window};
use crate::error::IngestError;

/// Most pages of one listing; a day of the largest tenants has some hundreds.
const PAGES_MAX: usize = 10_000;

/// What one window holds.
#[derive(Debug, Default)]
pub(super) struct Listed {
    pub(super) contents: Vec<Content>,
    /// Why the listing ended before its end.
    pub(super) error: Option<IngestError>,
}

impl ManagementActivity {
    /// All pages of a window; what was listed before an error is kept.
    pub(super) async fn list(
        &self,
        content_type: &str,
        window: Window,
    ) -> Result<Listed, IngestError> {
        let mut listed = Listed::default();
        let mut url = self.url(&["subscriptions", "content"])?;
        url.query_pairs_mut()
            .append_pair("contentType", content_type)
            .append_pair("startTime", &windows::text(window.from_us))
            .append_pair("endTime", &windows::text(window.to_us));
        let mut seen = HashSet::new();
        for _ in 0..PAGES_MAX {
            if !seen.insert(url.to_string()) {
                listed.error = Some(answers::unexpected(
                    "content",
                    "a next page that was read already",
                ));
                return Ok(listed);
            }
            let answer = match self.get(url).await {
                Ok(answer) => answer,
                Err(cause) => {
                    listed.error = Some(cause.into());
                    return Ok(listed);
                }
            };
            match answers::contents(&answer.body) {
                Ok(contents) => listed.contents.extend(contents),
                Err(error) => {
                    listed.error = Some(error);
                    return Ok(listed);
                }
            }
            // P14: the next page is opaque and is followed to the end.
            match answers::next_page(&answer) {
                None => return Ok(listed),
                Some(Ok(next)) => url = next,
                Some(Err(error)) => {
                    listed.error = Some(error);
                    return Ok(listed);
                }
            }
        }
        listed.error = Some(answers::unexpected(
            "content",
            "more pages than are followed",
        ));
        Ok(listed)
    }
}
