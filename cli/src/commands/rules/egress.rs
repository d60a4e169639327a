//! `vedette rules egress`: addresses that many accounts share, as proposals for the tenant's `egress`.
//!
//! Proposed and not applied: an address that a thief uses against many accounts looks the same for its first days, and
//! nothing is to be hidden before somebody has looked.

use std::collections::BTreeMap;
use std::io::Write;
use std::net::IpAddr;

use clap::Args;
use datafusion::arrow::record_batch::RecordBatch;
use schemas::environment::{Clock as _, SystemClock};
use serde_json::{Value, json};
use sigma::expression::Network;
use sigma::placeholders::{EGRESS, PlaceholderValues};
use sigma::plan::fields::text;

use crate::commands::{open_lake, runtime};
use crate::config::Config;
use crate::output::{self, Form, Printer, Table, Verdict, inert};

pub(crate) const EXAMPLES: &str = "\
Rules about places (impossible travel, a country that is new, a session in two countries) leave out what comes from
the tenant's own ways out: offices, private networks, security services. This lists candidates, those that are known
already left out, and the lines for the configuration. Look at each: attackers share addresses as well.

Examples:
  vedette rules egress
  vedette rules egress --accounts 25 --on-days 10 --days 60
  vedette rules egress --output json | jq -r .address";

/// Most addresses that are listed.
const ADDRESSES_MAX: usize = 1_000;

/// Proposes a tenant's own ways out.
#[derive(Debug, Args)]
pub(crate) struct Egress {
    /// Accounts that must have signed in from the address.
    #[arg(long, default_value_t = 10, value_parser = clap::value_parser!(u32).range(2..))]
    accounts: u32,
    /// Days on which they did; what is new is not proposed.
    #[arg(long, default_value_t = 7, value_parser = clap::value_parser!(u32).range(1..))]
    on_days: u32,
    /// Days before the newest sign-in that are looked at.
    #[arg(long, default_value_t = 30, value_parser = clap::value_parser!(u32).range(1..=3650))]
    days: u32,
    /// Form of the list.
    #[arg(long, short, value_enum, default_value_t = Form::Table)]
    output: Form,
}

/// An address that many accounts share.
struct Candidate {
    tenant_id: String,
    address: IpAddr,
    accounts: String,
    on_days: String,
    failed: String,
    risks: String,
    country: String,
    autonomous_system: String,
}

impl Egress {
    pub(super) fn run(self, config: &Config) -> anyhow::Result<Verdict> {
        let found = runtime()?.block_on(async {
            let (lake, _) = open_lake(config).await?;
            let (_, batches) = lake.query_all(&self.query(SystemClock.now_us())).await?;
            anyhow::Ok(batches)
        })?;
        let detect = config.detect();
        let known = |candidate: &Candidate| {
            let of_tenant = detect.tenants.get(&candidate.tenant_id);
            [Some(&detect.placeholders), of_tenant]
                .into_iter()
                .flatten()
                .flat_map(networks)
                .any(|network| network.contains(candidate.address))
        };
        let candidates: Vec<Candidate> = found
            .iter()
            .flat_map(candidates)
            .filter(|candidate| !known(candidate))
            .collect();
        let mut out = output::stdout();
        match self.output {
            Form::Table => self.write_table(&mut out, &candidates, &detect.tenants)?,
            form => out.list(&candidates.iter().map(row).collect::<Vec<_>>(), form)?,
        }
        Ok(Verdict::Done)
    }

    /// Sign-ins by address; who guesses passwords from one fails more than succeeds, and is shown so.
    fn query(&self, now_us: i64) -> String {
        format!(
            "WITH known AS (SELECT * FROM signins WHERE event_time <= to_timestamp_micros({now_us})),
             recent AS (
                SELECT tenant_id, ip_address, day, country, autonomous_system_number,
                       coalesce(user_id, user_principal_name) AS account, result_type = '0' AS is_success
                FROM known
                WHERE event_time >= (SELECT max(event_time) FROM known) - INTERVAL '{} days'
                  AND ip_address IS NOT NULL AND service_principal_id IS NULL),
             risks AS (SELECT tenant_id, ip_address, count(*) AS risks FROM risk_events GROUP BY 1, 2),
             shared AS (
                SELECT tenant_id, ip_address, count(DISTINCT account) FILTER (WHERE is_success) AS accounts,
                       count(DISTINCT day) FILTER (WHERE is_success) AS on_days,
                       count(*) FILTER (WHERE NOT is_success) AS failed,
                       max(country) AS country, max(autonomous_system_number) AS autonomous_system
                FROM recent GROUP BY 1, 2)
             SELECT shared.*, coalesce(risks.risks, 0) AS risks
             FROM shared LEFT JOIN risks USING (tenant_id, ip_address)
             WHERE accounts >= {} AND on_days >= {}
             ORDER BY tenant_id, accounts DESC, ip_address LIMIT {ADDRESSES_MAX}",
            self.days, self.accounts, self.on_days
        )
    }

    fn write_table(
        &self,
        out: &mut Printer<impl Write>,
        candidates: &[Candidate],
        tenants: &BTreeMap<String, PlaceholderValues>,
    ) -> anyhow::Result<()> {
        if candidates.is_empty() {
            writeln!(
                out,
                "No address has had sign-ins of {} accounts on {} days, beside those that are known.",
                self.accounts, self.on_days
            )?;
            return Ok(());
        }
        let header = "tenant,address,accounts,days,failed,risk events,country,autonomous system";
        let mut table = Table::new(header.split(','));
        let mut by_tenant: BTreeMap<&str, Vec<String>> = BTreeMap::new();
        for one in candidates {
            table.row([
                one.tenant_id.clone(),
                one.address.to_string(),
                one.accounts.clone(),
                one.on_days.clone(),
                one.failed.clone(),
                one.risks.clone(),
                one.country.clone(),
                one.autonomous_system.clone(),
            ]);
            let own = by_tenant.entry(&one.tenant_id).or_insert_with(|| {
                let configured = tenants.get(&one.tenant_id).and_then(|one| one.get(EGRESS));
                configured.cloned().unwrap_or_default()
            });
            own.push(network_of(one.address));
        }
        out.table(&table)?;
        writeln!(
            out,
            "If they are the tenant's own, in its table [[tenants]]:"
        )?;
        for (tenant_id, networks) in by_tenant {
            let quoted: Vec<String> = networks.iter().map(|one| format!("\"{one}\"")).collect();
            writeln!(out, "# {}", inert(tenant_id))?;
            writeln!(out, "egress = [{}]", quoted.join(", "))?;
        }
        Ok(())
    }
}

fn networks(values: &PlaceholderValues) -> impl Iterator<Item = Network> + '_ {
    let all = values.get(EGRESS).into_iter().flatten();
    all.filter_map(|text| Network::parse(text))
}

/// The address alone, as a network.
fn network_of(address: IpAddr) -> String {
    let bits = if address.is_ipv4() { 32 } else { 128 };
    format!("{address}/{bits}")
}

fn candidates(batch: &RecordBatch) -> impl Iterator<Item = Candidate> + '_ {
    (0..batch.num_rows()).filter_map(move |row| {
        let cell = |name: &str| text(batch, name, row).unwrap_or_default();
        Some(Candidate {
            tenant_id: cell("tenant_id"),
            address: cell("ip_address").parse().ok()?,
            accounts: cell("accounts"),
            on_days: cell("on_days"),
            failed: cell("failed"),
            risks: cell("risks"),
            country: cell("country"),
            autonomous_system: cell("autonomous_system"),
        })
    })
}

fn row(one: &Candidate) -> Value {
    let count = |text: &str| text.parse::<u64>().ok();
    json!({
        "tenant_id": one.tenant_id,
        "address": one.address,
        "network": network_of(one.address),
        "accounts": count(&one.accounts),
        "days": count(&one.on_days),
        "failed": count(&one.failed),
        "risk_events": count(&one.risks),
        "country": one.country,
        "autonomous_system": count(&one.autonomous_system),
    })
}
