//! Which directory roles somebody holds or can take, directly and through groups.
//!
//! Protocol: Microsoft Graph v1.0, `users/{id}/transitiveMemberOf`, `roleManagement/directory/roleAssignments` and
//! `roleEligibilityScheduleInstances`, each filtered by one principal: a list of the transitive assignments is in
//! beta only. Where Graph may not tell what a group is, it still tells its id, and its roles are asked for all the same.
//! Not seen: membership of a group that can itself be taken (PIM for Groups), which needs a permission of its own.

use std::collections::BTreeMap;

use serde_json::Value;

use super::{GraphDirectory, malformed};
use crate::directory::{DirectoryError, ObjectId, Role};

/// Most groups whose roles are asked for one by one; beyond, all roles of the tenant are listed once.
const PRINCIPALS_MAX: usize = 20;

/// What a tenant without a licence for roles that can be taken answers: nobody can take one there.
const UNLICENSED: &str = "AadPremiumLicenseRequired";

/// Both lists of who has which role.
const LISTS: [&str; 2] = ["roleAssignments", "roleEligibilityScheduleInstances"];

impl GraphDirectory {
    /// Every role that the account holds or can take, each once.
    pub(super) async fn roles_of(&self, id: &ObjectId) -> Result<Vec<Role>, DirectoryError> {
        let mut roles: BTreeMap<String, Role> = BTreeMap::new();
        let mut principals = vec![id.clone()];
        let mut url = self.url(&["users", id.as_str(), "transitiveMemberOf"])?;
        url.set_query(Some("$top=999"));
        for member in self.list(url).await? {
            match member_of(&member)? {
                Member::Role(role) => {
                    roles.insert(role.id.clone(), role);
                }
                Member::Group(group) => principals.push(group),
                Member::Other => {}
            }
        }
        for list in LISTS {
            for role in self.roles_in(list, &principals).await? {
                roles.insert(role.id.clone(), role);
            }
        }
        Ok(roles.into_values().collect())
    }

    async fn roles_in(
        &self,
        list: &str,
        principals: &[ObjectId],
    ) -> Result<Vec<Role>, DirectoryError> {
        let one_by_one = principals.len() <= PRINCIPALS_MAX;
        let filters: Vec<Option<&ObjectId>> = if one_by_one {
            principals.iter().map(Some).collect()
        } else {
            vec![None]
        };
        let mut found = Vec::new();
        for principal in filters {
            let mut url = self.url(&["roleManagement", "directory", list])?;
            let query = match principal {
                Some(id) => format!("$filter=principalId%20eq%20'{id}'&$expand=roleDefinition"),
                None => "$expand=roleDefinition".to_owned(),
            };
            url.set_query(Some(&query));
            let entries = match self.list(url).await {
                Ok(entries) => entries,
                Err(error) if is_unlicensed(&error) => return Ok(Vec::new()),
                Err(error) => return Err(error),
            };
            for entry in &entries {
                let whose = entry.get("principalId").and_then(Value::as_str);
                let whose =
                    whose.ok_or_else(|| malformed("a role assignment without principal"))?;
                if principals
                    .iter()
                    .any(|known| known.as_str().eq_ignore_ascii_case(whose))
                {
                    found.push(role_of(entry)?);
                }
            }
        }
        Ok(found)
    }
}

fn is_unlicensed(error: &DirectoryError) -> bool {
    match error {
        DirectoryError::Rejected { code, .. } | DirectoryError::Denied { code, .. } => {
            code == UNLICENSED
        }
        _ => false,
    }
}

/// What an account is a member of.
#[derive(Debug, PartialEq, Eq)]
enum Member {
    /// A directory role, which it then holds.
    Role(Role),
    /// A group that may hold roles.
    Group(ObjectId),
    /// What holds none.
    Other,
}

/// A group holds no roles only if it says so.
fn member_of(found: &Value) -> Result<Member, DirectoryError> {
    let text = |key: &str| found.get(key).and_then(Value::as_str);
    let id = text("id").ok_or_else(|| malformed("a group without id"))?;
    let kind = text("@odata.type").unwrap_or_default();
    if kind == "#microsoft.graph.directoryRole" {
        let template = text("roleTemplateId").unwrap_or(id);
        return Ok(Member::Role(Role {
            id: template.to_ascii_lowercase(),
            name: text("displayName").unwrap_or(template).to_owned(),
        }));
    }
    let is_group = matches!(kind, "" | "#microsoft.graph.group");
    let may_hold_roles = found.get("isAssignableToRole").and_then(Value::as_bool) != Some(false);
    if !is_group || !may_hold_roles {
        return Ok(Member::Other);
    }
    ObjectId::parse(id)
        .map(Member::Group)
        .map_err(|_| malformed("a group whose id is no object id"))
}

/// A role whose definition is missing is still a role.
fn role_of(found: &Value) -> Result<Role, DirectoryError> {
    let definition = found.get("roleDefinition");
    let of_definition = |key: &str| {
        definition
            .and_then(|role| role.get(key))
            .and_then(Value::as_str)
    };
    let id = of_definition("templateId")
        .or_else(|| of_definition("id"))
        .or_else(|| found.get("roleDefinitionId").and_then(Value::as_str))
        .ok_or_else(|| malformed("a role assignment without role"))?;
    let name = of_definition("displayName").unwrap_or(id);
    Ok(Role {
        id: id.to_ascii_lowercase(),
        name: name.to_owned(),
    })
}

#[cfg(test)]
mod tests {
    use super::{Member, member_of, role_of};
    use serde_json::json;

    #[test]
    fn a_role_without_definition_is_still_a_role() {
        assert_eq!(
            role_of(&json!({"roleDefinitionId": "ABC"})).unwrap().id,
            "abc"
        );
        assert!(role_of(&json!({})).is_err());
    }

    #[test]
    fn a_group_that_does_not_say_that_it_holds_no_roles_may_hold_some() {
        let id = "1f00aaaa-0000-4000-8000-00000000000a";
        let of = |kind: &str, assignable: serde_json::Value| {
            member_of(&json!({"id": id, "@odata.type": kind, "isAssignableToRole": assignable}))
                .unwrap()
        };
        for assignable in [json!(true), json!(null)] {
            assert!(matches!(
                of("#microsoft.graph.group", assignable),
                Member::Group(_)
            ));
        }
        assert_eq!(of("#microsoft.graph.group", json!(false)), Member::Other);
        assert_eq!(
            of("#microsoft.graph.administrativeUnit", json!(null)),
            Member::Other
        );
        assert!(matches!(
            of("#microsoft.graph.directoryRole", json!(null)),
            Member::Role(_)
        ));
        assert!(member_of(&json!({"id": "../users"})).is_err());
    }
}
