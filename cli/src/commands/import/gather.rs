//! What the lake has for a report: alerts of some tenants, the events behind them, and how far its records reach.
//!
//! ```text
//! alerts ─▶ events of those that are shown in full ─▶ entities in them ─▶ how often the lake names each
//! tables ─▶ rows, days and spans
//! ```
//! Every query is bounded: by the alerts, events and entities that the page can show.

mod cells;
mod queries;

use std::collections::{BTreeMap, BTreeSet};

use anyhow::Context as _;
use datafusion::arrow::record_batch::RecordBatch;
use lake::Lake;
use report::{DayLine, EntityKind, EventLine, Report, Sighting, TableLine, Tenant};
use schemas::tables::Table;
use sigma::RuleCollection;
use sigma::metadata::attack::TACTICS;

use queries::{ALERTS_MAX, Tenants};

/// Most events that one query asks for.
const EVENTS_PER_QUERY: usize = 500;

/// Fills what a report takes from the lake: alerts, events, tables, days, sightings and the names of tenants.
///
/// # Errors
/// If the lake cannot be read.
pub(super) async fn gather(lake: &Lake, tenant_ids: &[String]) -> anyhow::Result<Report> {
    let mut report = Report::default();
    let Some(tenants) = Tenants::new(tenant_ids) else {
        return Ok(report);
    };
    let lake = Asked { lake, tenants };
    lake.alerts(&mut report).await?;
    lake.tables(&mut report).await?;
    report.tenants = lake.names(tenant_ids, &report.tables).await?;
    for (table, ids) in report::evidence_in_full(&report) {
        if let Some(table) = Table::of_name(&table) {
            let events = lake.events(table, &ids).await?;
            report.events.extend(events);
        }
    }
    let wanted = report::listed(&report);
    report.sightings = lake.sightings(&wanted, &report.tables).await?;
    Ok(report)
}

/// What to read about the rules, how many there are, and the order of their tactics; a remark where some were refused.
pub(super) fn describe_rules(report: &mut Report, collection: &RuleCollection) {
    let rules = collection
        .loaded
        .iter()
        .map(|rule| (&rule.id, &rule.sigma.references));
    let correlations = collection.correlations.iter();
    let correlations = correlations.map(|rule| (&rule.id, &rule.sigma.references));
    report.references = rules
        .chain(correlations)
        .filter(|(_, references)| !references.is_empty())
        .map(|(id, references)| (id.clone(), references.clone()))
        .collect();
    report.tactics = TACTICS.iter().map(|&tactic| tactic.to_owned()).collect();
    report.made.rules = (collection.loaded.len() + collection.correlations.len()) as u64;
    match collection.rejected.len() {
        0 => {}
        1 => report.remarks.push(
            "One rule was refused and did not run; `vedette rules list` names it and says why."
                .to_owned(),
        ),
        many => report.remarks.push(format!(
            "{many} rules were refused and did not run; `vedette rules list` names them and says why."
        )),
    }
}

/// A lake that is asked about some tenants only.
struct Asked<'a> {
    lake: &'a Lake,
    tenants: Tenants,
}

impl Asked<'_> {
    async fn ask(&self, query: &str) -> anyhow::Result<Vec<RecordBatch>> {
        let (_, batches) = self
            .lake
            .query_all(query)
            .await
            .context("could not ask the lake for the report")?;
        Ok(batches)
    }

    async fn alerts(&self, report: &mut Report) -> anyhow::Result<()> {
        // The table has no time of the last event: the report takes it from the events.
        let (alerts, damaged) = self
            .lake
            .rows(&self.tenants.alerts())
            .await
            .context("could not ask the lake for the report's alerts")?;
        report.alerts = alerts;
        if let Some(first) = damaged.first() {
            report.remarks.push(format!(
                "{} alerts of the lake cannot be read and are not in this report; the first: {first}",
                damaged.len()
            ));
        }
        if report.alerts.len() > ALERTS_MAX {
            report.alerts.truncate(ALERTS_MAX);
            report.remarks.push(format!(
                "The lake has more than {ALERTS_MAX} alerts; only the {ALERTS_MAX} most severe, the earliest of \
                 them first, were taken into this report."
            ));
        }
        Ok(())
    }

    async fn tables(&self, report: &mut Report) -> anyhow::Result<()> {
        for table in Table::EVENTS {
            let batches = self.ask(&self.tenants.table(*table)).await?;
            let line = cells::rows(&batches, |batch, row| TableLine {
                table: table.name().to_owned(),
                rows: cells::number(batch, "records", row),
                first_us: cells::time(batch, "first_time", row),
                last_us: cells::time(batch, "last_time", row),
            });
            let Some(line) = line.into_iter().find(|line| line.rows > 0) else {
                continue;
            };
            // A list of users or groups has no times, so no day of it can be missing.
            if line.first_us.is_some() {
                let batches = self.ask(&self.tenants.days(*table)).await?;
                report
                    .days
                    .extend(cells::rows(&batches, |batch, row| DayLine {
                        table: table.name().to_owned(),
                        day: cells::text(batch, "day", row),
                        rows: cells::number(batch, "records", row),
                    }));
            }
            report.tables.push(line);
        }
        Ok(())
    }

    async fn events(&self, table: Table, ids: &BTreeSet<String>) -> anyhow::Result<Vec<EventLine>> {
        let ids: Vec<&String> = ids.iter().collect();
        let mut events = Vec::new();
        for ids in ids.chunks(EVENTS_PER_QUERY) {
            let batches = self.ask(&self.tenants.events(table, ids)).await?;
            events.extend(cells::rows(&batches, |batch, row| {
                cells::event(table, batch, row)
            }));
        }
        Ok(events)
    }

    /// The tenants, each with the domain that most of its records name.
    async fn names(&self, ids: &[String], tables: &[TableLine]) -> anyhow::Result<Vec<Tenant>> {
        let mut counts: BTreeMap<(String, String), u64> = BTreeMap::new();
        for table in filled(tables) {
            let Some(query) = self.tenants.domains(table) else {
                continue;
            };
            let batches = self.ask(&query).await?;
            for (tenant, domain, records) in cells::rows(&batches, |batch, row| {
                let cell = |name| cells::text(batch, name, row);
                let records = cells::number(batch, "records", row);
                (cell("tenant_id"), cell("domain"), records)
            }) {
                *counts.entry((tenant, domain)).or_default() += records;
            }
        }
        let name = |id: &String| {
            let of_tenant = counts
                .iter()
                .filter(|((tenant, domain), _)| tenant == id && domain.contains('.'));
            let most = of_tenant.max_by_key(|(_, records)| **records);
            most.map(|((_, domain), _)| domain.clone())
        };
        Ok(ids
            .iter()
            .map(|id| Tenant {
                id: id.clone(),
                name: name(id).unwrap_or_default(),
            })
            .collect())
    }

    async fn sightings(
        &self,
        wanted: &BTreeMap<EntityKind, Vec<String>>,
        tables: &[TableLine],
    ) -> anyhow::Result<Vec<Sighting>> {
        let mut sums: BTreeMap<(EntityKind, String), Sighting> = BTreeMap::new();
        for table in filled(tables) {
            for (kind, values) in wanted {
                let Some(query) = self.tenants.sightings(table, *kind, values) else {
                    continue;
                };
                let batches = self.ask(&query).await?;
                for seen in cells::rows(&batches, |batch, row| cells::sighting(*kind, batch, row)) {
                    let key = (*kind, seen.value.clone());
                    match sums.remove(&key) {
                        Some(sum) => sums.insert(key, added(sum, &seen)),
                        None => sums.insert(key, seen),
                    };
                }
            }
        }
        Ok(sums.into_values().collect())
    }
}

fn filled(tables: &[TableLine]) -> impl Iterator<Item = Table> {
    tables.iter().filter_map(|line| Table::of_name(&line.table))
}

/// What two tables have of one entity.
fn added(sum: Sighting, seen: &Sighting) -> Sighting {
    Sighting {
        records: sum.records.saturating_add(seen.records),
        first_us: [sum.first_us, seen.first_us].into_iter().flatten().min(),
        last_us: sum.last_us.max(seen.last_us),
        ..sum
    }
}

#[cfg(test)]
mod tests {
    use super::{EntityKind, Sighting, added};

    #[test]
    fn what_two_tables_have_adds_up() {
        let seen = |records, first_us, last_us| Sighting {
            kind: EntityKind::Address,
            value: "192.0.2.7".to_owned(),
            records,
            first_us,
            last_us,
        };
        let sum = added(seen(2, Some(5), Some(6)), &seen(3, None, Some(9)));
        assert_eq!(
            (sum.records, sum.first_us, sum.last_us),
            (5, Some(5), Some(9))
        );
    }
}
