//! Parts of a time that rules compare: Sigma's `minute`, `hour`, `day`, `week`, `month` and `year`.
//!
//! Source: Sigma 2.1, appendix "modifiers". All times are UTC here, as everywhere in the lake.

use jiff::Timestamp;
use jiff::tz::TimeZone;

/// A part of a time.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum TimePart {
    /// 0 to 59.
    Minute,
    /// 0 to 23.
    Hour,
    /// Of the month, 1 to 31.
    Day,
    /// Of the year after ISO 8601, 1 to 53.
    Week,
    /// 1 to 12.
    Month,
    /// The year.
    Year,
}

impl TimePart {
    /// This part of a time in microseconds since the Unix epoch.
    pub(crate) fn of(self, time_us: i64) -> Option<i32> {
        let time = Timestamp::from_microsecond(time_us).ok()?;
        let time = time.to_zoned(TimeZone::UTC);
        Some(match self {
            Self::Minute => time.minute().into(),
            Self::Hour => time.hour().into(),
            Self::Day => time.day().into(),
            Self::Week => time.date().iso_week_date().week().into(),
            Self::Month => time.month().into(),
            Self::Year => time.year().into(),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::TimePart;
    use crate::expression::Leaf;

    #[track_caller]
    fn check(leaf: Leaf<'_>, expected: [i32; 6]) {
        let parts = [
            TimePart::Minute,
            TimePart::Hour,
            TimePart::Day,
            TimePart::Week,
            TimePart::Month,
            TimePart::Year,
        ];
        let time_us = leaf.time_us().unwrap();
        assert_eq!(
            parts.map(|part| part.of(time_us).unwrap()),
            expected,
            "{leaf:?}"
        );
    }

    #[test]
    fn takes_times_apart() {
        let text = "2026-11-21T23:59:07.5Z";
        check(Leaf::Text(text), [59, 23, 21, 47, 11, 2026]);
        let offset = "2027-01-01T01:30:00+02:00";
        check(Leaf::Text(offset), [30, 23, 31, 53, 12, 2026]);
        let american = "8/22/2022 6:07:16 PM";
        check(Leaf::Text(american), [7, 18, 22, 34, 8, 2022]);
        check(Leaf::Text("2026-01-04"), [0, 0, 4, 1, 1, 2026]);
        check(Leaf::Integer(0), [0, 0, 1, 1, 1, 1970]);
        check(Leaf::Integer(1_795_305_547), [59, 23, 21, 47, 11, 2026]);
        check(Leaf::Integer(1_795_305_547_000), [59, 23, 21, 47, 11, 2026]);
    }

    #[test]
    fn what_is_no_time_has_no_parts() {
        for leaf in [
            Leaf::Text(""),
            Leaf::Text("12"),
            Leaf::Text("soon"),
            Leaf::Integer(i64::MAX),
            Leaf::Boolean(true),
        ] {
            let part = leaf.time_us().and_then(|time| TimePart::Hour.of(time));
            assert_eq!(part, None, "{leaf:?}");
        }
    }
}
