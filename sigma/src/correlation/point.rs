//! A signal in its group: its time, which member it is of, and the value that is asked for.

use std::sync::Arc;

use schemas::letters;

use super::definition::{CorrelationTest, Definition, MILLION};
use super::signal::Signal;

/// Longest text of a number, and of a value that is counted.
const VALUE_BYTES_MAX: usize = 1_024;

/// Stands between the values of several fields.
const BETWEEN: &str = "\u{1f}";

/// A signal as the windows of one group see it.
#[derive(Debug, Clone)]
pub(crate) struct Point {
    /// When, in microseconds since the Unix epoch, UTC.
    pub time_us: i64,
    /// Place of its rule among the members.
    pub member: usize,
    /// What is counted or added up.
    pub value: PointValue,
    /// The signal.
    pub signal: Arc<Signal>,
}

/// What a point has in the field that is asked for.
#[derive(Debug, Clone, PartialEq)]
pub(crate) enum PointValue {
    /// Nothing is asked for.
    None,
    /// A text, in lower case.
    Text(Arc<str>),
    /// A number, in millionths.
    Number(i128),
    /// Latitude and longitude, in degrees.
    Coordinates(f64, f64),
}

impl Point {
    /// Points are in the order of time, then members, then ids: a set has one order.
    pub(crate) fn order(&self) -> (i64, usize, u128) {
        (self.time_us, self.member, self.signal.id)
    }
}

/// The values that tell the group of a signal, and its point; none if it lacks one of them.
///
/// Letter case does not count, as everywhere in Sigma; but no letter becomes one of ASCII, for groups are people too.
pub(crate) fn place(
    definition: &Definition,
    member: usize,
    signal: &Arc<Signal>,
) -> Option<(Vec<Arc<str>>, Point)> {
    let names = &definition.members.get(member)?.group;
    let of_name = |name: &Arc<str>| match signal.field(name) {
        // Nothing is hidden because a record lacks the name of a group.
        None if definition.test == CorrelationTest::Any => Some(Arc::default()),
        found => found.map(folded),
    };
    let group: Vec<Arc<str>> = names.iter().map(of_name).collect::<Option<_>>()?;
    let point = Point {
        time_us: signal.time_us,
        member,
        value: value(definition, member, signal)?,
        signal: Arc::clone(signal),
    };
    Some((group, point))
}

fn folded(value: &Arc<str>) -> Arc<str> {
    if value.chars().any(char::is_uppercase) {
        letters::folded(value).into()
    } else {
        Arc::clone(value)
    }
}

fn value(definition: &Definition, member: usize, signal: &Signal) -> Option<PointValue> {
    if !definition.needs_value() {
        return Some(PointValue::None);
    }
    let names = &definition.members[member].value;
    let values: Vec<&Arc<str>> = names
        .iter()
        .map(|name| signal.field(name))
        .collect::<Option<_>>()?;
    match (&definition.test, values.as_slice()) {
        (CorrelationTest::ValueCount(_) | CorrelationTest::FirstSeen { .. }, [one]) => {
            Some(PointValue::Text(cut(folded(one))))
        }
        (CorrelationTest::ValueCount(_) | CorrelationTest::FirstSeen { .. }, several) => {
            let several: Vec<Arc<str>> = several.iter().map(|value| folded(value)).collect();
            Some(PointValue::Text(cut(several.join(BETWEEN).into())))
        }
        (CorrelationTest::Travel(_), [latitude, longitude]) => {
            let (latitude, longitude) = (degrees(latitude, 90.0)?, degrees(longitude, 180.0)?);
            // Where no place is known, zero is written: nobody signs in from that spot of the sea.
            (latitude != 0.0 || longitude != 0.0)
                .then_some(PointValue::Coordinates(latitude, longitude))
        }
        (_, [one]) => number(one).map(PointValue::Number),
        _ => None,
    }
}

/// Values that begin alike count as one; a hash would not, but nobody could read it.
fn cut(value: Arc<str>) -> Arc<str> {
    if value.len() <= VALUE_BYTES_MAX {
        return value;
    }
    value[..value.floor_char_boundary(VALUE_BYTES_MAX)].into()
}

fn degrees(text: &str, most: f64) -> Option<f64> {
    let degrees: f64 = text.trim().parse().ok()?;
    (degrees.abs() <= most).then_some(degrees)
}

/// A decimal number in millionths, rounded; none for anything else.
fn number(text: &str) -> Option<i128> {
    let text = text.trim();
    if text.len() > VALUE_BYTES_MAX {
        return None;
    }
    if let Ok(whole) = text.parse::<i64>() {
        return Some(i128::from(whole) * MILLION);
    }
    let number: f64 = text.parse().ok()?;
    #[expect(
        clippy::cast_possible_truncation,
        reason = "the cast saturates, and what is no number is left out"
    )]
    number
        .is_finite()
        .then(|| (number * 1e6).round() as i128)
        .map(|number| number.clamp(-(1 << 100), 1 << 100))
}

#[cfg(test)]
mod tests {
    use super::{degrees, number};

    #[test]
    fn reads_numbers_as_millionths_and_nothing_else() {
        for (text, expected) in [
            ("12", Some(12_000_000)),
            (" -0.5 ", Some(-500_000)),
            ("1e3", Some(1_000_000_000)),
            ("1e300", Some(1 << 100)),
            ("nan", None),
            ("inf", None),
            ("12 MB", None),
            ("", None),
        ] {
            assert_eq!(number(text), expected, "{text}");
        }
    }

    #[test]
    fn reads_degrees_on_earth() {
        for (text, expected) in [
            ("52.1", Some(52.1)),
            ("-91", None),
            ("nan", None),
            ("x", None),
        ] {
            assert_eq!(degrees(text, 90.0), expected, "{text}");
        }
    }
}
