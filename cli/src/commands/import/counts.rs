//! How many rows the tables have, and how many are new although others were taken out meanwhile.

use std::collections::BTreeMap;

use anyhow::Context as _;
use lake::Lake;
use schemas::tables::Table;
use schemas::wire::Coverage;
use sigma::plan::fields::text;

use crate::config::Config;

/// Rows that the ledger says were taken out of tables, because their file could not be read.
const TAKEN_OUT: &str = "SELECT * FROM coverage \
                         WHERE coverage_state = 'lost' AND source = 'lake' AND coverage_kind = 'file'";

/// Alerts, however often each was told anew: the table has a row for each time.
const ALERTS: &str = "SELECT count(DISTINCT alert_id) AS alerts FROM alerts";

/// Rows of each table at one time.
#[derive(Debug, Default)]
pub(super) struct Counts {
    /// None for a table whose log cannot be read.
    rows: BTreeMap<Table, Option<u64>>,
    taken_out: BTreeMap<Table, u64>,
    /// None where they cannot be read.
    alerts: Option<u64>,
}

impl Counts {
    /// Counts them; a table that cannot be read is for the lake's stage to mend or to tell of.
    pub(super) async fn of(config: &Config) -> anyhow::Result<Self> {
        let lake = Lake::open(&config.lake()).context("could not open the lake")?;
        let mut counts = Self::default();
        for table in Table::ALL {
            counts.rows.insert(*table, lake.count(*table).await.ok());
        }
        if let Ok((lines, damaged)) = lake.rows::<Coverage>(TAKEN_OUT).await {
            for line in &lines {
                counts.note(line);
            }
            for error in damaged {
                tracing::warn!(%error, "a line of the ledger is not counted");
            }
        }
        if let Ok((_, batches)) = lake.query_all(ALERTS).await {
            let alerts = batches.first().and_then(|batch| text(batch, "alerts", 0));
            counts.alerts = alerts.and_then(|alerts| alerts.parse().ok());
        }
        Ok(counts)
    }

    /// How many alerts are new since then, and how often one was amended or withdrawn.
    pub(super) fn alerts_since(&self, before: &Self) -> String {
        let told = self.added_since(before, Table::Alerts);
        let (Some(now), Some(then), Some(told)) = (self.alerts, before.alerts, told) else {
            return "an unknown number of alerts".to_owned();
        };
        let new = now.saturating_sub(then);
        match told.saturating_sub(new) {
            0 => format!("{new} alerts"),
            changes => format!("{new} alerts ({changes} times amended or withdrawn)"),
        }
    }

    /// Notes a line of the ledger: `table/file` and the file's rows.
    fn note(&mut self, line: &Coverage) {
        let named = line.subject.split('/').next().unwrap_or_default();
        if let (Some(table), Ok(rows)) = (Table::of_name(named), u64::try_from(line.to))
            && !line.subject.ends_with("/_delta_log")
        {
            *self.taken_out.entry(table).or_default() += rows;
        }
    }

    fn taken_out(&self, table: Table) -> u64 {
        self.taken_out.get(&table).copied().unwrap_or(0)
    }

    /// Rows that are new since then; none if it is not known how many there were.
    pub(super) fn added_since(&self, before: &Self, table: Table) -> Option<u64> {
        let all = |counts: &Self| {
            let rows = counts.rows.get(&table).copied().flatten()?;
            Some(rows + counts.taken_out(table))
        };
        Some(all(self)?.saturating_sub(all(before)?))
    }

    /// What a person should know about the tables, a line each.
    pub(super) fn what_was_amiss(&self, before: &Self) -> Vec<String> {
        let mut lines = Vec::new();
        for table in Table::ALL {
            let now = self.rows.get(table).copied().flatten();
            if before.rows.get(table).copied().flatten().is_none() {
                let now = now.map_or_else(
                    || "an unknown number of".to_owned(),
                    |rows| rows.to_string(),
                );
                lines.push(format!(
                    "{table}: its log could not be read before the import, so how many rows are new is not known; it has \
                     {now} rows now"
                ));
            }
            let taken_out = self
                .taken_out(*table)
                .saturating_sub(before.taken_out(*table));
            if taken_out > 0 {
                lines.push(format!(
                    "{table}: {taken_out} rows of before could not be read any more and were taken out; vedette sql \
                     \"SELECT subject, detail FROM coverage WHERE coverage_state = 'lost'\""
                ));
            }
        }
        lines
    }
}

#[cfg(test)]
mod tests {
    use super::Counts;
    use schemas::tables::Table;
    use schemas::wire::Coverage;

    #[test]
    fn alerts_that_are_told_anew_are_counted_once() {
        let of = |alerts, rows| {
            let mut counts = Counts {
                alerts,
                ..Counts::default()
            };
            counts.rows.insert(Table::Alerts, Some(rows));
            counts
        };
        let since = |now: Counts| now.alerts_since(&of(Some(2), 3));
        assert_eq!(since(of(Some(5), 6)), "3 alerts");
        assert_eq!(
            since(of(Some(5), 9)),
            "3 alerts (3 times amended or withdrawn)"
        );
        assert_eq!(since(of(None, 9)), "an unknown number of alerts");
    }

    fn counts(rows: Option<u64>, lost: &[(&str, i64)]) -> Counts {
        let mut counts = Counts::default();
        counts
            .rows
            .extend(Table::ALL.iter().map(|table| (*table, Some(0))));
        counts.rows.insert(Table::Signins, rows);
        for (subject, rows) in lost {
            counts.note(&Coverage {
                subject: (*subject).to_owned(),
                to: *rows,
                ..Coverage::default()
            });
        }
        counts
    }

    #[test]
    fn rows_that_were_taken_out_are_not_taken_off_what_is_new() {
        let before = counts(Some(1_678), &[]);
        let after = counts(Some(1), &[("signins/tenant_id=t/a.parquet", 1_678)]);
        assert_eq!(after.added_since(&before, Table::Signins), Some(1));
        assert_eq!(after.what_was_amiss(&before).len(), 1);
        // The same file is not told again by the next import.
        assert!(after.what_was_amiss(&after).is_empty());
        let entry = counts(Some(7), &[("signins/_delta_log", 9)]);
        assert_eq!(
            entry.added_since(&counts(Some(7), &[]), Table::Signins),
            Some(0)
        );
    }

    #[test]
    fn a_log_that_could_not_be_read_leaves_the_number_unknown() {
        let (before, after) = (counts(None, &[]), counts(Some(7), &[]));
        assert_eq!(after.added_since(&before, Table::Signins), None);
        assert!(after.what_was_amiss(&before)[0].contains("it has 7 rows now"));
    }
}
