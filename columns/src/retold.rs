//! What Entra's own logs would say of an act that the unified audit log tells.
//!
//! Entra writes its sign-ins and the changes of its directory into the unified audit log too (workload
//! `AzureActiveDirectory`), in another shape and under other names. Rules are written against Entra's own logs; told
//! again in their shape, a record meets the same rules, whichever log it came in. Only what the record says is carried
//! over: what Entra's own log would know beyond it stays absent.
//!
//! Sources: Office 365 Management Activity API schema, "Microsoft Entra Base schema", "Account Logon schema" and
//! "Secure Token Service Logon schema"; Microsoft Graph, resources `directoryAudit` and `signIn`. Pure.

mod directory_audit;
mod error_codes;
mod identity;
mod sign_in;

use std::net::IpAddr;

use schemas::ip;
use schemas::tables::Table;
use serde_json::{Map, Value};

/// A record as Entra's own log would have it.
#[derive(Debug, Clone, PartialEq)]
pub struct Retold {
    /// The table of that log.
    pub table: Table,
    /// The id that the act has there; of a change of the directory, whose id there nobody else is told, the record's own.
    pub event_id: String,
    /// The record in that log's shape.
    pub record: Value,
}

/// The workload under which Entra writes into the unified audit log.
pub const WORKLOAD: &str = "AzureActiveDirectory";

/// The record of the unified audit log told again; none if it is not one of Entra's.
pub fn retold(record: &Value) -> Option<Retold> {
    let record = Record(record.as_object()?);
    if !record.text("Workload")?.eq_ignore_ascii_case(WORKLOAD) {
        return None;
    }
    let operation = record.text("Operation")?;
    if sign_in::is_one(record, operation) {
        return Some(Retold {
            table: Table::Signins,
            event_id: record.first_text(&["IntraSystemId", "Id"])?.to_owned(),
            record: sign_in::retold(record, operation),
        });
    }
    Some(Retold {
        table: Table::DirectoryAudits,
        event_id: record.text("Id")?.to_owned(),
        record: directory_audit::retold(record, operation),
    })
}

/// A record of the unified audit log, or an object in it; keys match in any letter case.
#[derive(Debug, Clone, Copy)]
struct Record<'a>(&'a Map<String, Value>);

impl<'a> Record<'a> {
    fn member(self, name: &str) -> Option<&'a Value> {
        self.0.get(name).or_else(|| {
            let mut members = self.0.iter();
            members
                .find(|(key, _)| key.eq_ignore_ascii_case(name))
                .map(|(_, value)| value)
        })
    }

    /// A text that says something.
    fn text(self, name: &str) -> Option<&'a str> {
        let text = self.member(name)?.as_str()?.trim();
        let says = !text.is_empty() && !text.eq_ignore_ascii_case("<null>");
        says.then_some(text)
    }

    fn first_text(self, names: &[&str]) -> Option<&'a str> {
        names.iter().find_map(|name| self.text(name))
    }

    /// A number, or a text that is one.
    fn number(self, name: &str) -> Option<i64> {
        match self.member(name)? {
            Value::Number(number) => number.as_i64(),
            Value::String(text) => text.trim().parse().ok(),
            _ => None,
        }
    }

    /// The objects of a list.
    fn objects(self, name: &str) -> impl Iterator<Item = Record<'a>> {
        let items = self.member(name).and_then(Value::as_array);
        let objects = items.into_iter().flatten().filter_map(Value::as_object);
        objects.map(Record)
    }

    /// What a list of names and values has under a name.
    fn property(self, list: &str, name: &str) -> Option<&'a str> {
        let is_it = |pair: &Record<'_>| {
            pair.text("Name")
                .is_some_and(|own| own.eq_ignore_ascii_case(name))
        };
        self.objects(list).find(is_it)?.text("Value")
    }

    /// The first of the members that is an address.
    fn address(self) -> Option<&'a str> {
        let names = ["ActorIpAddress", "ClientIP", "ClientIPAddress"].iter();
        let mut texts = names.filter_map(|name| self.text(name));
        let is_address = |host: String| host.parse::<IpAddr>().is_ok();
        texts.find(|text| ip::host(text).is_some_and(is_address))
    }
}

/// An object of the members that have a value.
fn object<'a>(members: impl IntoIterator<Item = (&'a str, Option<Value>)>) -> Value {
    let members = members
        .into_iter()
        .filter_map(|(name, value)| Some((name.to_owned(), value?)));
    Value::Object(members.collect())
}

/// A text as a value.
fn value(text: Option<&str>) -> Option<Value> {
    text.map(Value::from)
}

#[cfg(test)]
mod tests;
