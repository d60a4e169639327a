//! The tenant as its clients find it: the world, and everything of it that has been published.

pub(crate) mod directory;
pub(crate) mod fault;
mod ledger;
pub(crate) mod privileges;
pub(crate) mod tokens;

use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;

use serde::Serialize;
use serde::de::DeserializeOwned;
use serde_json::{Value, json};

use crate::config::{PARTITIONS_MAX, SimulatorConfig};
use crate::world::World;
use crate::world::chance::Chance;
use crate::world::moment::{Pace, SECOND_US};
use crate::world::outbox::{Blob, ContentType, Feed, HubMessage, Publication};
use directory::DirectoryChanges;
use fault::Faults;
use ledger::Ledger;
use privileges::Privileges;
use tokens::{Claims, RefreshGrant};

/// Most calls that are remembered.
const CALLS_MAX: usize = 100_000;

/// Audience of Graph's tokens.
pub(crate) const GRAPH: &str = "https://graph.microsoft.com";
/// Audience of the Management Activity API's tokens.
pub(crate) const MANAGEMENT: &str = "https://manage.office.com";
/// Audience of the tokens of Event Hubs.
pub(crate) const EVENT_HUBS: &str = "https://eventhubs.azure.net";

/// An app registration with its consented application permissions.
#[derive(Debug, Clone)]
pub(crate) struct AppRegistration {
    pub(crate) name: &'static str,
    pub(crate) client_id: String,
    pub(crate) client_secret: String,
    pub(crate) principal_id: String,
    graph_roles: &'static [&'static str],
    management_roles: &'static [&'static str],
    pub(crate) reads_hub: bool,
}

const READING_GRAPH_ROLES: &[&str] = &[
    "SecurityAlert.Read.All",
    "SecurityIncident.Read.All",
    "AuditLog.Read.All",
    "IdentityRiskEvent.Read.All",
    "User.Read.All",
    "GroupMember.Read.All",
    "Domain.Read.All",
    "Organization.Read.All",
    "RoleManagement.Read.Directory",
];
const ACTING_GRAPH_ROLES: &[&str] = &[
    "User.EnableDisableAccount.All",
    "User.Read.All",
    "User.RevokeSessions.All",
    "MailboxSettings.ReadWrite",
    "RoleManagement.Read.Directory",
];

fn application(chance: Chance, name: &'static str) -> AppRegistration {
    AppRegistration {
        name,
        client_id: chance.uuid(&["registration", name]),
        // Looks like a secret of Entra's, and is worth nothing.
        client_secret: format!("sim8Q~{}", chance.hex(&["secret", name])),
        principal_id: chance.uuid(&["registration principal", name]),
        graph_roles: &[],
        management_roles: &[],
        reads_hub: false,
    }
}

impl AppRegistration {
    /// The roles that a token for an audience carries.
    pub(crate) fn roles(&self, audience: &str) -> &'static [&'static str] {
        match audience {
            GRAPH => self.graph_roles,
            MANAGEMENT => self.management_roles,
            _ => &[],
        }
    }
}

/// A call that was meant to change something.
#[derive(Debug, Clone, Serialize)]
pub(crate) struct GraphCall {
    pub(crate) wall_us: i64,
    pub(crate) simulated_us: i64,
    pub(crate) method: String,
    pub(crate) path: String,
    pub(crate) body: String,
    pub(crate) status: u16,
    pub(crate) client_request_id: Option<String>,
    /// Whether the call took effect; a scripted fault may answer otherwise.
    pub(crate) effective: bool,
}

/// A message of a partition with its enqueued time on the wall clock.
#[derive(Debug)]
pub(crate) struct Enqueued {
    pub(crate) body: String,
    pub(crate) wall_us: i64,
}

/// The tenant's whole state.
pub(crate) struct Tenant {
    pub(crate) config: SimulatorConfig,
    pub(crate) world: World,
    pub(crate) pace: Pace,
    pub(crate) wall_us: i64,
    pub(crate) reading: AppRegistration,
    pub(crate) acting: AppRegistration,
    pub(crate) partitions: Vec<Vec<Arc<Enqueued>>>,
    /// Blobs by content type, in the order in which they came to be listed.
    pub(crate) blobs: BTreeMap<ContentType, Vec<Arc<Blob>>>,
    blob_by_id: HashMap<String, Arc<Blob>>,
    pub(crate) subscriptions: BTreeMap<ContentType, bool>,
    /// The current version of each alert.
    pub(crate) alerts: BTreeMap<String, Value>,
    pub(crate) groups: Vec<Value>,
    pub(crate) privileges: Privileges,
    pub(crate) changes: DirectoryChanges,
    pub(crate) ledger: Ledger,
    pub(crate) calls: Vec<GraphCall>,
    pub(crate) faults: Faults,
    /// How often the receivers of each partition were told to detach.
    pub(crate) detached: Vec<u64>,
    token_secret: String,
    tokens: u64,
}

impl Tenant {
    pub(crate) fn new(config: SimulatorConfig, wall_us: i64) -> Self {
        let chance = Chance::new(config.seed);
        let pace = Pace::new(
            config.start_us,
            crate::world::span_us(&config),
            config.speed,
            wall_us,
        );
        let world = World::new(&config, pace.start_us);
        let partitions = (0..config.partitions).map(|_| Vec::new()).collect();
        let detached = (0..config.partitions).map(|_| 0).collect();
        Self {
            reading: AppRegistration {
                graph_roles: READING_GRAPH_ROLES,
                management_roles: &["ActivityFeed.Read"],
                reads_hub: true,
                ..application(chance, "vedette reader")
            },
            acting: AppRegistration {
                graph_roles: ACTING_GRAPH_ROLES,
                ..application(chance, "vedette responder")
            },
            token_secret: chance.hex(&["token secret"]),
            config,
            world,
            pace,
            wall_us,
            partitions,
            blobs: BTreeMap::new(),
            blob_by_id: HashMap::new(),
            subscriptions: BTreeMap::new(),
            alerts: BTreeMap::new(),
            groups: directory::groups(chance, pace.start_us),
            privileges: Privileges::default(),
            changes: DirectoryChanges::default(),
            ledger: Ledger::default(),
            calls: Vec::new(),
            faults: Faults::default(),
            detached,
            tokens: 0,
        }
    }

    /// Lets time pass up to a wall time; true if something was published.
    pub(crate) fn advance(&mut self, wall_us: i64) -> bool {
        self.wall_us = self.wall_us.max(wall_us);
        let mut published = Vec::new();
        self.world
            .advance(self.pace.simulated(self.wall_us), &mut published);
        let any = !published.is_empty();
        for publication in published {
            match publication {
                Publication::Message(message) => self.enqueue(message),
                Publication::Blob(blob) => self.list(blob),
                Publication::Alert(alert) => self.show(alert),
            }
        }
        any
    }

    /// Gives the hub so many partitions; false if it has more, or if no hub may have so many.
    pub(crate) fn grow(&mut self, partitions: usize) -> bool {
        let may = self.partitions.len()..=PARTITIONS_MAX as usize;
        if !may.contains(&partitions) {
            return false;
        }
        self.partitions.resize_with(partitions, Vec::new);
        self.detached.resize(partitions, 0);
        true
    }

    fn configured_partitions(&self) -> usize {
        self.config.partitions as usize
    }

    fn enqueue(&mut self, message: HubMessage) {
        for (feed, id) in &message.ids {
            self.ledger.enter(*feed, id);
        }
        let wall_us = self.pace.wall(message.at_us);
        let mut index = message.partition;
        if self.partitions.len() > self.configured_partitions() {
            // A hub that has grown spreads what comes over all of its partitions.
            let turn = usize::try_from(message.at_us / SECOND_US).unwrap_or_default();
            index = (index + turn) % self.partitions.len();
        }
        if let Some(partition) = self.partitions.get_mut(index) {
            partition.push(Arc::new(Enqueued {
                body: message.body,
                wall_us,
            }));
        }
    }

    fn list(&mut self, blob: Blob) {
        // Content that is created while a subscription is stopped is lost.
        if self.subscriptions.get(&blob.content_type) == Some(&false) {
            return;
        }
        for id in &blob.ids {
            self.ledger.enter(Feed::M365Activity, id);
        }
        let blob = Arc::new(blob);
        self.blob_by_id
            .insert(blob.content_id.clone(), Arc::clone(&blob));
        self.blobs.entry(blob.content_type).or_default().push(blob);
    }

    fn show(&mut self, alert: Value) {
        let text = |name: &str| alert[name].as_str().unwrap_or_default().to_owned();
        let id = text("id");
        self.ledger.enter(
            Feed::GraphAlerts,
            &format!("{id}:{}", text("lastUpdateDateTime")),
        );
        self.alerts.insert(id, alert);
    }

    /// A blob by its id.
    pub(crate) fn blob(&self, content_id: &str) -> Option<Arc<Blob>> {
        self.blob_by_id.get(content_id).map(Arc::clone)
    }

    /// When a blob was created, on the wall clock.
    pub(crate) fn blob_created_us(&self, blob: &Blob) -> i64 {
        self.pace.wall(blob.created_us)
    }

    /// When a blob stops to be served, on the wall clock.
    pub(crate) fn blob_expires_us(&self, blob: &Blob) -> i64 {
        let lifetime_s = i64::try_from(self.config.blob_lifetime_s).unwrap_or(i64::MAX / SECOND_US);
        self.blob_created_us(blob)
            .saturating_add(lifetime_s.saturating_mul(SECOND_US))
    }

    /// The tenant's id.
    pub(crate) fn id(&self) -> &str {
        &self.world.scene.recorder.tenant.id
    }

    /// A person by object id or user principal name.
    pub(crate) fn user(&self, key: &str) -> Option<usize> {
        self.world.scene.users.iter().position(|user| {
            user.id.eq_ignore_ascii_case(key) || user.principal_name.eq_ignore_ascii_case(key)
        })
    }

    /// A token for an application, as it is asked for.
    pub(crate) fn access_token(&mut self, application: &AppRegistration, audience: &str) -> String {
        self.tokens += 1;
        let now_s = self.wall_us / SECOND_US;
        let tenant_id = self.id();
        let claims = Claims {
            aud: audience.to_owned(),
            iss: format!("https://sts.windows.net/{tenant_id}/"),
            idtyp: "app".to_owned(),
            appid: application.client_id.clone(),
            tid: tenant_id.to_owned(),
            oid: application.principal_id.clone(),
            roles: application
                .roles(audience)
                .iter()
                .map(|role| (*role).to_owned())
                .collect(),
            iat: now_s,
            nbf: now_s,
            exp: now_s + i64::from(self.config.token_lifetime_s),
            ver: "1.0".to_owned(),
        };
        tokens::write(&self.token_secret, &claims)
    }

    /// The claims of a token that this tenant gave and that is still good.
    pub(crate) fn claims(&self, token: &str) -> Option<Claims> {
        let claims: Claims = tokens::read(&self.token_secret, token)?;
        (claims.exp > self.wall_us / SECOND_US).then_some(claims)
    }

    /// A refresh token for a session of a person.
    pub(crate) fn refresh_token(&self, user: usize, issued_us: i64) -> String {
        tokens::write(
            &self.token_secret,
            &RefreshGrant {
                user_id: self.world.scene.users[user].id.clone(),
                issued_us,
            },
        )
    }

    /// The person and session of a refresh token that this tenant gave.
    pub(crate) fn grant(&self, token: &str) -> Option<(usize, i64)> {
        let grant: RefreshGrant = tokens::read(&self.token_secret, token)?;
        Some((self.user(&grant.user_id)?, grant.issued_us))
    }

    /// A text that only this tenant can have written, for links that carry state.
    pub(crate) fn seal<T: Serialize>(&self, state: &T) -> String {
        tokens::write(&self.token_secret, state)
    }

    /// The state of a text that [`Self::seal`] wrote; none if it did not.
    pub(crate) fn unseal<T: DeserializeOwned>(&self, text: &str) -> Option<T> {
        tokens::read(&self.token_secret, text)
    }

    /// Remembers a call, as long as there is room.
    pub(crate) fn remember(&mut self, call: GraphCall) {
        if self.calls.len() < CALLS_MAX {
            self.calls.push(call);
        }
    }

    /// A body in the shape of Graph's errors.
    pub(crate) fn graph_error(&self, code: &str, message: &str, client_request_id: &str) -> Value {
        let date = crate::world::moment::zoneless(self.wall_us);
        json!({"error": {"code": code, "message": message, "innerError": {
            "date": date, "request-id": client_request_id, "client-request-id": client_request_id,
        }}})
    }
}
