//! The header of a table: by which names it is one that is known, and what its columns are called. Pure.

use crate::normalise::layout::BYTE_ORDER_MARK;

/// Columns that hold a whole record: one of them makes a header.
const WITH_RECORD: &[&str] = &["auditdata", "_raw", "raweventdata"];

/// Columns of which three make a header.
const KNOWN: &[&str] = &[
    "recordtype",
    "creationdate",
    "creationtime",
    "operation",
    "operations",
    "userid",
    "userids",
    "workload",
    "clientip",
    "identity",
    "organizationid",
    "date (utc)",
    "request id",
    "correlation id",
    "correlationid",
    "username",
    "ip address",
    "sign-in error code",
    "activity",
    "service",
    "category",
    "result",
    "timegenerated",
    "tenantid",
    "operationname",
    "resulttype",
    "appid",
    "appdisplayname",
    "userprincipalname",
    "ipaddress",
    "type",
    "createddatetime",
    "activitydatetime",
    "activitydisplayname",
    "timestamp",
    "actiontype",
    "reportid",
    "accountupn",
    "accountobjectid",
    "id",
    "requestid",
    "errorcode",
    "eventdataid",
    "eventtimestamp",
    "caller",
    "created_date_time",
    "user_principal_name",
    "ip_address",
    "creation_time",
    "user_id",
];

/// How many of [`KNOWN`] make a header.
const KNOWN_MIN: usize = 3;

/// The columns of a table.
#[derive(Debug)]
pub(super) struct Header {
    names: Vec<String>,
    record: Option<usize>,
    operation: Option<usize>,
}

impl Header {
    /// The header that a row is; none if it is none that is known.
    pub(super) fn of(cells: &[Vec<u8>]) -> Option<Self> {
        // Cheap for rows: hardly one has a cell of this kind.
        if cells.iter().any(|cell| cell.len() > NAME_BYTES_MAX) {
            return None;
        }
        let mut names: Vec<String> = Vec::with_capacity(cells.len());
        let (mut known, mut record) = (0, None);
        for (place, cell) in cells.iter().enumerate() {
            let name = name_of(std::str::from_utf8(cell).ok()?)?;
            let lower = name.to_ascii_lowercase();
            if WITH_RECORD.contains(&lower.as_str()) {
                record = record.or(Some(place));
            }
            known += usize::from(KNOWN.contains(&lower.as_str()));
            names.push(name);
        }
        let is_header = (record.is_some() || known >= KNOWN_MIN) && !names.is_empty();
        let operation = names.iter().position(|name| {
            name.eq_ignore_ascii_case("Operation") || name.eq_ignore_ascii_case("Operations")
        });
        is_header.then(|| Self {
            names: once_each(names),
            record,
            operation,
        })
    }

    /// How many columns there are.
    pub(super) fn columns(&self) -> usize {
        self.names.len()
    }

    /// The name of a column; none beyond the last.
    pub(super) fn name(&self, place: usize) -> Option<&str> {
        self.names.get(place).map(String::as_str)
    }

    /// True if a row of this table has neither a record nor what happened.
    pub(super) fn is_empty_row(&self, cells: &[Vec<u8>]) -> bool {
        let cell = |place: Option<usize>| cells.get(place?).map(|cell| cell.trim_ascii());
        let begins = cell(self.record).is_some_and(|cell| cell.starts_with(b"{"));
        let happened = cell(self.operation).is_some_and(|cell| !cell.is_empty());
        self.record.is_some() && !begins && !happened
    }

    /// The cell that holds a whole record.
    pub(super) fn record_in<'a>(&self, cells: &'a [Vec<u8>]) -> Option<&'a [u8]> {
        cells.get(self.record?).map(Vec::as_slice)
    }
}

/// Longest name of a column, in bytes.
const NAME_BYTES_MAX: usize = 128;

/// A column's name as paths can say it; none if it is no name.
///
/// `TimeGenerated [UTC]` is the column of that time, `[Local Time]` is not: nobody knows where.
fn name_of(cell: &str) -> Option<String> {
    if cell.contains(['{', '\n', '@', '='])
        || cell.starts_with(|first: char| first.is_ascii_digit())
    {
        return None;
    }
    let words: Vec<&str> = cell
        .trim_start_matches('\u{feff}')
        .split_whitespace()
        .collect();
    let name = words.join(" ");
    let name = name.strip_suffix(" [UTC]").unwrap_or(&name);
    Some(name.replace('[', "(").replace(']', ")"))
}

/// Names of which no two are the same.
fn once_each(names: Vec<String>) -> Vec<String> {
    let mut seen: std::collections::BTreeMap<String, u32> = std::collections::BTreeMap::new();
    names
        .into_iter()
        .map(|name| {
            let times = seen.entry(name.to_ascii_lowercase()).or_default();
            *times += 1;
            if *times == 1 {
                name
            } else {
                format!("{name} ({times})")
            }
        })
        .collect()
}

/// What a line tells Excel that parts the columns: `sep=;`.
pub(super) fn separator_of(line: &[u8]) -> Option<u8> {
    let line = line
        .strip_prefix(BYTE_ORDER_MARK)
        .unwrap_or(line)
        .trim_ascii();
    let line = line.strip_prefix(b"\"").unwrap_or(line);
    let line = line.strip_suffix(b"\"").unwrap_or(line);
    match line {
        [b's' | b'S', b'e' | b'E', b'p' | b'P', b'=', separator]
            if b",;\t|".contains(separator) =>
        {
            Some(*separator)
        }
        _ => None,
    }
}

/// True for what tools write above a header about the types of objects.
pub(super) fn is_comment(line: &[u8]) -> bool {
    line.trim_ascii_start().starts_with(b"#")
}
