//! Groups and domains of the tenant, and what of the directory changed when, for Graph's delta queries.
//!
//! Source: Microsoft Graph v1.0, `group`, `domain`, delta query overview.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use crate::world::chance::Chance;
use crate::world::moment::{self, HOUR_US};
use crate::world::users::{DOMAIN, INITIAL_DOMAIN};

/// A domain that somebody entered and never verified.
const UNVERIFIED_DOMAIN: &str = "harbour-events.example";

/// A collection that tells its changes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub(crate) enum DeltaCollection {
    Users,
    Groups,
}

impl DeltaCollection {
    /// Its name in Graph.
    pub(crate) const fn name(self) -> &'static str {
        match self {
            Self::Users => "users",
            Self::Groups => "groups",
        }
    }
}

/// Where a client stands in a round of changes; its links carry it, sealed.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct DeltaRound {
    pub(crate) collection: DeltaCollection,
    /// The properties that the first request selected.
    pub(crate) select: Option<String>,
    /// The last change that the client knew as the round began.
    pub(crate) since: u64,
    /// The last change as the round began: the next round tells what came after it.
    pub(crate) until: u64,
    /// The object that the next page begins with.
    pub(crate) next: usize,
    /// True if the round is over.
    pub(crate) is_over: bool,
    /// When the link was given, on the wall clock.
    pub(crate) given_us: i64,
}

/// When each object was last seen to change, as a number that grows with each change.
#[derive(Debug, Default)]
pub(crate) struct DirectoryChanges {
    seen: BTreeMap<(DeltaCollection, String), Seen>,
    last: u64,
}

#[derive(Debug)]
struct Seen {
    object: u128,
    changed: u64,
}

impl DirectoryChanges {
    /// Looks at the objects of a collection as they are now, and gives each with the number of its last change.
    pub(crate) fn observe(&mut self, collection: DeltaCollection, objects: &[Value]) -> Vec<u64> {
        objects
            .iter()
            .map(|object| {
                let id = object["id"].as_str().unwrap_or_default().to_owned();
                let hash = schemas::ids::hash(&[object.to_string().as_bytes()]);
                let seen = self.seen.entry((collection, id)).or_insert(Seen {
                    object: hash,
                    changed: 0,
                });
                if seen.changed == 0 || seen.object != hash {
                    self.last += 1;
                    *seen = Seen {
                        object: hash,
                        changed: self.last,
                    };
                }
                seen.changed
            })
            .collect()
    }

    /// The number of the last change.
    pub(crate) fn last(&self) -> u64 {
        self.last
    }
}

/// The tenant's groups: name, local part of the address if it has one, whether it is for security, and its rule.
const GROUPS: &[(&str, Option<&str>, bool, Option<&str>)] = &[
    ("All Staff", Some("all-staff"), false, None),
    ("Finance", Some("finance"), false, None),
    ("Harbour Project", Some("project"), false, None),
    ("VPN Users", None, true, None),
    ("Guests", None, true, Some("(user.userType -eq \"Guest\")")),
];

/// The groups as Graph shows them.
pub(crate) fn groups(chance: Chance, start_us: i64) -> Vec<Value> {
    let group = |(name, address, is_security, rule): &(&str, Option<&str>, bool, Option<&str>)| {
        let mut types = Vec::new();
        types.extend(address.map(|_| "Unified"));
        types.extend(rule.map(|_| "DynamicMembership"));
        json!({
            "id": chance.uuid(&["group", name]),
            "displayName": name,
            "mail": address.map(|address| format!("{address}@{DOMAIN}")),
            "mailEnabled": address.is_some(),
            "groupTypes": types,
            "securityEnabled": is_security,
            "createdDateTime": moment::seconds(start_us - 500 * 24 * HOUR_US),
            "membershipRule": rule,
        })
    };
    GROUPS.iter().map(group).collect()
}

/// The domains as Graph shows them: the tenant's own, the one it began with, and one that is not verified.
pub(crate) fn domains() -> Vec<Value> {
    let domain = |id: &str, is_default: bool, is_initial: bool, is_verified: bool| {
        json!({
            "id": id,
            "authenticationType": "Managed",
            "availabilityStatus": null,
            "isAdminManaged": true,
            "isDefault": is_default,
            "isInitial": is_initial,
            "isRoot": true,
            "isVerified": is_verified,
            "supportedServices": if is_verified { vec!["Email", "OfficeCommunicationsOnline"] } else { Vec::new() },
            "passwordValidityPeriodInDays": 2_147_483_647_u32,
            "passwordNotificationWindowInDays": 14,
        })
    };
    vec![
        domain(DOMAIN, true, false, true),
        domain(INITIAL_DOMAIN, false, true, true),
        domain(UNVERIFIED_DOMAIN, false, false, false),
    ]
}

#[cfg(test)]
mod tests {
    use super::{DeltaCollection, DirectoryChanges};
    use serde_json::json;

    #[test]
    fn an_object_has_the_number_of_its_last_change() {
        let mut changes = DirectoryChanges::default();
        let ada = |enabled: bool| json!({"id": "ada", "accountEnabled": enabled});
        let ben = json!({"id": "ben"});
        let users = DeltaCollection::Users;
        assert_eq!(changes.observe(users, &[ada(true), ben.clone()]), [1, 2]);
        assert_eq!(changes.observe(users, &[ada(true), ben.clone()]), [1, 2]);
        assert_eq!(changes.observe(users, &[ada(false), ben.clone()]), [3, 2]);
        assert_eq!(changes.observe(DeltaCollection::Groups, &[ben]), [4]);
        assert_eq!(changes.last(), 4);
    }
}
