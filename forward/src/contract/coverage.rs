//! What a line of the completeness ledger tells: a gap, a source that cannot be read, a secret that ends soon.

use schemas::coverage::CoverageState;
use schemas::severity::Severity;
use schemas::wire::Coverage;
use serde::Serialize;

use super::document::{self, Head};
use super::notice::{Notice, NoticeKind, Subject};

/// The kind of a line about a source that cannot be read at the moment: from when, and to when it was tried.
pub const SOURCE_LINE: &str = "source";

/// The kind of a line about a secret or certificate: `to` is when it ends.
pub const SECRET_LINE: &str = "secret";

/// A day in microseconds.
const DAY_US: i64 = 24 * 3600 * 1_000_000;

/// Days before its end from which on a secret weighs more: a change takes a working week in most houses.
const SECRET_DAYS_HIGH: i64 = 7;

/// What a document says of a range that was not read, beside the head.
#[derive(Debug, Serialize)]
struct GapDocument<'a> {
    source: &'a str,
    range: Range<'a>,
    records: u64,
    dead_letters: u64,
    detail: &'a str,
}

/// What was not read: of a window its times, of anything else its numbers.
#[derive(Debug, Serialize)]
struct Range<'a> {
    kind: &'a str,
    subject: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    from_time: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    to_time: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    from: Option<i64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    to: Option<i64>,
}

#[derive(Debug, Serialize)]
struct SourceFailureDocument<'a> {
    source: &'a str,
    subject: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    since_time: Option<String>,
    detail: &'a str,
}

#[derive(Debug, Serialize)]
struct ExpiringSecretDocument<'a> {
    source: &'a str,
    subject: &'a str,
    expires_time: String,
    days_left: i64,
    detail: &'a str,
}

impl Notice {
    /// What a line of the completeness ledger tells; none of one that says that everything was read.
    pub fn of_coverage(line: &Coverage) -> Option<Self> {
        notice(line)
    }
}

fn notice(line: &Coverage) -> Option<Notice> {
    match (line.kind.as_str(), line.state.parse()) {
        (SECRET_LINE, _) => Some(expiring_secret(line)),
        (_, Ok(CoverageState::Read)) => None,
        (SOURCE_LINE, _) => Some(source_failure(line)),
        _ => Some(gap(line)),
    }
}

fn gap(line: &Coverage) -> Notice {
    let (severity, why) = match line.state.parse() {
        Ok(CoverageState::Gap) => (Severity::Medium, "not read yet; it may be filled later"),
        Ok(CoverageState::Lost) => (Severity::High, "out of reach for good"),
        // One that was read is no notice.
        Ok(CoverageState::Read) | Err(_) => {
            (Severity::High, "a state that this version does not know")
        }
    };
    let is_window = line.kind == "window";
    let rest = GapDocument {
        source: &line.source,
        range: Range {
            kind: &line.kind,
            subject: &line.subject,
            from_time: is_window.then(|| document::time(line.from)),
            to_time: is_window.then(|| document::time(line.to)),
            from: (!is_window).then_some(line.from),
            to: (!is_window).then_some(line.to),
        },
        records: line.records,
        dead_letters: line.dead_letters,
        detail: &line.detail,
    };
    let title = format!("Not read from {}: {}", line.source, line.subject);
    // The same range found unread again is the same version: its id has the range and the state.
    let version = line.state.clone();
    told(
        line,
        NoticeKind::Gap,
        version,
        (severity, why),
        (title, &rest),
    )
}

fn source_failure(line: &Coverage) -> Notice {
    let rest = SourceFailureDocument {
        source: &line.source,
        subject: &line.subject,
        since_time: document::known_time(line.from),
        detail: &line.detail,
    };
    let why = (Severity::High, "what it would tell is not seen meanwhile");
    let title = format!("Source {} cannot be read", line.source);
    let version = format!("{}-{}", line.state, line.from);
    told(
        line,
        NoticeKind::SourceFailure,
        version,
        why,
        (title, &rest),
    )
}

fn expiring_secret(line: &Coverage) -> Notice {
    let days_left = line
        .to
        .saturating_sub(line.observed_time_us)
        .div_euclid(DAY_US);
    let why = match days_left {
        ..0 => (
            Severity::Critical,
            "it has ended: its source is not read any more",
        ),
        0..=SECRET_DAYS_HIGH => (Severity::High, "it ends within a week"),
        _ => (Severity::Medium, "it ends soon"),
    };
    let rest = ExpiringSecretDocument {
        source: &line.source,
        subject: &line.subject,
        expires_time: document::time(line.to),
        days_left,
        detail: &line.detail,
    };
    let title = format!(
        "Secret {} of {} ends in {days_left} days",
        line.subject, line.source
    );
    // One version a day: a reminder, not a stream.
    let version = days_left.to_string();
    told(
        line,
        NoticeKind::ExpiringSecret,
        version,
        why,
        (title, &rest),
    )
}

fn told(
    line: &Coverage,
    kind: NoticeKind,
    version: String,
    (severity, why): (Severity, &str),
    (title, rest): (String, &impl Serialize),
) -> Notice {
    let head = Head {
        id: line.id.clone(),
        version,
        sequence: u64::try_from(line.observed_time_us).unwrap_or(0),
        tenant_id: line.tenant_id.clone(),
        time: document::time(line.observed_time_us),
        severity: severity.as_str(),
        severity_reason: why.to_owned(),
        title,
        state: line.state.clone(),
        ..Head::of(kind)
    };
    Notice {
        kind,
        id: head.id.clone(),
        version: head.version.clone(),
        tenant_id: line.tenant_id.clone(),
        severity,
        time_us: line.observed_time_us,
        subject: Subject {
            category: line.source.clone(),
            ..Subject::default()
        },
        document: document::whole(&head, rest),
    }
}
