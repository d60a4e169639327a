//! Directory audits, as diagnostic settings and the unified audit log write them.
//!
//! Source: Microsoft Graph, `directoryAudit`; Office 365 Management Activity API schema, record type 8.
//! The same operation ends with a period in the unified audit log and without one in diagnostic settings.

use serde_json::{Map, Value, json};

use super::frame::{TenantFacts, UnifiedAuditFields, diagnostic, extend, named_values};
use crate::world::moment;
use crate::world::users::User;

/// Who did it.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Initiator<'a> {
    /// A person, from an address.
    Person(&'a User, &'a str),
    /// An application.
    Application {
        name: &'a str,
        app_id: &'a str,
        principal_id: &'a str,
    },
}

/// A property that changed: name, old value, new value, as plain text.
pub(crate) type PropertyChange<'a> = (&'a str, &'a str, &'a str);

/// How diagnostic settings write the values of changes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum ChangeValues {
    /// Every value as a text.
    Texts,
    /// Lists and objects, which are JSON already, as they are; an empty value as none; others as texts.
    Typed,
}

impl ChangeValues {
    fn write(self, value: &str) -> Value {
        match self {
            Self::Typed if value.is_empty() => Value::Null,
            Self::Typed if value.starts_with(['[', '{']) => json!(value),
            // Values are JSON text inside the JSON.
            _ => json!(json!(value).to_string()),
        }
    }
}

/// A further object that an audit names, in diagnostic settings only.
#[derive(Debug, Clone, Copy)]
pub(crate) struct AuditTarget<'a> {
    pub(crate) kind: &'a str,
    pub(crate) id: &'a str,
    pub(crate) name: &'a str,
}

impl<'a> AuditTarget<'a> {
    /// A person.
    pub(crate) fn person(user: &'a User) -> Self {
        Self {
            kind: "User",
            id: &user.id,
            name: &user.principal_name,
        }
    }

    fn resource(&self, changes: &[Value]) -> Value {
        let is_user = self.kind == "User";
        json!({
            "id": self.id,
            "displayName": (!is_user).then_some(self.name),
            "type": self.kind,
            "userPrincipalName": is_user.then_some(self.name),
            "modifiedProperties": changes,
        })
    }
}

/// What a directory audit tells, without who and when.
#[derive(Clone, Copy)]
pub(crate) struct AuditEntry<'a> {
    /// Without the period.
    pub(crate) activity: &'a str,
    pub(crate) category: &'a str,
    pub(crate) service: &'a str,
    pub(crate) operation_type: &'a str,
    pub(crate) target: AuditTarget<'a>,
    pub(crate) further_targets: &'a [AuditTarget<'a>],
    pub(crate) changes: &'a [PropertyChange<'a>],
    /// Who did it, if not the one whom it is told of.
    pub(crate) initiator: Option<Initiator<'a>>,
}

impl AuditEntry<'_> {
    /// Whether the unified audit log tells of it too, which knows the directory's own entries only.
    pub(crate) fn is_in_unified_log(&self) -> bool {
        self.service == "Core Directory"
    }
}

/// What a directory audit tells, with who and when.
pub(crate) struct DirectoryAudit<'a> {
    pub(crate) number: u128,
    pub(crate) at_us: i64,
    pub(crate) entry: &'a AuditEntry<'a>,
    pub(crate) initiator: Initiator<'a>,
    pub(crate) values: ChangeValues,
    pub(crate) user_agent: &'a str,
    pub(crate) correlation_id: &'a str,
}

impl DirectoryAudit<'_> {
    /// Its identity in diagnostic settings.
    pub(crate) fn id(&self) -> String {
        let word = format!("{:032X}", self.number);
        let (tag, _) = word.split_at(5);
        format!("Directory_{tag}_{}", self.number % 1_000_000_000_000)
    }

    /// The record in diagnostic settings.
    pub(crate) fn diagnostic(&self, tenant: &TenantFacts) -> Map<String, Value> {
        let changes: Vec<Value> = self.entry.changes
            .iter()
            .map(|(name, old, new)| {
                json!({"displayName": name, "oldValue": self.values.write(old), "newValue": self.values.write(new)})
            })
            .collect();
        let mut targets = vec![self.entry.target.resource(&changes)];
        targets.extend(
            self.entry
                .further_targets
                .iter()
                .map(|one| one.resource(&[])),
        );
        let properties = json!({
            "id": self.id(),
            "category": self.entry.category,
            "correlationId": self.correlation_id,
            "result": "success",
            "resultReason": "",
            "activityDisplayName": self.entry.activity,
            "activityDateTime": moment::ticks_with_offset(self.at_us),
            "loggedByService": self.entry.service,
            "operationType": self.entry.operation_type,
            "initiatedBy": self.initiated_by(),
            "targetResources": targets,
            "additionalDetails": [{"key": "User-Agent", "value": self.user_agent}],
        });
        let mut record = diagnostic(tenant, "AuditLogs", self.entry.activity, properties);
        let ip = match &self.initiator {
            Initiator::Person(_, ip) => Some(*ip),
            Initiator::Application { .. } => None,
        };
        extend(
            &mut record,
            json!({"resultSignature": "None", "callerIpAddress": ip, "correlationId": self.correlation_id, "identity": self.actor_name()}),
        );
        record
    }

    fn initiated_by(&self) -> Value {
        match &self.initiator {
            Initiator::Person(user, ip) => json!({"user": {
                "id": user.id,
                "displayName": null,
                "userPrincipalName": user.principal_name,
                "ipAddress": ip,
                "roles": [],
            }}),
            Initiator::Application {
                name,
                app_id: _,
                principal_id,
            } => json!({"app": {
                // Microsoft leaves the app id out.
                "appId": null,
                "displayName": name,
                "servicePrincipalId": principal_id,
                "servicePrincipalName": null,
            }}),
        }
    }

    fn actor_name(&self) -> &str {
        match &self.initiator {
            Initiator::Person(user, _) => &user.display_name,
            Initiator::Application { name, .. } => name,
        }
    }

    /// The record in the unified audit log.
    pub(crate) fn activity(&self, tenant: &TenantFacts, id: &str) -> Map<String, Value> {
        // One activity ends with a blank, and has no period in either feed.
        let period = if self.entry.activity.ends_with(' ') {
            ""
        } else {
            "."
        };
        let operation = format!("{}{period}", self.entry.activity);
        let (user_id, user_key, user_type, ip) = match &self.initiator {
            Initiator::Person(user, ip) => (user.principal_name.clone(), user.key(), 0, *ip),
            Initiator::Application {
                app_id,
                principal_id,
                ..
            } => (
                format!("ServicePrincipal_{principal_id}"),
                (*app_id).to_owned(),
                4,
                "",
            ),
        };
        let common = UnifiedAuditFields {
            id,
            at_us: self.at_us,
            operation: &operation,
            record_type: 8,
            workload: "AzureActiveDirectory",
            result: "Success",
            user_id: &user_id,
            user_key: &format!("{user_key}@{}", tenant.domain),
            user_type,
        };
        let changes: Vec<Value> = self
            .entry
            .changes
            .iter()
            .map(|(name, old, new)| json!({"Name": name, "OldValue": old, "NewValue": new}))
            .collect();
        let kind = self.entry.target.kind;
        let details = json!({"User-Agent": self.user_agent}).to_string();
        let mut record = common.record(tenant);
        extend(
            &mut record,
            json!({
                "AzureActiveDirectoryEventType": 1,
                "ObjectId": if kind == "User" { self.entry.target.name } else { self.entry.target.id },
                "ActorIpAddress": ip,
                "ClientIP": ip,
                "ActorContextId": tenant.id,
                "TargetContextId": tenant.id,
                "InterSystemsId": self.correlation_id,
                "IntraSystemId": id,
                "SupportTicketId": "",
                "Actor": [{"ID": user_id, "Type": 5}, {"ID": self.actor_name(), "Type": 1}],
                "Target": [
                    {"ID": format!("{kind}_{}", self.entry.target.id), "Type": 2},
                    {"ID": self.entry.target.id, "Type": 2},
                    {"ID": kind, "Type": 2},
                    {"ID": self.entry.target.name, "Type": 1},
                ],
                "ModifiedProperties": changes,
                "ExtendedProperties": named_values(&[("additionalDetails", &details), ("extendedAuditEventCategory", kind)]),
            }),
        );
        record
    }
}
