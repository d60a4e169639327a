//! What actions read from and change in a tenant's directory and mailboxes.

use std::fmt;
use std::time::Duration;

use async_trait::async_trait;
use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::action::Permission;

/// The object id of a directory object: a GUID in lower case, checked.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct ObjectId(String);

/// The text is no object id.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("cannot read an object id from \"{text}\"")]
pub struct NotAnObjectId {
    /// The text, at most its first 100 characters.
    pub text: String,
}

/// Places of the hyphens in a GUID.
const HYPHENS: [usize; 4] = [8, 13, 18, 23];

impl ObjectId {
    /// Reads a GUID of 36 characters.
    ///
    /// # Errors
    /// [`NotAnObjectId`] if the text is anything else.
    pub fn parse(text: &str) -> Result<Self, NotAnObjectId> {
        let is_guid = text.len() == 36
            && text.bytes().enumerate().all(|(place, byte)| {
                if HYPHENS.contains(&place) {
                    byte == b'-'
                } else {
                    byte.is_ascii_hexdigit()
                }
            });
        if is_guid {
            Ok(Self(text.to_ascii_lowercase()))
        } else {
            Err(NotAnObjectId {
                text: text.chars().take(100).collect(),
            })
        }
    }

    /// The GUID in lower case.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl TryFrom<String> for ObjectId {
    type Error = NotAnObjectId;

    fn try_from(text: String) -> Result<Self, Self::Error> {
        Self::parse(&text)
    }
}

impl From<ObjectId> for String {
    fn from(id: ObjectId) -> Self {
        id.0
    }
}

impl fmt::Display for ObjectId {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(&self.0)
    }
}

/// What the token in use may do, and whose it is.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Grant {
    /// Application permissions in the token's `roles`.
    pub roles: Vec<String>,
    /// Object id of our own service principal and the id of its application, where known.
    pub own_ids: Vec<String>,
}

/// An account as the directory has it now.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct User {
    /// Object id.
    pub id: ObjectId,
    /// User principal name as written in the directory.
    pub user_principal_name: String,
    /// Whether sign-in is allowed.
    pub account_enabled: bool,
    /// True for a guest, whose home is another tenant.
    pub is_guest: bool,
    /// True if the account is synchronised from an on-premises Active Directory.
    pub is_synced: bool,
    /// When the account was made, in microseconds since the Unix epoch, UTC; none where the directory does not say.
    #[serde(default)]
    pub created_us: Option<i64>,
    /// Sessions from before this time are void, in microseconds since the Unix epoch, UTC.
    pub sessions_valid_from_us: Option<i64>,
}

/// A directory role that an account holds.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Role {
    /// Template id of the role definition.
    pub id: String,
    /// Its name, for a person.
    pub name: String,
}

/// An inbox rule as the mailbox has it now.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct InboxRule {
    /// Its id.
    pub id: String,
    /// Its name; text of the tenant's.
    pub name: String,
    /// Whether it runs.
    pub is_enabled: bool,
    /// True if it cannot be changed through Graph.
    pub is_read_only: bool,
    /// What it does: Graph's `messageRuleActions`.
    pub actions: Value,
    /// When it does it: Graph's `conditions`, `exceptions` and `sequence`.
    #[serde(default)]
    pub more: Value,
}

/// What an answer to a change said.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Reply {
    /// HTTP status.
    pub status: u16,
    /// The `request-id` by which Microsoft can find it; empty where it gave none.
    pub request_id: String,
}

/// Why the directory did not answer as asked.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum DirectoryError {
    /// No answer that can be used.
    #[error("could not reach the directory: {why}")]
    Unreachable {
        /// The cause, without secrets.
        why: String,
        /// The answer, where there was one.
        reply: Option<Reply>,
        /// Whether a change may have happened all the same, or may happen yet.
        may_have_happened: bool,
        /// How long to wait at least.
        after: Duration,
    },
    /// Not allowed: a permission or role is missing. Trying again cannot help.
    #[error("the directory refuses (status {status}, code \"{code}\", request {request_id})")]
    Denied {
        /// HTTP status.
        status: u16,
        /// Microsoft's code.
        code: String,
        /// Microsoft's `request-id`.
        request_id: String,
    },
    /// The object does not exist.
    #[error("the directory has no such object (code \"{code}\")")]
    Missing {
        /// Microsoft's code.
        code: String,
        /// Microsoft's `request-id`; empty where it was not asked.
        request_id: String,
    },
    /// The directory cannot do what was asked. Trying again cannot help.
    #[error("the directory cannot do this (status {status}, code \"{code}\"): {message}")]
    Rejected {
        /// HTTP status.
        status: u16,
        /// Microsoft's code.
        code: String,
        /// Microsoft's message.
        message: String,
        /// Microsoft's `request-id`.
        request_id: String,
    },
    /// The answer is not of the documented shape.
    #[error("cannot read the directory's answer: {what}")]
    Malformed {
        /// What is wrong.
        what: String,
    },
    /// A gate was shut between the preflight and this call; nothing was sent.
    #[error("the call was held back: {why}")]
    HeldBack {
        /// Which gate.
        why: &'static str,
    },
    /// A gate was shut while the call was under way; it may have happened, and it may happen yet.
    #[error("the call was cut off under way: {why}")]
    CutOff {
        /// Which gate.
        why: &'static str,
    },
}

impl DirectoryError {
    /// What Microsoft answered, where it did.
    pub fn reply(&self) -> Option<Reply> {
        let of = |status: u16, request_id: &String| {
            Some(Reply {
                status,
                request_id: request_id.clone(),
            })
        };
        match self {
            Self::Unreachable { reply, .. } => reply.clone(),
            Self::Denied {
                status, request_id, ..
            }
            | Self::Rejected {
                status, request_id, ..
            } => of(*status, request_id),
            Self::Missing { request_id, .. } => of(404, request_id),
            Self::Malformed { .. } | Self::HeldBack { .. } | Self::CutOff { .. } => None,
        }
    }

    /// Whether the change that it is about may have happened, or may happen yet.
    pub const fn may_have_happened(&self) -> bool {
        match self {
            Self::Unreachable {
                may_have_happened, ..
            } => *may_have_happened,
            // There was an answer, and nobody knows what it said.
            Self::Malformed { .. } | Self::CutOff { .. } => true,
            Self::Denied { .. }
            | Self::Missing { .. }
            | Self::Rejected { .. }
            | Self::HeldBack { .. } => false,
        }
    }

    /// How long to wait before trying again, or none where that cannot help.
    pub fn retry_after(&self) -> Option<Duration> {
        match self {
            Self::Unreachable { after, .. } => Some(*after),
            _ => None,
        }
    }
}

/// What can be read.
#[async_trait]
pub trait DirectoryReads: Send + Sync {
    /// The token's permissions, from the token itself; a new token is asked for if one of `needed` is missing,
    /// because consent shows in new tokens only.
    async fn grant(&self, needed: &[Permission]) -> Result<Grant, DirectoryError>;
    /// The account of an object id or user principal name; none if there is no such account.
    async fn user(&self, name: &str) -> Result<Option<User>, DirectoryError>;
    /// The accounts that have this mail address, as the first one or as another; none where it is nobody's.
    async fn addressed(&self, _address: &str) -> Result<Vec<User>, DirectoryError> {
        Ok(Vec::new())
    }
    /// The directory roles that the account holds or can take, directly and through groups.
    async fn roles(&self, id: &ObjectId) -> Result<Vec<Role>, DirectoryError>;
    /// The rules of the account's inbox, to the last page.
    async fn inbox_rules(&self, id: &ObjectId) -> Result<Vec<InboxRule>, DirectoryError>;
}

/// What can be changed; called by [`crate::effects::Effects`] only.
///
/// Every call is sent with `request_id` as its `client-request-id`, which was made durable before.
#[async_trait]
pub trait Directory: DirectoryReads {
    /// Allows or blocks sign-in.
    async fn set_account_enabled(
        &self,
        id: &ObjectId,
        enabled: bool,
        request_id: &str,
    ) -> Result<Reply, DirectoryError>;
    /// Voids every session that began before now.
    async fn revoke_sessions(
        &self,
        id: &ObjectId,
        request_id: &str,
    ) -> Result<Reply, DirectoryError>;
    /// Turns an inbox rule on or off.
    async fn set_rule_enabled(
        &self,
        id: &ObjectId,
        rule_id: &str,
        enabled: bool,
        request_id: &str,
    ) -> Result<Reply, DirectoryError>;
}

#[cfg(test)]
mod tests {
    use super::ObjectId;

    #[test]
    fn only_a_guid_is_an_object_id() {
        let id = ObjectId::parse("1F00AAAA-0000-4000-8000-00000000000A").unwrap();
        assert_eq!(id.as_str(), "1f00aaaa-0000-4000-8000-00000000000a");
        // What has been passed as a user elsewhere.
        for text in [
            "",
            "a@b",
            r#"["a@b"]"#,
            "1f00aaaa-0000-4000-8000-00000000000/",
            "1f00aaaa00004000800000000000000aabcd",
            "1f00aaaa-0000-4000-8000-00000000000ä",
            "../1f00aaaa-0000-4000-8000-000000000",
        ] {
            assert!(ObjectId::parse(text).is_err(), "{text}");
        }
    }
}
