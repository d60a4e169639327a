//! The directory over Microsoft Graph.
//!
//! Delivery: a call that changes something may have happened although no answer came; the executor reads back.
//! Protocol: Microsoft Graph v1.0: `users`, `revokeSignInSessions`, `mailFolders/inbox/messageRules`,
//! and what `roles` asks for.
//! Acts on checked object ids only; a name is used for one look-up, as one encoded path segment.

mod addresses;
mod roles;

use async_trait::async_trait;
use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use microsoft::{Answer, Audience, Method, MicrosoftError, Request, TenantClient, Url};
use schemas::fate::Fate;
use schemas::time::parse_us;
use serde_json::{Value, json};

use crate::action::Permission;
use crate::directory::{
    Directory, DirectoryError, DirectoryReads, Grant, InboxRule, ObjectId, Reply, Role, User,
};

/// Most pages of one listing: 100 pages of rules are more than a mailbox can hold.
const PAGES_MAX: usize = 100;

/// Longest name that is looked up, in bytes; Entra allows 113 characters.
pub(crate) const NAME_BYTES_MAX: usize = 1_024;

const USER_FIELDS: &str = "id,userPrincipalName,accountEnabled,userType,onPremisesSyncEnabled,createdDateTime,\
                           signInSessionsValidFromDateTime";

/// The directory of one tenant.
#[derive(Clone)]
pub struct GraphDirectory {
    client: TenantClient,
    client_id: String,
}

impl GraphDirectory {
    /// Reads and acts through `client`, as the application `client_id`.
    pub fn new(client: TenantClient, client_id: &str) -> Self {
        Self {
            client,
            client_id: client_id.to_owned(),
        }
    }

    fn url(&self, segments: &[&str]) -> Result<Url, DirectoryError> {
        let mut all = vec!["v1.0"];
        all.extend(segments);
        self.client
            .url(Audience::Graph, &all)
            .map_err(directory_error)
    }

    async fn get(&self, url: Url) -> Result<Value, DirectoryError> {
        let answer = self
            .client
            .get(Audience::Graph, url)
            .await
            .map_err(directory_error)?;
        body(&answer)
    }

    /// Every entry of a listing, to the last page.
    async fn list(&self, mut url: Url) -> Result<Vec<Value>, DirectoryError> {
        let mut entries = Vec::new();
        for _ in 0..PAGES_MAX {
            let page = self.get(url).await?;
            let Some(values) = page.get("value").and_then(Value::as_array) else {
                return Err(malformed("a listing without \"value\""));
            };
            entries.extend(values.iter().cloned());
            let Some(next) = page.get("@odata.nextLink").and_then(Value::as_str) else {
                return Ok(entries);
            };
            // Opaque; the client refuses another host.
            url = Url::parse(next).map_err(|_| malformed("a next page that is no url"))?;
        }
        Err(malformed("a listing without end"))
    }

    async fn change(&self, request: Request, id: &str) -> Result<Reply, DirectoryError> {
        let request = request.with_request_id(id).once();
        let answer = self
            .client
            .send(Audience::Graph, request)
            .await
            .map_err(directory_error)?;
        Ok(Reply {
            status: answer.status,
            request_id: answer.reply_id().to_owned(),
        })
    }
}

#[async_trait]
impl DirectoryReads for GraphDirectory {
    async fn grant(&self, needed: &[Permission]) -> Result<Grant, DirectoryError> {
        let mut token = self
            .client
            .token(Audience::Graph)
            .await
            .map_err(directory_error)?;
        if !needed
            .iter()
            .all(|permission| permission.is_in(token.roles()))
        {
            // Consent that was given since shows in a new token only.
            token = self
                .client
                .renew(Audience::Graph, &token)
                .await
                .map_err(directory_error)?;
        }
        let mut own_ids = vec![self.client_id.to_lowercase()];
        own_ids.extend(principal_id(token.expose()));
        Ok(Grant {
            roles: token.roles().to_vec(),
            own_ids,
        })
    }

    async fn user(&self, name: &str) -> Result<Option<User>, DirectoryError> {
        // A path segment of dots would mean another path.
        if name.is_empty() || name == "." || name == ".." || name.len() > NAME_BYTES_MAX {
            return Ok(None);
        }
        let mut url = self.url(&["users", name])?;
        url.set_query(Some(&format!("$select={USER_FIELDS}")));
        match self.get(url).await {
            Ok(found) => user_of(&found).map(Some),
            Err(DirectoryError::Missing { .. }) => Ok(None),
            Err(error) => Err(error),
        }
    }

    async fn roles(&self, id: &ObjectId) -> Result<Vec<Role>, DirectoryError> {
        self.roles_of(id).await
    }

    async fn addressed(&self, address: &str) -> Result<Vec<User>, DirectoryError> {
        if address.len() > NAME_BYTES_MAX || !address.contains('@') {
            return Ok(Vec::new());
        }
        self.accounts_with(address).await
    }

    async fn inbox_rules(&self, id: &ObjectId) -> Result<Vec<InboxRule>, DirectoryError> {
        let url = self.url(&["users", id.as_str(), "mailFolders", "inbox", "messageRules"])?;
        self.list(url).await?.iter().map(rule_of).collect()
    }
}

#[async_trait]
impl Directory for GraphDirectory {
    async fn set_account_enabled(
        &self,
        id: &ObjectId,
        enabled: bool,
        request_id: &str,
    ) -> Result<Reply, DirectoryError> {
        let url = self.url(&["users", id.as_str()])?;
        let body = json!({"accountEnabled": enabled});
        self.change(Request::new(Method::PATCH, url).with_body(body), request_id)
            .await
    }

    async fn revoke_sessions(
        &self,
        id: &ObjectId,
        request_id: &str,
    ) -> Result<Reply, DirectoryError> {
        let url = self.url(&["users", id.as_str(), "revokeSignInSessions"])?;
        self.change(Request::new(Method::POST, url), request_id)
            .await
    }

    async fn set_rule_enabled(
        &self,
        id: &ObjectId,
        rule_id: &str,
        enabled: bool,
        request_id: &str,
    ) -> Result<Reply, DirectoryError> {
        if rule_id.is_empty() || rule_id == "." || rule_id == ".." {
            return Err(DirectoryError::Missing {
                code: "no_such_rule".to_owned(),
                request_id: String::new(),
            });
        }
        let url = self.url(&[
            "users",
            id.as_str(),
            "mailFolders",
            "inbox",
            "messageRules",
            rule_id,
        ])?;
        let body = json!({"isEnabled": enabled});
        self.change(Request::new(Method::PATCH, url).with_body(body), request_id)
            .await
    }
}

fn body(answer: &Answer) -> Result<Value, DirectoryError> {
    answer
        .json()
        .ok_or_else(|| malformed("a body that is not json"))
}

fn malformed(what: &str) -> DirectoryError {
    DirectoryError::Malformed {
        what: what.to_owned(),
    }
}

/// What an error of the client means for an action.
fn directory_error(error: MicrosoftError) -> DirectoryError {
    let why = error.to_string();
    let may_have_happened = error.is_outcome_unknown();
    match error {
        MicrosoftError::Refused {
            status: 404,
            code,
            reply_id,
            ..
        } => DirectoryError::Missing {
            code,
            request_id: reply_id.into(),
        },
        MicrosoftError::Refused {
            status: status @ (401 | 403),
            code,
            reply_id,
            ..
        } => DirectoryError::Denied {
            status,
            code,
            request_id: reply_id.into(),
        },
        MicrosoftError::Refused {
            status,
            code,
            message,
            reply_id,
            ..
        } if !matches!(status, 408 | 429 | 500..=599) => DirectoryError::Rejected {
            status,
            code,
            message,
            request_id: reply_id.into(),
        },
        other => match other.fate() {
            Fate::Retry { after } => DirectoryError::Unreachable {
                why,
                reply: match other {
                    MicrosoftError::Refused {
                        status, reply_id, ..
                    } => Some(Reply {
                        status,
                        request_id: reply_id.into(),
                    }),
                    _ => None,
                },
                may_have_happened,
                after,
            },
            Fate::DeadLetter | Fate::Stop => malformed(&why),
        },
    }
}

/// Every field that decides something must be there and of its type: nothing is assumed.
fn user_of(found: &Value) -> Result<User, DirectoryError> {
    let text = |key: &str| found.get(key).and_then(Value::as_str);
    let id = text("id").ok_or_else(|| malformed("a user without id"))?;
    let id = ObjectId::parse(id).map_err(|_| malformed("a user whose id is no object id"))?;
    let name =
        text("userPrincipalName").ok_or_else(|| malformed("a user without userPrincipalName"))?;
    let account_enabled = found
        .get("accountEnabled")
        .and_then(Value::as_bool)
        .ok_or_else(|| malformed("a user without accountEnabled"))?;
    Ok(User {
        id,
        user_principal_name: name.to_owned(),
        account_enabled,
        is_guest: text("userType").is_some_and(|kind| kind.eq_ignore_ascii_case("guest"))
            || name.to_ascii_uppercase().contains("#EXT#"),
        is_synced: found
            .get("onPremisesSyncEnabled")
            .and_then(Value::as_bool)
            .unwrap_or(false),
        created_us: text("createdDateTime").and_then(parse_us),
        sessions_valid_from_us: text("signInSessionsValidFromDateTime").and_then(parse_us),
    })
}

fn rule_of(found: &Value) -> Result<InboxRule, DirectoryError> {
    let id = found
        .get("id")
        .and_then(Value::as_str)
        .ok_or_else(|| malformed("an inbox rule without id"))?;
    let is_enabled = found
        .get("isEnabled")
        .and_then(Value::as_bool)
        .ok_or_else(|| malformed("an inbox rule without isEnabled"))?;
    Ok(InboxRule {
        id: id.to_owned(),
        name: found
            .get("displayName")
            .and_then(Value::as_str)
            .unwrap_or_default()
            .to_owned(),
        is_enabled,
        is_read_only: found
            .get("isReadOnly")
            .and_then(Value::as_bool)
            .unwrap_or(false),
        actions: found.get("actions").cloned().unwrap_or(Value::Null),
        more: json!({
            "conditions": found.get("conditions"),
            "exceptions": found.get("exceptions"),
            "sequence": found.get("sequence"),
        }),
    })
}

/// The object id of our own service principal, as the token says; none if the token is opaque.
fn principal_id(token: &str) -> Option<String> {
    let payload = token.split('.').nth(1)?;
    let claims: Value =
        serde_json::from_slice(&URL_SAFE_NO_PAD.decode(payload.trim_end_matches('=')).ok()?)
            .ok()?;
    claims
        .get("oid")
        .and_then(Value::as_str)
        .map(str::to_lowercase)
}

#[cfg(test)]
mod tests {
    use super::{principal_id, rule_of, user_of};
    use base64::Engine;
    use base64::engine::general_purpose::URL_SAFE_NO_PAD;
    use serde_json::json;

    #[test]
    fn a_user_without_what_decides_is_no_user() {
        let whole = json!({
            "id": "1F00AAAA-0000-4000-8000-00000000000A", "userPrincipalName": "a@contoso.test",
            "accountEnabled": true, "userType": "Member", "onPremisesSyncEnabled": null,
            "signInSessionsValidFromDateTime": "2026-09-14T08:30:00Z",
        });
        let user = user_of(&whole).unwrap();
        assert_eq!(user.id.as_str(), "1f00aaaa-0000-4000-8000-00000000000a");
        assert!(user.account_enabled && !user.is_guest && !user.is_synced);
        assert!(user.sessions_valid_from_us.is_some());
        for key in ["id", "userPrincipalName", "accountEnabled"] {
            let mut cut = whole.clone();
            cut.as_object_mut().unwrap().remove(key);
            assert!(user_of(&cut).is_err(), "{key}");
        }
        let mut hostile = whole;
        hostile["id"] = json!("../../admin");
        assert!(user_of(&hostile).is_err());
    }

    #[test]
    fn guests_and_synchronised_accounts_are_known() {
        let guest = json!({
            "id": "1f00aaaa-0000-4000-8000-00000000000a", "userPrincipalName": "x_y.test#EXT#@contoso.test",
            "accountEnabled": true, "onPremisesSyncEnabled": true,
        });
        let user = user_of(&guest).unwrap();
        assert!(user.is_guest && user.is_synced);
    }

    #[test]
    fn a_rule_that_does_not_say_whether_it_runs_is_no_rule() {
        assert!(rule_of(&json!({"id": "1"})).is_err());
    }

    #[test]
    fn our_own_principal_is_in_the_token() {
        let token = format!("e30.{}.sig", URL_SAFE_NO_PAD.encode(r#"{"oid":"ABC"}"#));
        assert_eq!(principal_id(&token).as_deref(), Some("abc"));
        assert_eq!(principal_id("opaque"), None);
    }
}
