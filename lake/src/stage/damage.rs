//! What cannot be read is taken out of its table, kept aside, and written into the ledger; the rest goes on.

use std::path::Path;

use schemas::coverage::{CoverageRange, CoverageState, Published};
use schemas::fate::chain;
use schemas::tables::Table;
use tokio::task::spawn_blocking;

use super::Stage;
use crate::delta::{DataFile, Proposal, mend};
use crate::error::LakeError;
use columns::derived::DerivedRow as _;
use columns::{Row, day_text};

/// How often a file must prove to be unreadable before it is taken out; a pause is between two tries.
const READ_TRIES_MAX: u32 = 3;

/// Most files whose failed reads are counted.
const UNREADABLE_MAX: usize = 1_000;

impl Stage {
    /// Notes that a file could not be read, and takes it out of its table where that is proven; true if it was taken out.
    pub(super) async fn meet_unreadable(&mut self, error: &LakeError) -> Result<bool, LakeError> {
        let Some(path) = error.unreadable_file() else {
            return Ok(false);
        };
        if self.unreadable.len() >= UNREADABLE_MAX {
            self.unreadable.clear();
        }
        let tries = self.unreadable.entry(path.to_owned()).or_default();
        *tries += 1;
        if *tries < READ_TRIES_MAX {
            return Ok(false);
        }
        let path = path.to_owned();
        for table in Table::ALL {
            let Some(writer) = self.writers.get(table) else {
                continue;
            };
            let root = writer.live().lock().await.root().to_owned();
            if let Some(name) = path.strip_prefix(&root).ok().and_then(Path::to_str) {
                self.set_aside(*table, name, &chain(error)).await?;
                self.unreadable.remove(&path);
                return Ok(true);
            }
        }
        Ok(false)
    }

    /// Takes a file out of its table: the ledger says so first, then the log, then it is moved.
    async fn set_aside(&mut self, table: Table, name: &str, why: &str) -> Result<(), LakeError> {
        let Some(live) = self.writers.get(&table).map(|writer| writer.live().clone()) else {
            return Ok(());
        };
        let (file, root) = {
            let mut live = live.lock().await;
            live.refresh().await?;
            (
                live.snapshot().files.get(name).cloned(),
                live.root().to_owned(),
            )
        };
        // Compaction may have replaced it meanwhile.
        let Some(file) = file else { return Ok(()) };
        let row = self.lost_rows(table, &file, why);
        // The ledger itself can only be told what its own file held once that file is out of it.
        if table != Table::Coverage {
            self.tell(row.clone()).await?;
        }
        let proposal = Proposal {
            removed: vec![name.to_owned()],
            ..Proposal::default()
        };
        match live
            .lock()
            .await
            .commit(&proposal, self.clock.now_us())
            .await
        {
            Err(LakeError::Replaced { .. }) => return Ok(()),
            other => other?,
        };
        if let Some(writer) = self.writers.get_mut(&table) {
            writer.forget_identities();
        }
        if table == Table::Coverage {
            self.tell(row).await?;
        }
        let path = root.join(name);
        // It is out of the table already; that it cannot be moved, as when it is gone, changes nothing.
        match spawn_blocking(move || mend::set_aside(&root, &path)).await? {
            Ok(kept) => tracing::info!(kept = %kept.display(), "the damaged file is kept"),
            Err(error) => tracing::warn!(error = chain(&error), "could not keep the damaged file"),
        }
        metrics::counter!("lake_files_set_aside_total", "table" => table.name()).increment(1);
        Ok(())
    }

    fn lost_rows(&self, table: Table, file: &DataFile, why: &str) -> Row {
        let rows = file.rows.unwrap_or(0);
        let detail = format!(
            "lost {rows} rows of {} of file {table}/{}: {why}",
            day_text(file.day),
            file.path
        );
        tracing::error!(%table, file = file.path, tenant_id = file.tenant_id, "{detail}");
        let range = CoverageRange {
            tenant_id: &file.tenant_id,
            source: "lake",
            kind: "file",
            subject: &format!("{table}/{}", file.path),
            from: 0,
            to: i64::try_from(rows).unwrap_or(i64::MAX),
        };
        let now_us = self.clock.now_us();
        range
            .line(CoverageState::Lost, Published::default(), &detail, now_us)
            .to_row()
    }

    /// Writes into the ledger what had to be taken out of the logs of tables.
    pub(super) async fn tell_mended(&mut self) -> Result<(), LakeError> {
        let mut rows = Vec::new();
        for (table, writer) in &self.writers {
            // Who holds it now is asked the next time.
            let Ok(mut live) = writer.live().try_lock() else {
                continue;
            };
            for mended in live.take_mended() {
                let range = CoverageRange {
                    tenant_id: "",
                    source: "lake",
                    kind: "file",
                    subject: &format!("{table}/_delta_log"),
                    from: mended.version,
                    to: mended.version.saturating_add(1),
                };
                let now_us = self.clock.now_us();
                let (lost, none) = (CoverageState::Lost, Published::default());
                rows.push(range.line(lost, none, &mended.to_string(), now_us).to_row());
            }
        }
        for row in rows {
            self.tell(row).await?;
        }
        Ok(())
    }

    async fn tell(&mut self, row: Row) -> Result<(), LakeError> {
        let mut tries = 0;
        let (now_us, rows) = (self.clock.now_us(), vec![row].into());
        while let Some(ledger) = self.writers.get_mut(&Table::Coverage) {
            match ledger.commit_beside(&rows, &[], now_us).await {
                Ok(_) => break,
                // A damaged file of the ledger must not keep the ledger from growing.
                Err(error) if error.unreadable_file().is_some() && tries >= READ_TRIES_MAX => {
                    tracing::error!(error = chain(&error), "the ledger could not be told");
                    break;
                }
                Err(error) => self.wait_after(error, tries).await?,
            }
            tries += 1;
            if self.stop.is_cancelled() {
                break;
            }
        }
        Ok(())
    }
}
