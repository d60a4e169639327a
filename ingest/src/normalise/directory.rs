//! Users, groups and domains of the directory: one event for each state of an object. Pure.
//!
//! Source: Microsoft Graph v1.0, `user`, `group`, `domain`, and the delta functions of the first two.

use schemas::ids;
use schemas::provenance::Provenance;
use schemas::tables::Table;
use serde_json::{Map, Value};

use super::origin::Origin;
use super::reading::{Description, word};

/// A kind of object of the directory.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Kind {
    User,
    Group,
    Domain,
}

impl Kind {
    pub(crate) const ALL: [Self; 3] = [Self::User, Self::Group, Self::Domain];

    /// Name of its collection in Graph, which is the category of its events.
    pub(crate) const fn name(self) -> &'static str {
        match self {
            Self::User => "users",
            Self::Group => "groups",
            Self::Domain => "domains",
        }
    }

    const fn table(self) -> Table {
        match self {
            Self::User => Table::DirectoryUsers,
            Self::Group => Table::DirectoryGroups,
            Self::Domain => Table::DirectoryDomains,
        }
    }

    const fn type_name(self) -> &'static str {
        match self {
            Self::User => "#microsoft.graph.user",
            Self::Group => "#microsoft.graph.group",
            Self::Domain => "#microsoft.graph.domain",
        }
    }

    fn of_name(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|kind| kind.name() == name)
    }
}

/// The kind of what the source read from a collection: nothing else stands there, however it looks.
pub(super) fn came_from(origin: &Origin<'_>) -> Option<Kind> {
    origin.category.and_then(Kind::of_name)
}

/// The kind that a record shows by its type, its context or its members; none if it is something else.
pub(super) fn read(record: &Value) -> Option<Kind> {
    let typed = || {
        let name = record.get("@odata.type")?.as_str()?;
        Kind::ALL
            .into_iter()
            .find(|kind| kind.type_name().eq_ignore_ascii_case(name))
    };
    typed()
        .or_else(|| of_context(record.get("@odata.context")?.as_str()?))
        .or_else(|| of_members(record))
}

/// The kind of an object by its context, for example `…/$metadata#users(id,mail)/$entity`.
///
/// What belongs to an object, for example `#users('1')/messages/$entity`, is something else.
fn of_context(context: &str) -> Option<Kind> {
    let (_, of_what) = context.split_once("$metadata#")?;
    let end = of_what.find(['(', '/']).unwrap_or(of_what.len());
    let (name, mut rest) = of_what.split_at(end);
    if rest.starts_with('(') {
        let mut depth = 0_usize;
        let close = rest.bytes().position(|byte| {
            match byte {
                b'(' => depth += 1,
                b')' => depth -= 1,
                _ => {}
            }
            depth == 0
        })?;
        rest = rest.get(close + 1..)?;
    }
    matches!(rest, "" | "/$entity" | "/$delta")
        .then(|| Kind::of_name(name))
        .flatten()
}

/// The kind of an item of a page, which has lost its context.
fn of_members(record: &Value) -> Option<Kind> {
    let names = |wanted: &str| {
        record
            .as_object()
            .is_some_and(|members| members.keys().any(|name| name.eq_ignore_ascii_case(wanted)))
    };
    let any = |wanted: &[&str]| wanted.iter().any(|wanted| names(wanted));
    word(record, &["id"])?;
    if names("isVerified") && names("authenticationType") {
        Some(Kind::Domain)
    } else if names("groupTypes") && any(&["securityEnabled", "mailEnabled"]) {
        Some(Kind::Group)
    } else if names("userPrincipalName")
        && names("displayName")
        && any(&["accountEnabled", "userType", "proxyAddresses", "mail"])
    {
        Some(Kind::User)
    } else {
        None
    }
}

/// Describes an object by its state; a word on what is missing if it cannot be told from others.
///
/// The event's id is a hash of tenant, kind, object and state: the same state read twice is one event. It has no
/// time, because Graph does not tell when an object became what it is.
pub(super) fn describe(
    record: &Value,
    kind: Kind,
    tenant_id: String,
) -> Result<Description, &'static str> {
    let object_id = object_id(record).ok_or("an object of the directory without id")?;
    let event_id = ids::hex(&[
        b"directory",
        tenant_id.as_bytes(),
        kind.name().as_bytes(),
        object_id.as_bytes(),
        ids::of_content(&state_of(record)).as_bytes(),
    ]);
    Ok(Description {
        name: "an object of the directory",
        table: kind.table(),
        tenant_id,
        event_id,
        event_time_us: None,
        category: kind.name().to_owned(),
        provenance: Provenance::Unknown,
        problems: Vec::new(),
    })
}

/// The id by which Graph knows an object.
pub(crate) fn object_id(record: &Value) -> Option<String> {
    match schemas::path::find(record, "id")?.as_ref() {
        Value::String(id) if !id.trim().is_empty() => Some(id.clone()),
        _ => None,
    }
}

/// What an object is, without what differs between two answers about the same state.
///
/// Graph leaves out what was never set and writes null for what was unset, it notes things on its own account
/// (`@odata.…`), and it gives addresses, services and types in any order.
fn state_of(record: &Value) -> Value {
    let members = record.as_object().cloned().unwrap_or_default();
    let is_state = |(name, value): &(String, Value)| {
        let is_empty = value.is_null() || value.as_array().is_some_and(Vec::is_empty);
        !is_empty && !name.contains("@odata.")
    };
    let state: Map<String, Value> = members
        .into_iter()
        .filter(is_state)
        .map(|(name, value)| (name, in_order(value)))
        .collect();
    Value::Object(state)
}

/// A list of texts in the order of the alphabet; everything else as it is.
fn in_order(mut value: Value) -> Value {
    if let Value::Array(items) = &mut value
        && items.iter().all(Value::is_string)
    {
        items.sort_unstable_by(|one, other| one.as_str().cmp(&other.as_str()));
    }
    value
}

#[cfg(test)]
mod tests {
    use super::{Kind, describe, read, state_of};
    use serde_json::{Value, json};

    #[test]
    fn an_object_shows_its_kind() {
        let context = |of_what: &str| json!({"@odata.context": format!("https://graph.microsoft.com/v1.0/$metadata#{of_what}"), "id": "1"});
        for (record, expected) in [
            (context("users/$entity"), Some(Kind::User)),
            (
                context("users(id,memberOf(displayName))/$entity"),
                Some(Kind::User),
            ),
            (context("groups/$delta"), Some(Kind::Group)),
            (context("domains"), Some(Kind::Domain)),
            (context("users('1')/messages/$entity"), None),
            (context("users((("), None),
            (context("users)"), None),
            (context("auditLogs/signIns"), None),
            (
                json!({"@odata.type": "#microsoft.graph.group"}),
                Some(Kind::Group),
            ),
            (
                json!({"id": "1", "userPrincipalName": "a@b.example", "displayName": null, "mail": null}),
                Some(Kind::User),
            ),
            (
                json!({"Id": "1", "DisplayName": "All", "GroupTypes": [], "SecurityEnabled": true}),
                Some(Kind::Group),
            ),
            (
                json!({"id": "b.example", "isVerified": true, "authenticationType": "Managed"}),
                Some(Kind::Domain),
            ),
            // Other things that Graph knows about users.
            (
                json!({"id": "1", "userPrincipalName": "a", "userDisplayName": "A", "userType": "member", "isMfaCapable": true}),
                None,
            ),
            (
                json!({"id": "1", "userPrincipalName": "a", "userDisplayName": "A", "riskLevel": "high"}),
                None,
            ),
            (
                json!({"userPrincipalName": "a", "displayName": "A", "mail": "a"}),
                None,
            ),
            (json!([1]), None),
        ] {
            assert_eq!(read(&record), expected, "{record}");
        }
    }

    fn id(record: &Value) -> String {
        describe(record, Kind::User, "t".to_owned())
            .unwrap()
            .event_id
    }

    #[test]
    fn a_state_has_one_id_however_it_is_written() {
        let state =
            json!({"id": "1", "mail": "a@b.example", "proxyAddresses": ["smtp:a", "SMTP:b"]});
        let same = json!({"@odata.id": "x", "proxyAddresses": ["SMTP:b", "smtp:a"], "mail": "a@b.example", "id": "1",
            "jobTitle": null, "groupTypes": []});
        assert_eq!(id(&state), id(&same));
        for other in [
            json!({"id": "2", "mail": "a@b.example", "proxyAddresses": ["smtp:a", "SMTP:b"]}),
            json!({"id": "1", "mail": "c@b.example", "proxyAddresses": ["smtp:a", "SMTP:b"]}),
            json!({"id": "1", "@removed": {"reason": "changed"}}),
        ] {
            assert_ne!(id(&state), id(&other), "{other}");
        }
        let as_group = describe(&state, Kind::Group, "t".to_owned()).unwrap();
        assert_ne!(id(&state), as_group.event_id);
        assert_eq!(
            state_of(&json!({"b": [2, 1], "a": 1})),
            json!({"a": 1, "b": [2, 1]})
        );
    }

    #[test]
    fn an_object_without_id_is_refused() {
        for record in [
            json!({}),
            json!({"id": null}),
            json!({"id": " "}),
            json!({"id": {"a": 1}}),
        ] {
            assert!(
                describe(&record, Kind::User, "t".to_owned()).is_err(),
                "{record}"
            );
        }
    }
}
