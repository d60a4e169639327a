//! A directory in memory that counts what is asked of it.

use std::sync::{Mutex, MutexGuard};

use async_trait::async_trait;
use respond::action::Permission;
use respond::directory::{
    Directory, DirectoryError, DirectoryReads, Grant, InboxRule, ObjectId, Reply, Role, User,
};
use serde_json::json;

pub(crate) const ACCOUNT: &str = "1f00aaaa-0000-4000-8000-00000000000a";
pub(crate) const NAME: &str = "ada@contoso.test";

/// What the tenant is like now.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct State {
    pub(crate) grant: Grant,
    pub(crate) user: Option<User>,
    pub(crate) roles: Vec<Role>,
    pub(crate) rules: Vec<InboxRule>,
    /// Changes are answered with success and do not happen.
    pub(crate) ineffective: bool,
    /// Reads show a change only after so many further reads.
    pub(crate) reads_until_visible: u32,
    /// Nothing is answered.
    pub(crate) is_away: bool,
}

#[derive(Debug)]
struct Inner {
    now: State,
    seen: Option<(State, u32)>,
    changes: Vec<String>,
}

/// The directory.
#[derive(Debug)]
pub(crate) struct MemoryDirectory(Mutex<Inner>);

fn rule(id: &str, is_enabled: bool, actions: serde_json::Value) -> InboxRule {
    InboxRule {
        id: id.to_owned(),
        name: format!("rule {id}"),
        is_enabled,
        is_read_only: false,
        actions,
        more: serde_json::Value::Null,
    }
}

impl MemoryDirectory {
    pub(crate) fn new() -> Self {
        let roles = [
            "User.EnableDisableAccount.All",
            "User.RevokeSessions.All",
            "User.Read.All",
            "MailboxSettings.ReadWrite",
            "RoleManagement.Read.Directory",
        ];
        let user = User {
            id: ObjectId::parse(ACCOUNT).unwrap(),
            user_principal_name: NAME.to_owned(),
            account_enabled: true,
            is_guest: false,
            is_synced: false,
            created_us: None,
            sessions_valid_from_us: Some(5),
        };
        let now = State {
            grant: Grant {
                roles: roles.map(str::to_owned).to_vec(),
                own_ids: vec!["own".to_owned()],
            },
            user: Some(user),
            roles: Vec::new(),
            rules: vec![
                rule("hides", true, json!({"moveToFolder": "RSS Feeds"})),
                rule("forwards", true, json!({"forwardTo": [{}]})),
                rule("sorts", true, json!({"moveToFolder": "Newsletters"})),
                rule("was off", false, json!({"delete": true})),
            ],
            ineffective: false,
            reads_until_visible: 0,
            is_away: false,
        };
        Self(Mutex::new(Inner {
            now,
            seen: None,
            changes: Vec::new(),
        }))
    }

    fn inner(&self) -> MutexGuard<'_, Inner> {
        self.0.lock().unwrap()
    }

    fn answers(&self) -> Result<(), DirectoryError> {
        if self.inner().now.is_away {
            return Err(DirectoryError::Unreachable {
                why: "it is away".to_owned(),
                reply: None,
                may_have_happened: true,
                after: std::time::Duration::from_millis(1),
            });
        }
        Ok(())
    }

    /// Changes the tenant behind respond's back.
    pub(crate) fn with<T>(&self, change: impl FnOnce(&mut State) -> T) -> T {
        change(&mut self.inner().now)
    }

    /// The tenant as it is.
    pub(crate) fn state(&self) -> State {
        self.inner().now.clone()
    }

    /// The changes that were asked for, in order.
    pub(crate) fn changes(&self) -> Vec<String> {
        self.inner().changes.clone()
    }

    /// What a read shows: an old state for a while.
    fn read(&self) -> State {
        let mut inner = self.inner();
        match inner.seen.take() {
            Some((old, left)) if left > 0 => {
                inner.seen = Some((old.clone(), left - 1));
                old
            }
            _ => inner.now.clone(),
        }
    }

    fn change(&self, what: String, change: impl FnOnce(&mut State)) -> Reply {
        let mut inner = self.inner();
        inner.changes.push(what);
        if !inner.now.ineffective {
            let (old, left) = (inner.now.clone(), inner.now.reads_until_visible);
            change(&mut inner.now);
            inner.seen = Some((old, left));
        }
        Reply {
            status: 204,
            request_id: "r".to_owned(),
        }
    }
}

fn missing() -> DirectoryError {
    DirectoryError::Missing {
        code: "Request_ResourceNotFound".to_owned(),
        request_id: String::new(),
    }
}

#[async_trait]
impl DirectoryReads for MemoryDirectory {
    async fn grant(&self, _needed: &[Permission]) -> Result<Grant, DirectoryError> {
        self.answers()?;
        Ok(self.state().grant)
    }

    async fn user(&self, name: &str) -> Result<Option<User>, DirectoryError> {
        self.answers()?;
        let user = self.read().user;
        Ok(user.filter(|user| name == user.id.as_str() || name == user.user_principal_name))
    }

    async fn roles(&self, _id: &ObjectId) -> Result<Vec<Role>, DirectoryError> {
        self.answers()?;
        Ok(self.state().roles)
    }

    async fn inbox_rules(&self, _id: &ObjectId) -> Result<Vec<InboxRule>, DirectoryError> {
        self.answers()?;
        Ok(self.read().rules)
    }
}

#[async_trait]
impl Directory for MemoryDirectory {
    async fn set_account_enabled(
        &self,
        _id: &ObjectId,
        enabled: bool,
        _request_id: &str,
    ) -> Result<Reply, DirectoryError> {
        self.answers()?;
        if self.state().user.is_none() {
            return Err(missing());
        }
        Ok(self.change(format!("accountEnabled={enabled}"), |state| {
            if let Some(user) = &mut state.user {
                user.account_enabled = enabled;
            }
        }))
    }

    async fn revoke_sessions(
        &self,
        _id: &ObjectId,
        _request_id: &str,
    ) -> Result<Reply, DirectoryError> {
        self.answers()?;
        Ok(self.change("revoke".to_owned(), |state| {
            if let Some(user) = &mut state.user {
                user.sessions_valid_from_us = user.sessions_valid_from_us.map(|time| time + 1);
            }
        }))
    }

    async fn set_rule_enabled(
        &self,
        _id: &ObjectId,
        rule_id: &str,
        enabled: bool,
        _request_id: &str,
    ) -> Result<Reply, DirectoryError> {
        self.answers()?;
        if !self.state().rules.iter().any(|rule| rule.id == rule_id) {
            return Err(missing());
        }
        Ok(self.change(format!("{rule_id}={enabled}"), |state| {
            for rule in state.rules.iter_mut().filter(|rule| rule.id == rule_id) {
                rule.is_enabled = enabled;
            }
        }))
    }
}
