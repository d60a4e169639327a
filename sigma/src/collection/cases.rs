//! Runs the cases beside a rule or correlation: what must alert, and what must not.

use std::collections::BTreeMap;
use std::net::IpAddr;
use std::sync::Arc;

use arrow::error::ArrowError;
use arrow::record_batch::RecordBatch;
use columns::retold::retold_event;
use rsigma_parser::Timespan;
use schemas::tables::Table;
use schemas::wire::Event;
use serde_json::Value;

use super::load::RuleCollection;
use super::rule::Rule;
use super::ruleset::{CompileContext, Ruleset};
use crate::correlation::{Correlation, Correlator, Evidence, Signal, Subject, matched};
use crate::error::RuleError;
use crate::geo::{GeoLocation, GeoLocator};
use crate::mapping::retold::{TELLER, TOLD};
use crate::mapping::{Mapping, UserMapping};
use crate::metadata::{Case, CaseEvent};
use crate::placeholders::{ACCEPTED_DOMAINS, EGRESS, PlaceholderValues, Placeholders};
use crate::plan::chunk::Batch;
use crate::plan::{Plan, event_batch, fields};

/// When cases over time begin: a Monday at nine, so that half a day fits into one period.
const BEGIN_US: i64 = 1_767_603_600_000_000;

/// Whose the records of cases are.
pub const TENANT: &str = "cases";

impl RuleCollection {
    /// Gives rules what cases take for granted: the domain of [`TENANT`], its office, and places of some addresses.
    ///
    /// | | |
    /// |---|---|
    /// | accepted domain | `contoso.test` |
    /// | egress | `192.0.2.0/24` |
    /// | Amsterdam, autonomous system 64500 | `203.0.113.0/25` |
    /// | a data centre of Microsoft's there, 8075 | `203.0.113.128/25` |
    /// | Lagos, 64501 | `198.51.100.0/25` |
    pub fn for_cases(&mut self) {
        let tenants = &mut self.placeholders.tenants;
        tenants.insert(TENANT.to_owned(), values());
        self.places = Some(Arc::new(Documented));
    }
}

fn values() -> PlaceholderValues {
    [(ACCEPTED_DOMAINS, "contoso.test"), (EGRESS, "192.0.2.0/24")]
        .map(|(name, value)| (name.to_owned(), vec![value.to_owned()]))
        .into()
}

/// Places of addresses that are kept for documentation (RFC 5737).
#[derive(Debug)]
struct Documented;

impl GeoLocator for Documented {
    fn place(&self, address: IpAddr) -> GeoLocation {
        let IpAddr::V4(address) = address else {
            return GeoLocation::default();
        };
        let (country, coordinates, autonomous_system) = match address.octets() {
            [203, 0, 113, 0..=127] => ("NL", (52.37, 4.89), 64_500),
            [203, 0, 113, 128..=255] => ("NL", (52.37, 4.89), 8_075),
            [198, 51, 100, 0..=127] => ("NG", (6.52, 3.38), 64_501),
            _ => return GeoLocation::default(),
        };
        GeoLocation {
            country: Some(country.to_owned()),
            coordinates: Some(coordinates),
            autonomous_system: Some(autonomous_system),
        }
    }
}

/// Most repetitions of a record.
const TIMES_MAX: u32 = 10_000;

/// A case that did not come out as it says.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{file}: case \"{case}\" expects {expected} alerts, {found}")]
pub struct CaseFailure {
    /// The rule's file.
    pub file: String,
    /// The case's name.
    pub case: String,
    /// What it expects.
    pub expected: u8,
    /// What came out: a number, or why there is none.
    pub found: String,
}

/// Runs all cases of a rule; empty if all came out as they say.
///
/// A rule needs a case that alerts and one that does not.
pub fn check_cases(rule: &Rule) -> Vec<CaseFailure> {
    check_cases_with(rule, &Arc::default())
}

/// As [`check_cases`], with a user's names of fields before our own.
pub fn check_cases_with(rule: &Rule, user_mapping: &Arc<UserMapping>) -> Vec<CaseFailure> {
    let places: Arc<dyn GeoLocator> = Arc::new(Documented);
    let context = CompileContext {
        user_mapping,
        places: Some(&places),
    };
    let ready = expanded(rule).and_then(|rule| {
        let rules = match rule.own_correlation {
            Some(_) => Some(Ruleset::alone(&rule, &context)?),
            None => None,
        };
        Ok((rule, rules))
    });
    match &ready {
        Ok((rule, None)) => check(&rule.file, &rule.cases, |case| {
            alerts(rule, case, user_mapping)
        }),
        Ok((rule, Some(rules))) => check(&rule.file, &rule.cases, |case| {
            alerts_over_time(rules, &rule.id, case, rule.table)
        }),
        Err(reason) => check(&rule.file, &rule.cases, |_| Err(reason.to_string())),
    }
}

/// The rule with what the tenant of cases has for its placeholders.
fn expanded(rule: &Rule) -> Result<Rule, RuleError> {
    let placeholders = Placeholders {
        tenants: [(TENANT.to_owned(), values())].into(),
        ..Placeholders::default()
    };
    let mut rule = rule.clone();
    rule.sigma.detection = placeholders.expand(&rule.sigma.detection)?;
    Ok(rule)
}

/// Runs all cases of a correlation, with the rules that it refers to; empty if all came out as they say.
///
/// `rules` come of a collection [`RuleCollection::for_cases`].
pub fn check_correlation(correlation: &Correlation, rules: &Ruleset) -> Vec<CaseFailure> {
    let definitions = rules.compiled_correlations().definitions();
    let first = first_rule(definitions, &correlation.id);
    let table = rules
        .rules()
        .iter()
        .find(|rule| Some(rule.id.as_str()) == first)
        .map(|rule| rule.table);
    check(&correlation.file, &correlation.cases, |case| match table {
        Some(table) => alerts_over_time(rules, &correlation.id, case, table),
        None => Err("it was refused".to_owned()),
    })
}

/// The rule that a correlation names first, by way of others.
fn first_rule<'a>(definitions: &'a [crate::correlation::Definition], id: &str) -> Option<&'a str> {
    let mut first: Option<&str> = None;
    // Each is after those that it refers to.
    for definition in definitions.iter().rev() {
        if *definition.id == *id || first == Some(&*definition.id) {
            let member = &definition.members.first()?.id;
            first = Some(crate::correlation::rule_of_match(member));
        }
    }
    first
}

fn check(
    file: &str,
    cases: &[Case],
    run: impl Fn(&Case) -> Result<usize, String>,
) -> Vec<CaseFailure> {
    let failure = |case: &str, expected, found| CaseFailure {
        file: file.to_owned(),
        case: case.to_owned(),
        expected,
        found,
    };
    let mut failures = Vec::new();
    for case in cases {
        let found = match run(case) {
            Ok(found) if found == usize::from(case.alerts) => continue,
            Ok(found) => format!("found {found}"),
            Err(reason) => reason,
        };
        failures.push(failure(&case.name, case.alerts, found));
    }
    let says = |alerts: bool| cases.iter().any(|case| (case.alerts > 0) == alerts);
    for (expected, is_said) in [(1, says(true)), (0, says(false))] {
        if !is_said {
            failures.push(failure("any", expected, "no case says so".to_owned()));
        }
    }
    failures
}

fn alerts(rule: &Rule, case: &Case, user_mapping: &Arc<UserMapping>) -> Result<usize, String> {
    let mut found = 0;
    for (table, events) in events_by_table(case, rule.table)? {
        let Some(mapping) = asked_of(table, rule.table) else {
            return Err(format!(
                "the rule is about {}, and is not asked of {table}: nothing there says anything of it",
                rule.table
            ));
        };
        let (plan, refused) = Plan::extended(mapping, user_mapping, [(0, &rule.sigma)]);
        if let Some((_, reason)) = refused.first() {
            return Err(reason.to_string());
        }
        let batch = event_batch::batch(table, &events).map_err(|reason| reason.to_string())?;
        let hits = plan
            .evaluate(&mut Batch(&batch))
            .map_err(|reason| reason.to_string())?;
        found += hits.iter().map(|hit| hit.rows.len()).sum::<usize>();
    }
    Ok(found)
}

/// How a rule about the table `own` is asked of records of `table`: of its own as they are, of the unified audit log's as
/// that one tells the same; none if they are not its.
fn asked_of(table: Table, own: Table) -> Option<Mapping> {
    if table == own {
        return Some(Mapping::Lake(own));
    }
    (table == TELLER && TOLD.contains(&own)).then_some(Mapping::Retold(own))
}

fn table_of(name: Option<&str>, otherwise: Table) -> Result<Table, String> {
    match name {
        Some(name) => Table::of_name(name).ok_or_else(|| format!("no table \"{name}\"")),
        None => Ok(otherwise),
    }
}

/// The outcomes of what goes by `id`, when all records of the case are there.
fn alerts_over_time(rules: &Ruleset, id: &str, case: &Case, table: Table) -> Result<usize, String> {
    let mut correlator = Correlator::new(Arc::clone(rules.compiled_correlations()), i64::MAX);
    for (table, events) in events_by_table(case, table)? {
        let signals = signals(rules, table, &events).map_err(|reason| reason.to_string())?;
        correlator.add(signals);
    }
    let found = correlator.found();
    Ok(found
        .iter()
        .filter(|found| *found.correlation == *id)
        .count())
}

/// The records of a case, by the tables that they go to; those that name none go to `table`.
fn events_by_table(case: &Case, table: Table) -> Result<BTreeMap<Table, Vec<Event>>, String> {
    let mut by_table: BTreeMap<Table, Vec<Event>> = BTreeMap::new();
    let single = [CaseEvent {
        table: case.table.clone(),
        event: case.event.clone(),
        at: None,
        times: None,
        every: None,
    }];
    let all = if case.events.is_empty() {
        &single[..]
    } else {
        &case.events
    };
    for (number, one) in all.iter().enumerate() {
        let table = table_of(one.table.as_deref(), table)?;
        by_table
            .entry(table)
            .or_default()
            .extend(repeated(one, number)?);
    }
    Ok(by_table)
}

fn repeated(one: &CaseEvent, number: usize) -> Result<Vec<Event>, String> {
    let us = |span: &Option<String>| -> Result<i64, String> {
        let Some(text) = span else { return Ok(0) };
        let span = Timespan::parse(text).map_err(|reason| reason.to_string())?;
        let seconds = i64::try_from(span.seconds).unwrap_or(i64::MAX);
        Ok(seconds.saturating_mul(1_000_000))
    };
    let (at_us, every_us) = (us(&one.at)?, us(&one.every)?);
    let times = one.times.unwrap_or(1);
    if !(1..=TIMES_MAX).contains(&times) {
        return Err(format!("times is not between 1 and {TIMES_MAX}"));
    }
    let event = |turn: u32| Event {
        event_id: format!("{number}/{turn}"),
        tenant_id: TENANT.to_owned(),
        event_time_us: Some(
            BEGIN_US
                .saturating_add(at_us)
                .saturating_add(every_us.saturating_mul(i64::from(turn - 1))),
        ),
        ingest_time_us: BEGIN_US,
        source: "cases".to_owned(),
        category: category(&one.event),
        raw: numbered(&one.event, turn).to_string().into(),
        ..Event::default()
    };
    Ok((1..=times).map(event).collect())
}

/// The category that a record of Azure Monitor names.
fn category(record: &Value) -> String {
    let named = record.get("category").and_then(Value::as_str);
    named.unwrap_or_default().to_owned()
}

/// The record with `{n}` in its texts replaced by a number.
fn numbered(value: &Value, number: u32) -> Value {
    match value {
        Value::String(text) => Value::String(text.replace("{n}", &number.to_string())),
        Value::Array(items) => items.iter().map(|item| numbered(item, number)).collect(),
        Value::Object(members) => members
            .iter()
            .map(|(name, value)| (name.clone(), numbered(value, number)))
            .collect(),
        other => other.clone(),
    }
}

/// Whom a record names: alerts of several people are as many.
fn subject(table: Table, batch: &RecordBatch, row: usize) -> Subject {
    let text = |name: &str| -> Arc<str> {
        let found = fields::text(batch, name, row).unwrap_or_default();
        found.to_ascii_lowercase().into()
    };
    let (user, user_id) = match table {
        Table::M365Activity => (text("user_id"), Arc::default()),
        Table::AzureActivity => (text("caller"), Arc::default()),
        _ => (text("user_principal_name"), text("user_id")),
    };
    Subject {
        user,
        user_id,
        ..Subject::default()
    }
}

fn signals(rules: &Ruleset, table: Table, events: &[Event]) -> Result<Vec<Signal>, ArrowError> {
    let batch = event_batch::batch(table, events)?;
    let mut signals = Vec::new();
    if let Some(plan) = rules.plan(table) {
        for hit in plan.evaluate(&mut Batch(&batch))? {
            signals.extend(of_rows(rules, hit.rule, table, &batch, &hit.rows));
        }
    }
    for (told, plan) in rules.retold(table) {
        for hit in plan.evaluate(&mut Batch(&batch))? {
            let of_rule = hit.rows.iter().filter_map(|row| events.get(*row));
            // What a case writes once and repeats is a record of its own each time.
            let told_again = |event: &Event| {
                let event_id = event.event_id.clone();
                retold_event(event, told).map(|told| Event { event_id, ..told })
            };
            let of_rule: Vec<Event> = of_rule.filter_map(told_again).collect();
            let batch = event_batch::batch(told, &of_rule)?;
            let rows: Vec<usize> = (0..of_rule.len()).collect();
            signals.extend(of_rows(rules, hit.rule, told, &batch, &rows));
        }
    }
    Ok(signals)
}

/// The signals of rows that the rule with this number matched, if anything counts them.
fn of_rows(
    rules: &Ruleset,
    rule: usize,
    table: Table,
    batch: &RecordBatch,
    rows: &[usize],
) -> Vec<Signal> {
    let Some(counted) = rules.counted(rule) else {
        return Vec::new();
    };
    let tenant: Arc<str> = TENANT.into();
    let signal = |row: &usize| {
        let evidence = Evidence {
            table: table.name().into(),
            ..Evidence::default()
        };
        let subject = subject(table, batch, *row);
        matched::signal(counted, batch, *row, &tenant, subject, evidence)
    };
    rows.iter().filter_map(signal).collect()
}
