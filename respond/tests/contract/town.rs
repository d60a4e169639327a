//! A tenant of several accounts whose names change with time, for tests of whom an action hits.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard};

use async_trait::async_trait;
use respond::action::Permission;
use respond::directory::{
    Directory, DirectoryError, DirectoryReads, Grant, InboxRule, ObjectId, Reply, Role, User,
};
use schemas::environment::Clock;
use serde_json::json;

/// An account, and what it was called from when on; the first name is the one that it was made with.
#[derive(Debug, Clone)]
pub(crate) struct Resident {
    pub(crate) id: String,
    pub(crate) names: Vec<(i64, String)>,
    /// It is deleted then.
    pub(crate) left_us: Option<i64>,
    pub(crate) roles: Vec<Role>,
}

impl Resident {
    pub(crate) fn new(id: &str, made_us: i64, name: &str) -> Self {
        Self {
            id: id.to_owned(),
            names: vec![(made_us, name.to_owned())],
            left_us: None,
            roles: Vec::new(),
        }
    }

    pub(crate) fn was_ever_called(&self, name: &str) -> bool {
        let mut names = self.names.iter();
        names.any(|(_, known)| known.to_lowercase() == name.to_lowercase())
    }

    /// Its name at a time; none before it was made and after it was deleted.
    pub(crate) fn name_at(&self, time_us: i64) -> Option<&str> {
        if self.left_us.is_some_and(|left_us| left_us <= time_us) {
            return None;
        }
        let known = self.names.iter().rev();
        known
            .into_iter()
            .find(|(since_us, _)| *since_us <= time_us)
            .map(|(_, name)| name.as_str())
    }
}

/// A change that was sent.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Sent {
    pub(crate) id: String,
    pub(crate) what: String,
}

#[derive(Debug, Default)]
struct Inner {
    residents: Vec<Resident>,
    enabled: BTreeMap<String, bool>,
    sent: Vec<Sent>,
}

/// The directory: names are found in any case, and also by those that merely look alike where it is lenient.
pub(crate) struct Town {
    clock: Arc<dyn Clock>,
    pub(crate) is_lenient: bool,
    inner: Mutex<Inner>,
}

impl Town {
    pub(crate) fn new(clock: Arc<dyn Clock>, residents: Vec<Resident>) -> Self {
        let inner = Inner {
            residents,
            ..Inner::default()
        };
        Self {
            clock,
            is_lenient: false,
            inner: Mutex::new(inner),
        }
    }

    fn inner(&self) -> MutexGuard<'_, Inner> {
        self.inner.lock().unwrap()
    }

    pub(crate) fn sent(&self) -> Vec<Sent> {
        self.inner().sent.clone()
    }

    /// Ids of the accounts that were changed, each once, in order of the first change.
    pub(crate) fn hit(&self) -> Vec<String> {
        let mut hit: Vec<String> = Vec::new();
        for sent in self.sent() {
            if !hit.contains(&sent.id) {
                hit.push(sent.id);
            }
        }
        hit
    }

    fn key(&self, name: &str) -> String {
        if self.is_lenient {
            skeleton(name)
        } else {
            name.to_lowercase()
        }
    }

    fn change(&self, id: &ObjectId, what: &str) -> Reply {
        self.inner().sent.push(Sent {
            id: id.to_string(),
            what: what.to_owned(),
        });
        Reply {
            status: 204,
            request_id: "r".to_owned(),
        }
    }
}

fn revocations(sent: &[Sent], id: &str) -> i64 {
    let of_this = sent
        .iter()
        .filter(|sent| sent.id == id && sent.what == "revoke");
    i64::try_from(of_this.count()).unwrap()
}

/// What a name looks like to somebody who does not look closely.
fn skeleton(name: &str) -> String {
    name.to_lowercase()
        .chars()
        .filter(|letter| !matches!(letter, '\u{300}'..='\u{36f}'))
        .map(|letter| match letter {
            'а' => 'a',
            'е' => 'e',
            'о' | 'ö' => 'o',
            other => other,
        })
        .collect()
}

#[async_trait]
impl DirectoryReads for Town {
    async fn grant(&self, _needed: &[Permission]) -> Result<Grant, DirectoryError> {
        let roles = [
            "User.EnableDisableAccount.All",
            "User.RevokeSessions.All",
            "User.Read.All",
            "MailboxSettings.ReadWrite",
            "RoleManagement.Read.Directory",
        ];
        Ok(Grant {
            roles: roles.map(str::to_owned).to_vec(),
            own_ids: vec!["own".to_owned()],
        })
    }

    async fn user(&self, name: &str) -> Result<Option<User>, DirectoryError> {
        let now_us = self.clock.now_us();
        let key = self.key(name);
        let inner = self.inner();
        let found = inner.residents.iter().find_map(|resident| {
            let called = resident.name_at(now_us)?;
            (resident.id == name || self.key(called) == key).then_some((resident, called))
        });
        Ok(found.map(|(resident, called)| User {
            id: ObjectId::parse(&resident.id).unwrap(),
            user_principal_name: called.to_owned(),
            account_enabled: inner.enabled.get(&resident.id).copied().unwrap_or(true),
            is_guest: called.to_uppercase().contains("#EXT#"),
            is_synced: false,
            created_us: resident.names.first().map(|(made_us, _)| *made_us),
            sessions_valid_from_us: Some(revocations(&inner.sent, &resident.id)),
        }))
    }

    async fn roles(&self, id: &ObjectId) -> Result<Vec<Role>, DirectoryError> {
        let inner = self.inner();
        let found = inner
            .residents
            .iter()
            .find(|resident| resident.id == id.as_str());
        Ok(found
            .map(|resident| resident.roles.clone())
            .unwrap_or_default())
    }

    async fn inbox_rules(&self, id: &ObjectId) -> Result<Vec<InboxRule>, DirectoryError> {
        let is_off = self
            .sent()
            .iter()
            .any(|sent| sent.id == id.as_str() && sent.what == "forwards=false");
        Ok(vec![InboxRule {
            id: "forwards".to_owned(),
            name: ".".to_owned(),
            is_enabled: !is_off,
            is_read_only: false,
            actions: json!({"forwardTo": [{}]}),
            more: serde_json::Value::Null,
        }])
    }
}

#[async_trait]
impl Directory for Town {
    async fn set_account_enabled(
        &self,
        id: &ObjectId,
        on: bool,
        _request_id: &str,
    ) -> Result<Reply, DirectoryError> {
        self.inner().enabled.insert(id.to_string(), on);
        Ok(self.change(id, &format!("enabled={on}")))
    }

    async fn revoke_sessions(
        &self,
        id: &ObjectId,
        _request_id: &str,
    ) -> Result<Reply, DirectoryError> {
        Ok(self.change(id, "revoke"))
    }

    async fn set_rule_enabled(
        &self,
        id: &ObjectId,
        rule: &str,
        on: bool,
        _request_id: &str,
    ) -> Result<Reply, DirectoryError> {
        Ok(self.change(id, &format!("{rule}={on}")))
    }
}
