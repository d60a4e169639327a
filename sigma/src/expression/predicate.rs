//! What a rule asks of one field: a pure question about the values that an event has there.
//!
//! An absent or null field has no values, and then only [`Question::Null`] holds.
//! A field with several values matches if any of them does.

use std::borrow::Cow;
use std::collections::BTreeSet;
use std::net::IpAddr;

use ipnet::IpNet;

use super::time_part::TimePart;

/// One value of a field.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Leaf<'a> {
    /// Text.
    Text(&'a str),
    /// A whole number.
    Integer(i64),
    /// A number with a fraction.
    Number(f64),
    /// True or false.
    Boolean(bool),
}

impl Leaf<'_> {
    /// The value as a rule writes it.
    pub fn text(&self) -> Cow<'_, str> {
        match self {
            Self::Text(text) => Cow::Borrowed(text),
            Self::Integer(number) => Cow::Owned(number.to_string()),
            Self::Number(number) => Cow::Owned(number.to_string()),
            Self::Boolean(true) => Cow::Borrowed("true"),
            Self::Boolean(false) => Cow::Borrowed("false"),
        }
    }

    #[expect(
        clippy::cast_precision_loss,
        reason = "Sigma compares numbers as doubles; identifiers beyond 2^53 are text in Microsoft's records"
    )]
    pub(crate) fn number(&self) -> Option<f64> {
        match self {
            Self::Text(text) => text
                .trim()
                .parse()
                .ok()
                .filter(|number: &f64| number.is_finite()),
            Self::Integer(number) => Some(*number as f64),
            Self::Number(number) => Some(*number),
            Self::Boolean(_) => None,
        }
    }

    pub(crate) fn truth(&self) -> Option<bool> {
        match self {
            Self::Boolean(value) => Some(*value),
            Self::Text(text) => match text.to_ascii_lowercase().as_str() {
                "true" | "1" | "yes" => Some(true),
                "false" | "0" | "no" => Some(false),
                _ => None,
            },
            Self::Integer(_) | Self::Number(_) => None,
        }
    }
}

/// A whole number larger than this is a time in milliseconds, else in seconds: as seconds it would be the year 5138.
const EPOCH_SECONDS_MAX: i64 = 100_000_000_000;

impl Leaf<'_> {
    /// The time that the value means, in microseconds since the Unix epoch, UTC.
    pub(crate) fn time_us(&self) -> Option<i64> {
        match self {
            Self::Text(text) => schemas::time::parse_us(text),
            Self::Integer(number) if (-EPOCH_SECONDS_MAX..=EPOCH_SECONDS_MAX).contains(number) => {
                number.checked_mul(1_000_000)
            }
            Self::Integer(number) => number.checked_mul(1_000),
            Self::Number(_) | Self::Boolean(_) => None,
        }
    }
}

/// How text is made comparable on both sides.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Fold {
    /// As it is.
    Exact,
    /// In lower case: Sigma's default.
    Lower,
    /// In lower case, and without what Microsoft varies in names of operations:
    /// dashes of any kind, repeated blanks, a trailing period.
    Operation,
}

impl Fold {
    /// The comparable form of `text`.
    pub(crate) fn apply(self, text: &str) -> Cow<'_, str> {
        match self {
            Self::Exact => Cow::Borrowed(text),
            Self::Lower => lower(text),
            Self::Operation => Cow::Owned(operation(text, true)),
        }
    }

    /// The comparable form of a part of a text: blanks and periods at its ends count.
    pub(crate) fn apply_inside(self, text: &str) -> Cow<'_, str> {
        match self {
            Self::Operation => Cow::Owned(operation(text, false)),
            other => other.apply(text),
        }
    }
}

fn lower(text: &str) -> Cow<'_, str> {
    if text.is_ascii() && !text.bytes().any(|byte| byte.is_ascii_uppercase()) {
        Cow::Borrowed(text)
    } else {
        Cow::Owned(text.to_lowercase())
    }
}

fn operation(text: &str, is_whole: bool) -> String {
    let mut out = String::with_capacity(text.len());
    for character in text.to_lowercase().chars() {
        match character {
            '\u{2010}'..='\u{2015}' | '\u{2212}' => out.push('-'),
            blank if blank.is_whitespace() => {
                if !out.ends_with(' ') {
                    out.push(' ');
                }
            }
            other => out.push(other),
        }
    }
    if is_whole {
        out.trim_matches([' ', '.']).to_owned()
    } else {
        out
    }
}

/// An ordering that a rule asks for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Order {
    /// Equal.
    Equal,
    /// Less.
    Less,
    /// Less or equal.
    LessOrEqual,
    /// Greater.
    Greater,
    /// Greater or equal.
    GreaterOrEqual,
}

impl Order {
    #[expect(
        clippy::float_cmp,
        reason = "what a rule writes and a record says are read alike"
    )]
    pub(crate) fn holds(self, left: f64, right: f64) -> bool {
        match self {
            Self::Equal => left == right,
            Self::Less => left < right,
            Self::LessOrEqual => left <= right,
            Self::Greater => left > right,
            Self::GreaterOrEqual => left >= right,
        }
    }
}

/// Where in a text another stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(crate) enum Position {
    /// The whole text.
    Whole,
    /// Anywhere.
    Inside,
    /// At the start.
    Start,
    /// At the end.
    End,
}

/// How the value of one field stands to that of another.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(crate) enum Relation {
    /// The other's text stands here in this one's.
    Text(Position, Fold),
    /// Both are numbers, and stand so to each other.
    Number(Order),
}

impl Relation {
    /// True if `left` stands so to `right`.
    pub(crate) fn holds(self, left: &Leaf<'_>, right: &Leaf<'_>) -> bool {
        let (position, fold) = match self {
            Self::Text(position, fold) => (position, fold),
            Self::Number(order) => {
                let numbers = left.number().zip(right.number());
                return numbers.is_some_and(|(left, right)| order.holds(left, right));
            }
        };
        let (left, right) = (left.text(), right.text());
        let (left, right) = (fold.apply(&left), fold.apply(&right));
        match position {
            Position::Whole => left == right,
            Position::Inside => left.contains(right.as_ref()),
            Position::Start => left.starts_with(right.as_ref()),
            Position::End => left.ends_with(right.as_ref()),
        }
    }
}

/// A network in CIDR notation.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Network(IpNet);

impl Network {
    /// Reads `10.0.0.0/8`, `2001:db8::/32`, or an address alone.
    pub fn parse(text: &str) -> Option<Self> {
        let network = match text.split_once('/') {
            Some((address, length)) => {
                IpNet::new(address.parse().ok()?, length.parse().ok()?).ok()?
            }
            None => IpNet::from(text.parse::<IpAddr>().ok()?),
        };
        Some(Self(network.trunc()))
    }

    /// True for an address in it; one of IPv4 is in none of IPv6.
    pub fn contains(self, address: IpAddr) -> bool {
        self.0.contains(&address)
    }
}

/// A number, comparable by its bits; never one that is not a number.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Number(u64);

impl Number {
    /// A finite number; zero has no sign.
    pub fn new(number: f64) -> Option<Self> {
        number.is_finite().then(|| Self((number + 0.0).to_bits()))
    }

    /// The number.
    pub fn get(self) -> f64 {
        f64::from_bits(self.0)
    }
}

/// What a rule asks of the values of one field: it holds if one of them answers yes.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub enum Question {
    /// The folded text is one of these.
    OneOf(Fold, BTreeSet<String>),
    /// The folded text contains one of these.
    ContainsAny(Fold, BTreeSet<String>),
    /// The folded text starts with this.
    StartsWith(Fold, String),
    /// The folded text ends with this.
    EndsWith(Fold, String),
    /// The folded text matches this regular expression, its flags at its start.
    Matches(Fold, String),
    /// The address is in the network.
    In(Network),
    /// The number stands so to this one.
    Compares(Order, Number),
    /// The value is a time, and this part of it in UTC stands so to this number.
    Part(TimePart, Order, Number),
    /// The value is this truth value, also written as text.
    Is(bool),
    /// The field has no value.
    Null,
    /// The field has a value.
    Exists,
}

/// Questions about one field, joined.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Predicate {
    /// A question.
    One(Question),
    /// One holds.
    Any(Vec<Predicate>),
    /// All hold, each for a value of its own if need be.
    All(Vec<Predicate>),
    /// The field has a value, and this does not hold.
    Not(Box<Predicate>),
}

#[cfg(test)]
mod tests {
    use super::{Fold, Leaf, Network, Number};

    #[test]
    fn names_of_operations_compare_without_what_microsoft_varies() {
        for text in [
            "Update application \u{2013} Certificates and secrets management ",
            "update application - certificates and secrets management",
            "Update application  -  Certificates and secrets management.",
        ] {
            assert_eq!(
                Fold::Operation.apply(text),
                "update application - certificates and secrets management",
                "{text:?}"
            );
        }
    }

    #[test]
    fn networks_hold_their_addresses() {
        let network = Network::parse("10.1.0.0/16").unwrap();
        assert!(network.contains("10.1.255.9".parse().unwrap()));
        assert!(!network.contains("10.2.0.1".parse().unwrap()));
        assert!(!network.contains("::10.1.0.1".parse().unwrap()));
        assert!(
            Network::parse("2001:db8::/32")
                .unwrap()
                .contains("2001:db8:1::7".parse().unwrap())
        );
        assert!(
            Network::parse("0.0.0.0/0")
                .unwrap()
                .contains("203.0.113.9".parse().unwrap())
        );
        for text in [
            "10.0.0.0/33",
            "10.0.0/8",
            "x/8",
            "::/129",
            "10.0.0.0/-1",
            "",
        ] {
            assert_eq!(Network::parse(text), None, "{text}");
        }
    }

    #[test]
    fn a_number_written_as_text_is_a_number() {
        assert_eq!(Leaf::Text(" 7.5 ").number(), Some(7.5));
        assert_eq!(Leaf::Integer(0).number(), Some(0.0));
        for text in ["", "NaN", "inf", "-infinity", "1e999", "seven"] {
            assert_eq!(Leaf::Text(text).number(), None, "{text}");
        }
        assert_eq!(Number::new(f64::NAN), None);
        assert_eq!(Number::new(-0.0), Number::new(0.0));
    }
}
