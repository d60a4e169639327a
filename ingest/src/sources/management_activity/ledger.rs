//! What the ledger is told, and when a cursor moves.

use schemas::coverage::{CoverageRange, CoverageState, Published};
use schemas::wire;

use super::fetch::{Blob, Fetched};
use super::windows::{self, Plan, Window};
use super::{ManagementActivity, SOURCE};
use crate::error::IngestError;
use crate::outlet::Taken;

impl ManagementActivity {
    /// The line of a blob.
    pub(super) fn blob_line(
        &self,
        content_type: &str,
        blob: &Blob,
        published: Published,
        now_us: i64,
    ) -> wire::Coverage {
        let subject = format!("{content_type}/{}", blob.content.id);
        let range = CoverageRange {
            tenant_id: &self.desk.tenant_id,
            source: SOURCE,
            kind: "blob",
            subject: &subject,
            from: blob.content.created_us,
            to: blob.content.created_us.saturating_add(1),
        };
        let (state, detail) = match &blob.fetched {
            Fetched::Read => (CoverageState::Read, ""),
            Fetched::Lost(reason) => (CoverageState::Lost, reason.as_str()),
            Fetched::Later(reason) | Fetched::Broken { reason, .. } => {
                (CoverageState::Gap, reason.as_str())
            }
        };
        range.line(state, published, detail, now_us)
    }

    /// Says that a window was not read whole.
    pub(super) async fn note_gap(
        &self,
        content_type: &str,
        window: Window,
        detail: &str,
    ) -> Result<(), IngestError> {
        let now_us = self.desk.clock.now_us();
        // One line for a day, not one for each poll: what is missing stays the same until it is read.
        let day = windows::day_of(window);
        let line = self.window(content_type, day).line(
            CoverageState::Gap,
            Published::default(),
            detail,
            now_us,
        );
        self.desk.outlet.cover(vec![line]).await
    }

    /// Says what cannot be listed any more.
    pub(super) async fn note_out_of_reach(
        &self,
        content_type: &str,
        plan: &Plan,
    ) -> Result<(), IngestError> {
        if let Some(unseen) = plan.unseen {
            let detail = "what was listed late here is older than the 7 days that can be listed";
            self.note_gap(content_type, unseen, detail).await?;
        }
        let Some(lost) = plan.lost else {
            return Ok(());
        };
        let line = self.window(content_type, lost).line(
            CoverageState::Lost,
            Published::default(),
            "older than the 7 days that can be listed",
            self.desk.clock.now_us(),
        );
        self.desk.outlet.cover(vec![line]).await
    }

    /// Stores where a content type stands, and writes the line of what was read.
    pub(super) async fn move_cursor(
        &self,
        content_type: &str,
        from_us: i64,
        to_us: i64,
        taken: Taken,
    ) -> Result<(), IngestError> {
        let published = taken.published;
        let is_quiet = published == Published::default();
        let covered_us = to_us.saturating_sub(from_us);
        let quiet_us = i64::try_from(self.config.quiet_window_ms)
            .unwrap_or(i64::MAX)
            .saturating_mul(1_000);
        if covered_us <= 0 || (is_quiet && covered_us < quiet_us) {
            return Ok(());
        }
        self.desk
            .cursors
            .set(
                self.subject(content_type),
                to_us.to_string(),
                taken.covered(),
            )
            .await?;
        let line = self.window(content_type, Window { from_us, to_us }).line(
            CoverageState::Read,
            published,
            "",
            self.desk.clock.now_us(),
        );
        self.desk.outlet.cover(vec![line]).await
    }

    /// How far back a poll without a cursor looks, in hours: also to where sources began that are read again.
    pub(super) async fn hours_back(&self, now_us: i64) -> Result<u32, IngestError> {
        let begun_us = self.desk.cursors.begun_before_us().await?;
        let since_us = begun_us.map_or(0, |begun_us| now_us.saturating_sub(begun_us).max(0));
        let since_hours = since_us.div_euclid(windows::HOUR_US).saturating_add(1);
        Ok(match begun_us {
            Some(_) => u32::try_from(since_hours)
                .unwrap_or(u32::MAX)
                .saturating_add(self.config.first_hours),
            None => self.config.first_hours,
        })
    }

    /// Where a content type stands.
    pub(super) async fn cursor(&self, content_type: &str) -> Result<Option<i64>, IngestError> {
        let text = self.desk.cursors.get(self.subject(content_type)).await?;
        Ok(text.and_then(|text| text.parse().ok()))
    }

    pub(super) fn window<'a>(&'a self, content_type: &'a str, window: Window) -> CoverageRange<'a> {
        CoverageRange {
            tenant_id: &self.desk.tenant_id,
            source: SOURCE,
            kind: "window",
            subject: content_type,
            from: window.from_us,
            to: window.to_us,
        }
    }

    /// Name of a content type's cursor.
    pub(super) fn subject(&self, content_type: &str) -> String {
        format!("{SOURCE}/{}/{content_type}", self.desk.tenant_id)
    }
}
