//! Pure: whom the never-act list protects, as object ids that a new name does not change.
//!
//! An entry is an object id, a user principal name or another address of the account; `TENANT/entry` holds in that
//! tenant only, any other entry in every tenant. Each is resolved in the directory at the start and every hour, and
//! what it resolved to is kept for ever: an account that was protected once stays so under every name. A tenant in
//! which an entry has never resolved is not acted in: an entry with a slip of the pen protects nobody.

use std::collections::{BTreeMap, BTreeSet};

use crate::directory::ObjectId;

/// An entry of the list and an account that it resolved to.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Pin {
    /// The entry, in lower case.
    pub entry: String,
    /// Object id of the account.
    pub user_id: String,
}

/// An entry in lower case, and the tenant that it names where it names one.
pub fn parts(entry: &str) -> (Option<String>, String) {
    let entry = entry.trim().to_lowercase();
    match entry.split_once('/') {
        Some((tenant, rest)) if ObjectId::parse(tenant).is_ok() => {
            (Some(tenant.to_owned()), rest.trim().to_owned())
        }
        _ => (None, entry),
    }
}

/// The entries that hold in a tenant, in lower case and without its name.
pub fn entries_of<'a>(
    list: impl IntoIterator<Item = &'a String>,
    tenant_id: &str,
) -> BTreeSet<String> {
    list.into_iter()
        .map(|entry| parts(entry))
        .filter(|(tenant, _)| {
            tenant
                .as_ref()
                .is_none_or(|tenant| tenant.eq_ignore_ascii_case(tenant_id))
        })
        .map(|(_, entry)| entry)
        .filter(|entry| !entry.is_empty())
        .collect()
}

/// What is known of a tenant's list.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Protected {
    by_id: BTreeMap<String, String>,
    /// Entries that have never resolved: whom they mean is not known.
    pub unresolved: Vec<String>,
}

impl Protected {
    /// Whom `entries` protect by what they resolved to at any time; pins of entries taken off the list count for
    /// nothing.
    pub fn of(entries: &BTreeSet<String>, pins: &[Pin]) -> Self {
        let by_id = pins
            .iter()
            .filter(|pin| entries.contains(&pin.entry))
            .map(|pin| (pin.user_id.clone(), pin.entry.clone()))
            .collect();
        let unresolved = entries
            .iter()
            .filter(|entry| !pins.iter().any(|pin| pin.entry == **entry))
            .cloned()
            .collect();
        Self { by_id, unresolved }
    }

    /// The entry that protects this account, if one does.
    pub fn entry_of(&self, user_id: &str) -> Option<&str> {
        self.by_id.get(user_id).map(String::as_str)
    }

    /// Object ids of all whom it protects.
    pub fn ids(&self) -> impl Iterator<Item = &str> {
        self.by_id.keys().map(String::as_str)
    }
}

#[cfg(test)]
mod tests {
    use super::{Pin, Protected, entries_of};

    const TENANT: &str = "7f3caaaa-0000-4000-8000-000000000001";

    #[test]
    fn an_entry_of_another_tenant_does_not_hold_here() {
        let list = [
            " Ada@B.test ".to_owned(),
            format!("{}/bo@b.test", TENANT.to_uppercase()),
            "7f3caaaa-0000-4000-8000-000000000002/cy@b.test".to_owned(),
            String::new(),
        ];
        let held: Vec<String> = entries_of(&list, TENANT).into_iter().collect();
        assert_eq!(held, ["ada@b.test", "bo@b.test"]);
    }

    #[test]
    fn what_an_entry_resolved_to_stays_protected_and_what_never_did_is_told() {
        let pin = |entry: &str, user_id: &str| Pin {
            entry: entry.to_owned(),
            user_id: user_id.to_owned(),
        };
        let entries = ["ada@b".to_owned(), "typo@b".to_owned()].into();
        // The name passed on: both who had it are protected.
        let pins = [pin("ada@b", "1"), pin("ada@b", "2"), pin("gone@b", "3")];
        let protected = Protected::of(&entries, &pins);
        assert_eq!(protected.entry_of("1"), Some("ada@b"));
        assert_eq!(protected.entry_of("2"), Some("ada@b"));
        assert_eq!(protected.entry_of("3"), None);
        assert_eq!(protected.unresolved, ["typo@b"]);
    }
}
