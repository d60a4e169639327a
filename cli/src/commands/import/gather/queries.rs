//! The questions of a report to the lake, as text. Pure.

use lake::literals;
use report::EntityKind;
use schemas::tables::Table;

/// Most alerts that a report takes.
pub(super) const ALERTS_MAX: usize = 20_000;

/// Most domains of one table that are counted for the tenants' names.
const DOMAINS_MAX: usize = 1_000;

/// Columns of events that tell something to a person, the most telling first.
pub(super) const TELLING: &[&str] = &[
    "parameters",
    "modified_properties",
    "operation_properties",
    "target",
    "target_display_name",
    "target_user_principal_name",
    "request_uri",
    "risk_level",
    "risk_state",
    "risk_detail",
    "description",
    "result_status",
    "result_type",
    "result",
    "result_reason",
    "result_description",
    "failure_reason",
    "logon_error",
    "response_status_code",
    "additional_details",
    "additional_info",
    "mailbox_owner",
    "source_file_name",
    "source_relative_url",
    "site_url",
    "object_id",
    "resource_display_name",
    "resource_id",
    "app_display_name",
    "app_id",
    "client_app_id",
    "service_principal_name",
    "country",
    "city",
    "device_id",
    "operating_system",
    "browser",
    "client_app_used",
    "authentication_protocol",
    "authentication_requirement",
    "conditional_access_status",
    "session_id",
    "user_agent",
    "alert_category",
    "status",
    "scopes",
    "roles",
];

/// Columns that name what was done, the first that has a value.
pub(super) const OPERATION: &[&str] = &[
    "operation",
    "activity_display_name",
    "title",
    "risk_event_type",
    "request_method",
    "operation_name",
];

/// Columns that name the account, the first that has a value.
pub(super) const ACCOUNT: &[&str] = &["user_principal_name", "user_id", "caller"];

/// The tenants that are asked about, as a condition.
pub(super) struct Tenants(String);

impl Tenants {
    /// None if there are none.
    pub(super) fn new(ids: &[String]) -> Option<Self> {
        (!ids.is_empty()).then(|| Self(format!("tenant_id IN ({})", literals(ids))))
    }

    /// What each alert says now, the most severe first; one more than a report takes, to tell that there are more.
    pub(super) fn alerts(&self) -> String {
        format!(
            "SELECT * FROM alerts_current WHERE alert_state <> 'withdrawn' AND {} ORDER BY CASE alert_severity \
             WHEN 'critical' THEN 0 WHEN 'high' THEN 1 WHEN 'medium' THEN 2 WHEN 'low' THEN 3 ELSE 4 END, \
             event_time, alert_id LIMIT {}",
            self.0,
            ALERTS_MAX + 1
        )
    }

    /// How many rows a table has, and from when to when.
    pub(super) fn table(&self, table: Table) -> String {
        format!(
            "SELECT count(*) AS records, min(event_time) AS first_time, max(event_time) AS last_time FROM {table} \
             WHERE {}",
            self.0
        )
    }

    /// Rows by day.
    pub(super) fn days(&self, table: Table) -> String {
        format!(
            "SELECT day, count(*) AS records FROM {table} WHERE {} GROUP BY day ORDER BY day",
            self.0
        )
    }

    /// Events by their ids.
    pub(super) fn events(&self, table: Table, ids: &[&String]) -> String {
        let mut columns = vec!["event_id", "event_time"];
        let named = table.record_columns().iter().map(|column| column.name);
        columns.extend(named.filter(|name| {
            [TELLING, OPERATION, ACCOUNT, &["ip_address"]]
                .iter()
                .any(|wanted| wanted.contains(name))
        }));
        format!(
            "SELECT {} FROM {table} WHERE {} AND event_id IN ({})",
            columns.join(", "),
            self.0,
            literals(ids)
        )
    }

    /// Domains of accounts by how many records name them; none for a table without accounts' names.
    pub(super) fn domains(&self, table: Table) -> Option<String> {
        let column = column_of(table, EntityKind::User)?;
        Some(format!(
            "SELECT tenant_id, split_part(lower({column}), '@', 2) AS domain, count(*) AS records FROM {table} \
             WHERE {} AND strpos({column}, '@') > 0 GROUP BY 1, 2 ORDER BY 3 DESC LIMIT {DOMAINS_MAX}",
            self.0
        ))
    }

    /// How often a table names entities; none if it has no such column, or nothing is asked for.
    pub(super) fn sightings(
        &self,
        table: Table,
        kind: EntityKind,
        values: &[String],
    ) -> Option<String> {
        let column = column_of(table, kind).filter(|_| !values.is_empty())?;
        Some(format!(
            "SELECT lower({column}) AS value, count(*) AS records, min(event_time) AS first_time, \
             max(event_time) AS last_time FROM {table} WHERE {} AND lower({column}) IN ({}) GROUP BY 1",
            self.0,
            literals(values)
        ))
    }
}

/// The column of a table that names entities of a kind.
fn column_of(table: Table, kind: EntityKind) -> Option<&'static str> {
    let names: &[&str] = match kind {
        EntityKind::User => ACCOUNT,
        EntityKind::Address => &["ip_address"],
        EntityKind::Session => &["session_id"],
        EntityKind::Application => &["app_id"],
    };
    let columns = table.record_columns();
    names
        .iter()
        .copied()
        .find(|name| columns.iter().any(|column| column.name == *name))
}

#[cfg(test)]
mod tests {
    use schemas::tables::Table;

    use super::{OPERATION, TELLING, Tenants, column_of};
    use report::EntityKind;

    #[test]
    fn text_of_a_tenant_stays_within_its_quotation_marks() {
        let tenants = Tenants::new(&["t'; --".to_owned()]).unwrap();
        let query = tenants.events(Table::Signins, &[&"x' OR '1'='1".to_owned()]);
        assert!(
            query.ends_with("tenant_id IN ('t''; --') AND event_id IN ('x'' OR ''1''=''1')"),
            "{query}"
        );
        assert!(Tenants::new(&[]).is_none());
    }

    #[test]
    fn every_column_that_is_asked_for_stands_in_some_table() {
        let known: Vec<&str> = Table::EVENTS
            .iter()
            .flat_map(|table| table.record_columns())
            .map(|column| column.name)
            .collect();
        for name in TELLING.iter().chain(OPERATION) {
            assert!(known.contains(name), "{name}");
        }
        assert_eq!(
            column_of(Table::M365Activity, EntityKind::User),
            Some("user_id")
        );
        assert_eq!(
            column_of(Table::Signins, EntityKind::User),
            Some("user_principal_name")
        );
        assert_eq!(column_of(Table::GraphAlerts, EntityKind::Session), None);
    }
}
