//! What the columns of a file tell of the order of day and month in its dates. Pure.

use std::collections::BTreeMap;

use schemas::time::{DateOrder, order_of};

use super::members::Members;

/// Most columns whose dates are looked at.
const COLUMNS_MAX: usize = 1_000;

/// In which order day and month stand.
#[derive(Debug, Clone, Copy)]
pub enum Dates<'a> {
    /// Everywhere in the same.
    All(DateOrder),
    /// In each column as it shows itself.
    Shown(&'a Shown),
}

impl Dates<'_> {
    /// As Microsoft's own services write them.
    pub const OF_MICROSOFT: Self = Self::All(DateOrder::MonthFirst);

    pub(super) fn order(self, column: &str) -> DateOrder {
        match self {
            Self::All(order) => order,
            Self::Shown(shown) => shown.order(column),
        }
    }
}

/// What the columns of a file showed.
#[derive(Debug, Clone, Default)]
pub struct Shown {
    /// By name in lower case; [`DateOrder::Unknown`] where it showed both.
    columns: BTreeMap<String, DateOrder>,
    /// What the operator says of columns that show nothing.
    told: DateOrder,
}

impl Shown {
    /// Nothing yet, but what the operator says.
    pub(crate) fn told(told: DateOrder) -> Self {
        Self {
            columns: BTreeMap::new(),
            told,
        }
    }

    fn order(&self, column: &str) -> DateOrder {
        let name = column.rsplit('.').next().unwrap_or(column);
        let shown = self.columns.get(&name.to_ascii_lowercase());
        shown.copied().unwrap_or(self.told)
    }

    /// Looks at the members of a record, and at those of the objects in it.
    pub(crate) fn look_at(&mut self, record: &[u8]) {
        if let Ok(text) = std::str::from_utf8(record) {
            self.look_into(text, 0);
        }
    }

    fn look_into(&mut self, text: &str, depth: usize) {
        let Some(members) = Members::of(text) else {
            return;
        };
        for (name, value) in &members.0 {
            if value.starts_with('{') && depth < 2 {
                self.look_into(value, depth + 1);
            } else if let Some(order) = date_in(value) {
                self.note(name, order);
            }
        }
    }

    fn note(&mut self, name: &str, order: DateOrder) {
        let name = name.to_ascii_lowercase();
        if self.columns.len() >= COLUMNS_MAX && !self.columns.contains_key(&name) {
            return;
        }
        let shown = self.columns.entry(name).or_insert(order);
        if *shown != order {
            *shown = DateOrder::Unknown;
        }
    }
}

/// What a JSON text proves, if it looks like a date.
fn date_in(value: &str) -> Option<DateOrder> {
    let text = value.strip_prefix('"')?.strip_suffix('"')?;
    let may_be = text.len() <= 48 && text.as_bytes().first()?.is_ascii_digit();
    if !may_be {
        return None;
    }
    // The blank before AM is no plain one everywhere, and written as an escape by some.
    let plain: String = serde_json::from_str(value).ok()?;
    order_of(&plain)
}

/// True if a date whose order its form does not tell may stand in these bytes.
pub(crate) fn may_hold_one(bytes: &[u8]) -> bool {
    let is_digit = |at: usize| bytes.get(at).is_some_and(u8::is_ascii_digit);
    let end_of_digits = |mut at: usize| {
        while is_digit(at) {
            at += 1;
        }
        at
    };
    // Behind a day or a month; some writers of JSON put a backslash before each slash.
    let separator = |at: usize| match (bytes.get(at), bytes.get(at + 1)) {
        (Some(mark @ (b'/' | b'-')), _) => Some((*mark, at + 1)),
        (Some(b'\\'), Some(b'/')) => Some((b'/', at + 2)),
        _ => None,
    };
    let part = |start: usize| {
        let end = end_of_digits(start);
        (1..=2).contains(&(end - start)).then_some(end)
    };
    let is_date = |start: usize| {
        let (mark, second) = separator(part(start)?)?;
        let (other, year) = separator(part(second)?)?;
        let end = end_of_digits(year);
        let is_year = matches!(end - year, 2 | 4);
        // A security identifier, S-1-5-21-…, goes on.
        (mark == other && is_year && !matches!(bytes.get(end), Some(b'-' | b'/'))).then_some(())
    };
    let mut at = 0;
    while at < bytes.len() {
        if !is_digit(at) {
            at += 1;
            continue;
        }
        let before = at.checked_sub(1).and_then(|before| bytes.get(before));
        let begins = before.is_none_or(|byte| !matches!(byte, b'-' | b'/' | b'.'));
        if begins && is_date(at).is_some() {
            return true;
        }
        at = end_of_digits(at);
    }
    false
}

#[cfg(test)]
mod tests {
    use super::{Dates, Shown, may_hold_one};
    use schemas::time::DateOrder;

    #[test]
    fn each_column_tells_its_own_order() {
        let mut shown = Shown::told(DateOrder::Unknown);
        for row in [
            r#"{"Date":"05/01/2026 22:15:00","Other":"9/14/2026 8:00:00 AM","Both":"13/1/2026 8:00"}"#,
            r#"{"Date":"15/01/2026 06:00:00","Both":"1/13/2026 8:00","in":{"deep":"1/13/2026 8:00"}}"#,
        ] {
            shown.look_at(row.as_bytes());
        }
        let dates = Dates::Shown(&shown);
        for (column, expected) in [
            ("Date", DateOrder::DayFirst),
            ("other", DateOrder::MonthFirst),
            ("Both", DateOrder::Unknown),
            ("properties.deep", DateOrder::MonthFirst),
            ("nothing", DateOrder::Unknown),
        ] {
            assert_eq!(dates.order(column), expected, "{column}");
        }
        let shown = Shown::told(DateOrder::DayFirst);
        assert_eq!(Dates::Shown(&shown).order("any"), DateOrder::DayFirst);
    }

    #[test]
    fn what_may_be_such_a_date_is_found() {
        for (text, expected) in [
            ("x,05/01/2026 22:15", true),
            ("5-1-26", true),
            ("2026-01-05T22:15:00Z", false),
            ("203.0.113.57/24 https://a/1/b", false),
            ("7f3c1d52-0000-4000-8000-00000000c0de", false),
            (r#"{"Date":"5\/1\/2026"}"#, true),
            ("S-1-5-21-3623811015-3361044348-30300820-1013", false),
            ("", false),
        ] {
            assert_eq!(may_hold_one(text.as_bytes()), expected, "{text}");
        }
    }
}
