//! What tables make of a value: other units, other words, lists of objects. Pure; a value of another form gives none.

use std::net::IpAddr;

use schemas::severity::Severity;
use schemas::time;
use serde_json::{Value, json};

/// A time in milliseconds since the Unix epoch, UTC.
pub(super) fn milliseconds(value: &Value) -> Option<Value> {
    let time_us = time::parse_us(value.as_str()?)?;
    Some(time_us.div_euclid(1000).into())
}

/// An IPv4 or IPv6 address, and none of anything else: receivers refuse a document for it.
pub(super) fn ip(value: &Value) -> Option<Value> {
    let address: IpAddr = value.as_str()?.parse().ok()?;
    Some(address.to_string().into())
}

/// An IPv4 address.
pub(super) fn ipv4(value: &Value) -> Option<Value> {
    let address: IpAddr = value.as_str()?.parse().ok()?;
    address.is_ipv4().then(|| address.to_string().into())
}

/// An IPv6 address.
pub(super) fn ipv6(value: &Value) -> Option<Value> {
    let address: IpAddr = value.as_str()?.parse().ok()?;
    address.is_ipv6().then(|| address.to_string().into())
}

/// The value in a list of its own.
pub(super) fn alone(value: &Value) -> Option<Value> {
    let is_nothing = value.as_str().is_none_or(str::is_empty);
    (!is_nothing).then(|| json!([value]))
}

/// A name that is also an address of mail.
pub(super) fn mail(value: &Value) -> Option<Value> {
    let name = value.as_str()?;
    name.contains('@').then(|| name.into())
}

/// A list of steps as one text, a step a line.
pub(super) fn steps(value: &Value) -> Option<Value> {
    let steps: Vec<&str> = value.as_array()?.iter().filter_map(Value::as_str).collect();
    (!steps.is_empty()).then(|| steps.join("\n").into())
}

/// The severity by its word.
pub(super) fn severity(value: &Value) -> Option<Severity> {
    value.as_str()?.parse().ok()
}

/// The severity as a number from 0 to 10, as CEF and LEEF have it: 0 to 3 low, to 6 medium, to 8 high, to 10 very high.
pub(super) fn severity_of_ten(value: &Value) -> Option<Value> {
    let number = match severity(value)? {
        Severity::Informational => 1,
        Severity::Low => 3,
        Severity::Medium => 5,
        Severity::High => 8,
        Severity::Critical => 10,
    };
    Some(number.into())
}

/// What an object's members say, as a list.
pub(super) fn members(value: &Value) -> Option<Value> {
    let members: Vec<&Value> = value.as_object()?.values().collect();
    (!members.is_empty()).then(|| json!(members))
}

/// This word where the list has anything.
pub(super) fn word_if(list: &Value, word: &str) -> Option<Value> {
    list.as_array()
        .is_some_and(|items| !items.is_empty())
        .then(|| word.into())
}
