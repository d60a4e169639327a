//! A report as JSON, for programs: all alerts in full, in the order of time, and what was read.
//!
//! Nothing is cut and nothing is worded for people. Times are ISO 8601 in UTC; what a record does not say is null.

use schemas::time::iso_ms;
use serde_json::{Map, Value, json};

use crate::input::Report;
use crate::raised::{Raised, raised};

/// The JSON of a report, on lines, with what is never a letter escaped: controls, and marks that turn a line's direction.
pub fn to_json(report: &Report) -> String {
    let alerts: Vec<Value> = raised(report).iter().map(alert).collect();
    let document = json!({
        "version": report.made.version,
        "made_time": time((report.made.time_us != 0).then_some(report.made.time_us)),
        "command": report.made.command,
        "rules": report.made.rules,
        "tenants": report.tenants,
        "files": report.files,
        "added": report.added,
        "tables": timed(&report.tables),
        "days": report.days,
        "remarks": report.remarks,
        "alerts": alerts,
        "events": timed(&report.events),
        "sightings": timed(&report.sightings),
        "references": report.references,
    });
    escaped(&format!("{document:#}"))
}

fn time(us: Option<i64>) -> Option<String> {
    us.map(iso_ms)
}

fn alert(one: &Raised<'_>) -> Value {
    let alert = one.alert;
    json!({
        "alert_id": alert.alert_id,
        "tenant_id": alert.tenant_id,
        "label": alert.label,
        "rule_id": alert.rule_id,
        "title": alert.title,
        "description": alert.description,
        "severity": alert.severity,
        "category": alert.category,
        "techniques": alert.techniques,
        "tactics": alert.tactics,
        "user": alert.user,
        "user_id": alert.user_id,
        "ip": alert.ip,
        "session_id": alert.session_id,
        "state": alert.state,
        "url": alert.url,
        "event_count": alert.event_count,
        "first_event_time": time(one.first_us),
        "last_event_time": time(one.last_us),
        "evidence": alert.evidence.iter().map(|evidence| json!({
            "table": evidence.table,
            "event_id": evidence.event_id,
            "file": evidence.file,
            "row": evidence.row,
            "version": evidence.version,
        })).collect::<Vec<_>>(),
    })
}

/// Lines whose times, in microseconds as `…_us`, become `…_time`.
fn timed(lines: &[impl serde::Serialize]) -> Vec<Value> {
    let of_line = |line| match serde_json::to_value(line) {
        Ok(Value::Object(fields)) => {
            Value::Object(fields.into_iter().map(named).collect::<Map<_, _>>())
        }
        other => other.unwrap_or_default(),
    };
    lines.iter().map(of_line).collect()
}

fn named((name, value): (String, Value)) -> (String, Value) {
    match name.strip_suffix("_us") {
        Some("time") => ("time".to_owned(), json!(time(value.as_i64()))),
        Some(which) => (format!("{which}_time"), json!(time(value.as_i64()))),
        None => (name, value),
    }
}

/// The same JSON, in which no character acts on whom it is shown to.
fn escaped(document: &str) -> String {
    let mut text = String::with_capacity(document.len());
    for character in document.chars() {
        if character == '\n' || crate::text::is_visible(character) {
            text.push(character);
        } else {
            for unit in character.encode_utf16(&mut [0; 2]) {
                text.extend(format!("\\u{unit:04x}").chars());
            }
        }
    }
    text
}
