//! What members of a record say, and objects made of what was said.

use std::net::IpAddr;

use schemas::ip;
use serde_json::{Map, Value};

/// A record of the unified audit log, or an object in it; keys match in any letter case.
#[derive(Debug, Clone, Copy)]
pub(super) struct Record<'a>(pub(super) &'a Map<String, Value>);

impl<'a> Record<'a> {
    pub(super) fn member(self, name: &str) -> Option<&'a Value> {
        self.0.get(name).or_else(|| {
            let mut members = self.0.iter();
            members
                .find(|(key, _)| key.eq_ignore_ascii_case(name))
                .map(|(_, value)| value)
        })
    }

    /// A text that says something.
    pub(super) fn text(self, name: &str) -> Option<&'a str> {
        let text = self.member(name)?.as_str()?.trim();
        let says = !text.is_empty() && !text.eq_ignore_ascii_case("<null>");
        says.then_some(text)
    }

    pub(super) fn first_text(self, names: &[&str]) -> Option<&'a str> {
        names.iter().find_map(|name| self.text(name))
    }

    /// A number, or a text that is one.
    pub(super) fn number(self, name: &str) -> Option<i64> {
        match self.member(name)? {
            Value::Number(number) => number.as_i64(),
            Value::String(text) => text.trim().parse().ok(),
            _ => None,
        }
    }

    /// The objects of a list.
    pub(super) fn objects(self, name: &str) -> impl Iterator<Item = Record<'a>> {
        let items = self.member(name).and_then(Value::as_array);
        let objects = items.into_iter().flatten().filter_map(Value::as_object);
        objects.map(Record)
    }

    /// What a list of names and values has under a name.
    pub(super) fn property(self, list: &str, name: &str) -> Option<&'a str> {
        let is_it = |pair: &Record<'_>| {
            pair.text("Name")
                .is_some_and(|own| own.eq_ignore_ascii_case(name))
        };
        self.objects(list).find(is_it)?.text("Value")
    }

    /// The first of the members that is an address.
    pub(super) fn address(self) -> Option<&'a str> {
        let names = ["ActorIpAddress", "ClientIP", "ClientIPAddress"].iter();
        let mut texts = names.filter_map(|name| self.text(name));
        let is_address = |host: String| host.parse::<IpAddr>().is_ok();
        texts.find(|text| ip::host(text).is_some_and(is_address))
    }
}

/// An object of the members that have a value.
pub(super) fn object<'a>(members: impl IntoIterator<Item = (&'a str, Option<Value>)>) -> Value {
    let members = members
        .into_iter()
        .filter_map(|(name, value)| Some((name.to_owned(), value?)));
    Value::Object(members.collect())
}

/// A text as a value.
pub(super) fn value(text: Option<&str>) -> Option<Value> {
    text.map(Value::from)
}
