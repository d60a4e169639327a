//! Rows that rules about another table matched, told again as rows of that table: acts of Entra in the unified audit
//! log, and new content of known events.
//!
//! The evidence stays the row of the file. A sign-in has the id that it has in Entra's own log, so that the same rule
//! makes the same alert of both.

use std::collections::HashMap;

use arrow::record_batch::RecordBatch;
use columns::retold::{retold, retold_event};
use schemas::tables::Table;
use schemas::wire::Event;

use super::{Evaluation, Findings, Hit};
use crate::error::DetectError;
use crate::rule_scan::revised;
use crate::stored_event::event;

impl Evaluation<'_> {
    /// What hits of rules about the table `told` mean.
    pub(super) fn told_again(
        &self,
        told: Table,
        batch: &RecordBatch,
        hits: &[Hit],
        findings: &mut Findings,
    ) -> Result<(), DetectError> {
        // Each row once, however many rules matched it.
        let mut events: Vec<Event> = Vec::new();
        let mut told_rows: HashMap<u64, Option<usize>> = HashMap::new();
        for hit in hits {
            told_rows.entry(hit.place).or_insert_with(|| {
                let event = self.event_of(batch, hit.row, told)?;
                events.push(event);
                Some(events.len() - 1)
            });
        }
        let made = columns::event_batch(told, &events)
            .map_err(|cause| DetectError::evaluate(self.table, cause))?;
        for hit in hits {
            if let Some(row) = told_rows.get(&hit.place).copied().flatten() {
                self.found(told, &made, Hit { row, ..*hit }, findings);
            }
        }
        Ok(())
    }

    /// The event in a row as one of the table `told`; none if it is not told as that.
    fn event_of(&self, batch: &RecordBatch, row: usize, told: Table) -> Option<Event> {
        if self.table == Table::Revisions && revised(batch, row) == Some(told) {
            return Some(event(batch, row));
        }
        retold_event(&event(batch, row), told)
    }
}

/// The id by which an alert names the event in a row that is told again, if it is one.
pub(crate) fn told_id(batch: &RecordBatch, row: usize) -> Option<String> {
    let record = serde_json::from_slice(&event(batch, row).raw).ok()?;
    retold(&record).map(|retold| retold.event_id)
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use schemas::tables::Table;
    use schemas::wire::Event;
    use serde_json::{Value, json};
    use sigma::Ruleset;

    use super::super::Evaluation;
    use crate::alert::Origin;
    use crate::rules::builtin;

    const TENANT: &str = "7f3c1d52-0000-4000-8000-00000000c0de";

    /// What is found: the rule, the event that it names, and the table of its row.
    fn found(table: Table, records: &[Value]) -> BTreeSet<(String, String, String)> {
        let rules = Ruleset::compile(&mut builtin());
        let events: Vec<Event> = records
            .iter()
            .map(|record| Event {
                tenant_id: TENANT.to_owned(),
                event_id: record["Id"]
                    .as_str()
                    .or(record["id"].as_str())
                    .unwrap()
                    .to_owned(),
                event_time_us: Some(1_789_000_000_000_000),
                ingest_time_us: 1_789_000_001_000_000,
                raw: record.to_string().into_bytes().into(),
                ..Event::default()
            })
            .collect();
        let origin = Origin {
            table: table.name().to_owned(),
            tenant_id: TENANT.to_owned(),
            file: "a.parquet".to_owned(),
            version: 1,
        };
        let evaluation = Evaluation {
            rules: &rules,
            table,
            origin: &origin,
            now_us: 1_789_000_002_000_000,
        };
        let batch = columns::event_batch(table, &events).unwrap();
        let findings = evaluation.batch(&batch).unwrap();
        let alerts = findings.alerts.iter().map(|alert| {
            let evidence = &alert.evidence[0];
            (
                alert.rule_id.clone(),
                evidence.event_id.clone(),
                evidence.table.clone(),
            )
        });
        let signals = findings.signals.iter().map(|signal| {
            let evidence = &signal.evidence[0];
            let (event_id, table) = (evidence.event_id.to_string(), evidence.table.to_string());
            (signal.rule_id.to_string(), event_id, table)
        });
        alerts.chain(signals).collect()
    }

    #[test]
    fn a_sign_in_that_two_logs_tell_is_one_and_the_same_to_every_rule() {
        let told = json!({
            "Id": "u1", "IntraSystemId": "s1", "CreationTime": "2026-09-14T08:07:00", "Operation": "UserLoginFailed",
            "OrganizationId": TENANT, "RecordType": 15, "Workload": "AzureActiveDirectory", "ErrorNumber": "50057",
            "LogonError": "UserDisabled", "UserId": "ada@contoso.test", "ClientIP": "203.0.113.57",
        });
        let own = json!({
            "id": "s1", "category": "SignInLogs", "operationName": "Sign-in activity", "resultType": "50057",
            "properties": {"id": "s1", "userPrincipalName": "ada@contoso.test", "ipAddress": "203.0.113.57"},
        });
        let by_audit_log = found(Table::M365Activity, std::slice::from_ref(&told));
        let by_own_log = found(Table::Signins, &[own]);
        let ids = |found: &BTreeSet<(String, String, String)>| -> BTreeSet<String> {
            found
                .iter()
                .map(|(rule, id, _)| format!("{rule} {id}"))
                .collect()
        };
        assert!(!by_own_log.is_empty());
        assert_eq!(ids(&by_audit_log), ids(&by_own_log));
        // The evidence is where the record is.
        assert!(
            by_audit_log
                .iter()
                .all(|(_, _, table)| table == "m365_activity")
        );
        let mut elsewhere = told;
        elsewhere["Workload"] = json!("Exchange");
        assert_eq!(found(Table::M365Activity, &[elsewhere]), BTreeSet::new());
    }
}
