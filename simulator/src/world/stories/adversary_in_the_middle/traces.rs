//! What the attacker does once inside, and the records that it leaves; whether it can be done is decided elsewhere.

use serde_json::{Value, json};

use crate::world::records::alert::{self, Alert};
use crate::world::records::directory_audit::{
    AuditEntry, AuditTarget, ChangeValues, DirectoryAudit, Initiator, PropertyChange,
};
use crate::world::records::files::FileOperation;
use crate::world::records::mail::{Cmdlet, Mailbox};
use crate::world::records::risk_event::RiskEvent;
use crate::world::records::security_info;
use crate::world::scene::Scene;
use crate::world::stories::cast::Cast;
use crate::world::users::InboxRule;

/// Where the attacker has mail forwarded to.
const DROP_ADDRESS: &str = "accounts@invoice-desk.example";
/// Name of the malicious application.
const MALICIOUS_APP: &str = "Mail Insights Pro";
/// What the malicious application may do once it is consented to.
const SCOPES: &str =
    "openid offline_access User.Read Mail.ReadWrite Mail.Send MailboxSettings.ReadWrite";
/// How a program describes itself that reaches a mailbox over Graph.
const OVER_GRAPH: &str = "Client=REST;Client=RESTSystem;;";

/// The malicious application.
pub(super) struct MaliciousApplication {
    pub(super) app_id: String,
    pub(super) principal_id: String,
}

fn audit(scene: &mut Scene, cast: &Cast, at_us: i64, entry: &AuditEntry<'_>) -> Vec<String> {
    let name = ["story audit", entry.activity];
    let victim = &scene.users[cast.victim];
    // This story tells every audit in both logs, with values as texts.
    scene.recorder.audit_in_both(&DirectoryAudit {
        number: scene.chance.number(&name),
        at_us,
        entry,
        initiator: Initiator::Person(victim, &cast.acting.ip),
        values: ChangeValues::Texts,
        user_agent: cast.acting.device.user_agent,
        correlation_id: &scene.chance.uuid(&name),
    })
}

pub(super) fn register_security_info(scene: &mut Scene, cast: &Cast, at_us: i64) -> Vec<String> {
    let victim = cast.victim(scene).clone();
    let changes: &[PropertyChange<'_>] = &[(
        "StrongAuthenticationPhoneAppDetail",
        "[]",
        "[{\"DeviceName\":\"NO_DEVICE\"}]",
    )];
    let registered = security_info::registered(&victim, changes);
    audit(scene, cast, at_us, &registered)
}

pub(super) fn consent(
    scene: &mut Scene,
    cast: &Cast,
    application: &MaliciousApplication,
    at_us: i64,
) -> Vec<String> {
    let app_id = application.app_id.as_str();
    let permissions = format!(
        "[] => [[Id: {}, ClientId: {}, PrincipalId: {}, ConsentType: Principal, Scope: {SCOPES}]]; ",
        &scene.chance.hex(&["grant"])[..20],
        application.principal_id,
        cast.victim(scene).id,
    );
    let added = AuditEntry {
        activity: "Add service principal",
        category: "ApplicationManagement",
        service: "Core Directory",
        operation_type: "Add",
        target: AuditTarget {
            kind: "ServicePrincipal",
            id: &application.principal_id,
            name: MALICIOUS_APP,
        },
        further_targets: &[],
        changes: &[("AppId", "", app_id)],
        initiator: None,
    };
    let grant: &[PropertyChange<'_>] = &[
        ("DelegatedPermissionGrant.Scope", "", SCOPES),
        ("DelegatedPermissionGrant.ConsentType", "", "Principal"),
    ];
    let granted = AuditEntry {
        activity: "Add delegated permission grant",
        operation_type: "Assign",
        changes: grant,
        ..added
    };
    let changes: &[PropertyChange<'_>] = &[
        ("ConsentContext.IsAdminConsent", "", "False"),
        ("ConsentContext.IsAppOnly", "", "False"),
        ("ConsentContext.OnBehalfOfAll", "", "False"),
        ("ConsentAction.Permissions", "", &permissions),
        ("TargetId.ServicePrincipalNames", "", app_id),
    ];
    let consented = AuditEntry {
        activity: "Consent to application",
        changes,
        ..granted
    };
    let mut ids = audit(scene, cast, at_us, &added);
    ids.extend(audit(scene, cast, at_us, &granted));
    ids.extend(audit(scene, cast, at_us, &consented));
    ids
}

/// A rule that hides answers about money.
pub(super) fn make_hiding_rule(scene: &mut Scene, cast: &Cast, at_us: i64) -> Vec<String> {
    let rule = InboxRule {
        id: rule_id(scene, "."),
        name: ".".to_owned(),
        sequence: 1,
        enabled: true,
        conditions: json!({"subjectOrBodyContains": ["invoice", "payment", "bank"]}),
        actions: json!({"moveToFolder": "RSS Feeds", "markAsRead": true, "stopProcessingRules": true}),
    };
    let parameters = [
        ("Name", "."),
        ("SubjectOrBodyContainsWords", "invoice;payment;bank"),
        ("MoveToFolder", "RSS Feeds"),
        ("MarkAsRead", "True"),
        ("StopProcessingRules", "True"),
    ];
    make_inbox_rule(scene, cast, rule, &parameters, at_us)
}

/// A rule that forwards everything outside.
pub(super) fn make_forwarding_rule(scene: &mut Scene, cast: &Cast, at_us: i64) -> Vec<String> {
    let address = json!({"name": DROP_ADDRESS, "address": DROP_ADDRESS});
    let rule = InboxRule {
        id: rule_id(scene, ".."),
        name: "..".to_owned(),
        sequence: 2,
        enabled: true,
        conditions: json!({}),
        actions: json!({"forwardTo": [{"emailAddress": address}], "stopProcessingRules": false}),
    };
    let parameters = [
        ("Name", ".."),
        ("ForwardTo", DROP_ADDRESS),
        ("StopProcessingRules", "False"),
    ];
    make_inbox_rule(scene, cast, rule, &parameters, at_us)
}

fn rule_id(scene: &Scene, name: &str) -> String {
    format!("AQAAA{}", &scene.chance.hex(&["story rule", name])[..11])
}

fn make_inbox_rule(
    scene: &mut Scene,
    cast: &Cast,
    rule: InboxRule,
    parameters: &[(&str, &str)],
    at_us: i64,
) -> Vec<String> {
    let victim = &scene.users[cast.victim];
    let id = scene.chance.uuid(&["story rule", &rule.name]);
    let mailbox = Mailbox {
        origin: &cast.acting,
        session_id: &cast.session_id,
        ..Mailbox::own(&id, victim, at_us)
    };
    let cmdlet = Cmdlet {
        operation: "New-InboxRule",
        object: &format!("{}\\{}", victim.principal_name, rule.name),
        parameters,
        user_type: 0,
    };
    let ids = scene.recorder.cmdlet(&mailbox, &cmdlet);
    scene.users[cast.victim].inbox_rules.push(rule);
    ids
}

pub(super) fn read_mail(
    scene: &mut Scene,
    cast: &Cast,
    app_id: &str,
    serial: u32,
    at_us: i64,
) -> Vec<String> {
    let serial = serial.to_string();
    let id = scene.chance.uuid(&["story mail", &serial]);
    let messages: Vec<String> = (0..8)
        .map(|message: u32| scene.message_id(&["story message", &serial, &message.to_string()]))
        .collect();
    let (access, listed): (_, &[String]) = if serial == "0" {
        ("Sync", &[])
    } else {
        ("Bind", &messages)
    };
    let mailbox = Mailbox {
        origin: &cast.acting,
        session_id: &cast.session_id,
        app_id,
        client: OVER_GRAPH,
        ..Mailbox::own(&id, &scene.users[cast.victim], at_us)
    };
    scene.recorder.mail_read(&mailbox, access, listed)
}

/// A message from the victim's mailbox; `name` tells those of a step from those of an attempt.
pub(super) fn send_invoice(
    scene: &mut Scene,
    cast: &Cast,
    app_id: &str,
    (name, serial): (&str, u32),
    at_us: i64,
) -> Vec<String> {
    let serial = serial.to_string();
    let id = scene.chance.uuid(&["invoice", name, &serial]);
    let message_id = scene.message_id(&["invoice message", name, &serial]);
    let mailbox = Mailbox {
        origin: &cast.acting,
        session_id: &cast.session_id,
        app_id,
        client: OVER_GRAPH,
        ..Mailbox::own(&id, &scene.users[cast.victim], at_us)
    };
    let subject = "Updated bank details for open invoices";
    scene.recorder.mail_sent(&mailbox, subject, &message_id)
}

pub(super) fn download(scene: &mut Scene, cast: &Cast, serial: u32, at_us: i64) -> Vec<String> {
    let victim = &scene.users[cast.victim];
    scene.recorder.file(&FileOperation {
        id: &scene.chance.uuid(&["story file", &serial.to_string()]),
        at_us,
        operation: "FileDownloaded",
        user: victim,
        origin: &cast.acting,
        session_id: &cast.session_id,
        file: &format!("Contract {:03}.pdf", serial + 1),
        site: victim.department,
    })
}

pub(super) fn detect_risk(scene: &mut Scene, cast: &Cast, at_us: i64) -> Vec<String> {
    scene.recorder.risk_event(&RiskEvent {
        id: &scene.chance.hex(&["story risk"]),
        activity_us: cast.begins_us,
        detected_us: at_us,
        user: &scene.users[cast.victim],
        origin: cast.other_origin(),
        kind: "attackerinTheMiddle",
        level: "high",
        request_id: &scene.chance.uuid(&["sign-in", "story/phished/0"]),
    })
}

/// A new alert, or the known one after somebody has begun to look at it; returns its ids and its new version.
pub(super) fn show_alert(
    scene: &mut Scene,
    cast: &Cast,
    known: Option<Value>,
    at_us: i64,
) -> (Vec<String>, Value) {
    let id = scene.chance.hex(&["story alert"]);
    let shown = match known {
        Some(known) => alert::with_status(known, "inProgress", at_us),
        None => alert::alert(&Alert {
            id: &id,
            tenant_id: &scene.recorder.tenant.id,
            incident: 4_127,
            title: "Adversary-in-the-middle sign-in",
            description: "A session token was obtained through a reverse proxy known for credential phishing.",
            severity: "high",
            category: "CredentialAccess",
            techniques: &["T1557", "T1078.004"],
            activity_us: cast.begins_us,
            created_us: at_us,
            user: &scene.users[cast.victim],
            origin: cast.other_origin(),
        }),
    };
    (scene.recorder.alert(&id, &shown, at_us), shown)
}
