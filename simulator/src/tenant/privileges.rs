//! Groups that hold roles, and roles that can be taken (Privileged Identity Management).
//!
//! Source: Microsoft Entra, Use Microsoft Entra groups to manage role assignments; What is Privileged Identity Management.

use std::collections::BTreeSet;

use serde::{Deserialize, Serialize};

/// A group with members and roles of its own.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct RoleGroup {
    pub(crate) id: String,
    pub(crate) name: String,
    /// Whether it may hold roles.
    #[serde(default)]
    pub(crate) is_assignable_to_role: bool,
    /// Ids of users and groups.
    pub(crate) members: Vec<String>,
    /// Templates of the roles that its members hold.
    #[serde(default)]
    pub(crate) roles: Vec<String>,
}

/// A role that somebody, or the members of a group, can take.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Eligibility {
    pub(crate) principal_id: String,
    pub(crate) role: String,
}

/// Groups with roles, and roles that can be taken.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub(crate) struct Privileges {
    pub(crate) groups: Vec<RoleGroup>,
    pub(crate) eligible: Vec<Eligibility>,
    /// The tenant has no licence for roles that can be taken.
    pub(crate) is_unlicensed: bool,
}

impl Privileges {
    /// The groups that somebody is in, also through other groups.
    pub(crate) fn groups_of(&self, member: &str) -> Vec<&RoleGroup> {
        let mut known = BTreeSet::from([member.to_ascii_lowercase()]);
        loop {
            let before = known.len();
            for group in &self.groups {
                let is_in = |member: &String| known.contains(&member.to_ascii_lowercase());
                if group.members.iter().any(is_in) {
                    known.insert(group.id.to_ascii_lowercase());
                }
            }
            if known.len() == before {
                break;
            }
        }
        let groups = self.groups.iter();
        groups
            .filter(|group| known.contains(&group.id.to_ascii_lowercase()))
            .collect()
    }
}

#[cfg(test)]
mod tests {
    use super::{Privileges, RoleGroup};

    #[test]
    fn a_member_of_a_member_is_a_member() {
        let group = |id: &str, members: &[&str]| RoleGroup {
            id: id.to_owned(),
            name: id.to_owned(),
            is_assignable_to_role: true,
            members: members.iter().map(|&member| member.to_owned()).collect(),
            roles: Vec::new(),
        };
        let privileges = Privileges {
            // In a ring, which a directory forbids and a reader must survive.
            groups: vec![
                group("a", &["b"]),
                group("b", &["c", "a"]),
                group("c", &["ME"]),
                group("d", &["you"]),
            ],
            ..Privileges::default()
        };
        let ids: Vec<&str> = privileges
            .groups_of("me")
            .into_iter()
            .map(|group| group.id.as_str())
            .collect();
        assert_eq!(ids, ["a", "b", "c"]);
    }
}
