//! What the demo proves, line by line; a line that does not hold makes the exit code 1.

use std::collections::BTreeMap;
use std::io::Write as _;
use std::time::Duration;

use respond::record::State;
use serde_json::Value;

use super::observe::{FEEDS, Facts, Look};
use crate::memory;
use crate::output::{self, Cell, Table, Verdict};

/// Collects lines and whether each holds.
#[derive(Default)]
struct Report {
    lines: Vec<String>,
    failed: usize,
}

impl Report {
    fn section(&mut self, title: &str) {
        self.lines.push(format!("\n{title}"));
    }

    fn line(&mut self, line: &str) {
        self.lines.push(format!("  {line}"));
    }

    fn check(&mut self, holds: bool, line: &str) {
        self.failed += usize::from(!holds);
        let mark = if holds { '✓' } else { '✗' };
        self.lines.push(format!("  {mark} {line}"));
    }
}

/// Prints the report on standard output.
pub(super) fn print(facts: &Facts, elapsed: Duration) -> anyhow::Result<Verdict> {
    let mut report = Report::default();
    events(&mut report, facts);
    alerts(&mut report, &facts.last);
    response(&mut report, facts);
    attacker(&mut report, &facts.last);
    speed(&mut report, &facts.last, elapsed);
    let verdict = if report.failed == 0 {
        report.section("Everything holds.");
        Verdict::Done
    } else {
        report.section(&format!("{} line(s) marked ✗ do not hold.", report.failed));
        Verdict::Findings
    };
    let mut out = output::stdout();
    writeln!(out, "{}", report.lines.join("\n"))?;
    Ok(verdict)
}

fn events(report: &mut Report, facts: &Facts) {
    let look = &facts.last;
    report.section("Events: distinct records that the tenant sent, and rows in the lake");
    let mut table = Table::new([
        Cell::new("feed"),
        Cell::new("table"),
        Cell::number("sent"),
        Cell::number("in the lake"),
    ]);
    for ((name, feed), (sent, kept)) in FEEDS.iter().zip(look.sent.iter().zip(&look.kept)) {
        table.row([
            Cell::new(feed),
            Cell::new(name),
            Cell::number(sent),
            Cell::number(kept),
        ]);
    }
    report.lines.push(table.drawn(false));
    let total: u64 = look.sent.iter().sum();
    report.check(
        look.sent == look.kept && total > 0,
        &format!(
            "{total} distinct events sent, {} in the lake, equal in every feed",
            look.kept.iter().sum::<u64>()
        ),
    );
    report.check(facts.settled, "nothing is left on its way in any stage");
    report.line(&format!(
        "{} windows, blobs and ranges in the completeness ledger, {} dead letters",
        facts.coverage, facts.dead_letters
    ));
}

fn alerts(report: &mut Report, look: &Look) {
    report.section("Alerts");
    let mut by_label: BTreeMap<(&str, &str, &str), usize> = BTreeMap::new();
    for alert in &look.alerts {
        *by_label
            .entry((&alert.label, &alert.severity, &alert.title))
            .or_default() += 1;
    }
    for ((label, severity, title), count) in &by_label {
        report.line(&format!("{count:>3} × {label}  {severity:<8}  {title}"));
    }
    for namespace in ["SAAS-M365-", "MS-SEC-GRAPH-"] {
        report.check(
            look.alerts
                .iter()
                .any(|alert| alert.label.starts_with(namespace)),
            &format!("alerts labelled {namespace}…"),
        );
    }
}

fn response(report: &mut Report, facts: &Facts) {
    let look = &facts.last;
    report.section("Response");
    for case in &look.cases {
        report.line(&format!(
            "case {}: {} ({} alerts, {})",
            short(&case.case_id),
            case.title,
            case.alerts.len(),
            case.severity
        ));
    }
    let victim = look.story["victim"]["id"].as_str().unwrap_or_default();
    report.check(
        look.cases.iter().any(|case| case.entity() == victim),
        "the victim's account has a case",
    );
    for kind in CONTAINMENT {
        let effective = look.actions.iter().find(|action| {
            action.action.kind().as_str() == kind
                && action.account() == victim
                && action.state == State::Effective
        });
        let seen = effective.map_or_else(
            || "no such action is effective".to_owned(),
            |action| action.detail.to_string(),
        );
        report.check(
            effective.is_some(),
            &format!("{kind}: effective by read-back  {seen}"),
        );
    }
    let calls = facts.calls["calls"].as_array().map_or(0, Vec::len);
    report.line(&format!("{calls} mutating calls seen by the tenant"));
    report.check(
        facts.broken_chain.is_none(),
        &facts
            .broken_chain
            .clone()
            .unwrap_or_else(|| "the audit chain verifies".to_owned()),
    );
}

/// The kinds of action that contain an account.
const CONTAINMENT: [&str; 3] = ["block_sign_in", "revoke_sessions", "disable_inbox_rules"];

/// Wall time of the moment when each kind of action had been seen to work on the victim, in microseconds.
fn contained_us(look: &Look) -> Option<i64> {
    let victim = look.story["victim"]["id"].as_str()?;
    let first = |kind: &str| {
        look.actions
            .iter()
            .filter(|action| action.account() == victim && action.state == State::Effective)
            .filter(|action| action.action.kind().as_str() == kind)
            .map(|action| action.changed_time_us)
            .min()
    };
    let times: Option<Vec<i64>> = CONTAINMENT.iter().map(|kind| first(kind)).collect();
    times?.into_iter().max()
}

fn attacker(report: &mut Report, look: &Look) {
    report.section("Attacker");
    let story = &look.story;
    let contained = contained_us(look);
    match (story["begins_wall_us"].as_i64(), contained) {
        (Some(begins), Some(contained)) => report.line(&format!(
            "{:.1} s from the first malicious event to containment (wall time; records reach the feeds late)",
            seconds(contained - begins)
        )),
        _ => report.check(false, "the account was contained"),
    }
    let mut later: BTreeMap<String, usize> = BTreeMap::new();
    let mut succeeded = 0;
    for attempt in story["attempts"].as_array().into_iter().flatten() {
        let after = attempt["wall_us"].as_i64() > contained && contained.is_some();
        if after {
            let ending = attempt["ending"].as_str().unwrap_or("?");
            succeeded += usize::from(ending == "succeeded");
            let what = attempt["what"].as_str().unwrap_or("?").replace('_', " ");
            let code = attempt["error_code"]
                .as_i64()
                .filter(|code| *code != 0)
                .map_or(String::new(), |code| format!(" {code}"));
            *later.entry(format!("{what}: {ending}{code}")).or_default() += 1;
        }
    }
    for (attempt, count) in &later {
        report.line(&format!("{count:>3} × {attempt}"));
    }
    report.check(
        succeeded == 0 && !later.is_empty(),
        &format!(
            "{} attempts after containment, {succeeded} succeeded",
            later.values().sum::<usize>()
        ),
    );
    report.check(
        story["attacker"]["has_access"] == Value::Bool(false),
        "the attacker has no access any more",
    );
    report.line(&format!(
        "{} mails had been forwarded before the rule was off",
        story["mail_forwarded"]
    ));
}

fn speed(report: &mut Report, look: &Look, elapsed: Duration) {
    report.section("Speed");
    let mut delays: Vec<i64> = look
        .alerts
        .iter()
        .filter(|alert| alert.accepted_time_us != 0)
        .map(|alert| alert.detected_time_us - alert.accepted_time_us)
        .collect();
    delays.sort_unstable();
    let at = |percent: usize| {
        delays
            .get((delays.len() * percent / 100).min(delays.len().saturating_sub(1)))
            .copied()
    };
    if let (Some(half), Some(most)) = (at(50), at(99)) {
        report.line(&format!(
            "{:.2} s p50, {:.2} s p99 from event accepted to alert ({} alerts; batches wait at most 0.2 s)",
            seconds(half),
            seconds(most),
            delays.len()
        ));
    }
    if let Some(bytes) = memory::peak_bytes() {
        report.line(&format!(
            "{} MiB peak memory, simulated tenant included",
            bytes / (1024 * 1024)
        ));
    }
    report.check(
        elapsed < Duration::from_mins(1),
        &format!("{:.1} s end to end", elapsed.as_secs_f64()),
    );
}

#[expect(clippy::cast_precision_loss, reason = "seconds for a person")]
fn seconds(us: i64) -> f64 {
    us as f64 / 1e6
}

fn short(id: &str) -> &str {
    id.get(..8).unwrap_or(id)
}
