//! The steps of the story, each decided by the account's state at that moment.

use super::super::outbox::Feed;
use super::super::places::{OFFICE_HOME, OUTLOOK_WEB, Origin};
use super::super::records::alert::{self, Alert};
use super::super::records::directory_audit::{Change, DirectoryAudit, Initiator, Values};
use super::super::records::files::{self, FileOperation};
use super::super::records::mail::{self, Mailbox};
use super::super::records::risk_event::{self, RiskEvent};
use super::super::records::sign_in::{Manner, Outcome};
use super::super::users::InboxRule;
use super::super::{ContentType, Seen, World, record_audit};
use super::attempts::{forwarding, hiding};
use super::{DROP_ADDRESS, Ending, Happened, MALICIOUS_APP, Story, StoryStep};

/// What the malicious application may do once it is consented to.
const SCOPES: &str =
    "openid offline_access User.Read Mail.ReadWrite Mail.Send MailboxSettings.ReadWrite";

impl World {
    pub(crate) fn take_step(&mut self, step: StoryStep, serial: u32, at_us: i64) {
        let Some(mut story) = self.story.take() else {
            return;
        };
        let outcome = self.step_outcome(&story, step);
        // A refused sign-in leaves a record; what never gets that far leaves none.
        let record_ids = match (step, outcome) {
            (StoryStep::PhishedSignIn | StoryStep::ReplayedSession, Some(outcome)) => {
                self.story_sign_in(&mut story, step, serial, at_us, outcome)
            }
            (_, Some(Outcome::Success)) => self.succeed(&mut story, step, serial, at_us),
            _ => Vec::new(),
        };
        let succeeded = outcome == Some(Outcome::Success);
        story.steps.push(Happened {
            what: step,
            at_us,
            ending: if succeeded {
                Ending::Succeeded
            } else {
                Ending::Failed
            },
            error_code: outcome.map_or(0, Outcome::code),
            record_ids,
        });
        self.story = Some(story);
    }

    /// How a step ends; none where it fails without Entra saying why.
    fn step_outcome(&self, story: &Story, step: StoryStep) -> Option<Outcome> {
        let victim = &self.users[story.victim];
        match step {
            StoryStep::PhishedSignIn => Some(victim.sign_in_outcome()),
            StoryStep::ReplayedSession => story.refresh_outcome(victim),
            // Microsoft finds out whether or not the attacker still has access.
            StoryStep::AlertRaised | StoryStep::RiskDetected => {
                story.session_issued_us.map(|_| Outcome::Success)
            }
            StoryStep::AlertUpdated => story.alert.as_ref().map(|_| Outcome::Success),
            _ => story.has_access(victim).then_some(Outcome::Success),
        }
    }

    fn succeed(
        &mut self,
        story: &mut Story,
        step: StoryStep,
        serial: u32,
        at_us: i64,
    ) -> Vec<String> {
        match step {
            StoryStep::PhishedSignIn | StoryStep::ReplayedSession => Vec::new(),
            StoryStep::SecurityInfoRegistered => {
                story.factor_registered = true;
                self.registration(story, at_us)
            }
            StoryStep::HidingRule | StoryStep::ForwardingRule => {
                self.inbox_rule(story, step, at_us)
            }
            StoryStep::Consent => self.consent(story, at_us),
            StoryStep::MailRead => self.read_mail(story, serial, at_us),
            StoryStep::FilesDownloaded => self.download(story, serial, at_us),
            StoryStep::InvoicesSent => self.send_invoice(story, "story", serial, at_us),
            StoryStep::RiskDetected => self.risk(story, at_us),
            StoryStep::AlertRaised | StoryStep::AlertUpdated => self.alert(story, step, at_us),
        }
    }

    fn story_sign_in(
        &mut self,
        story: &mut Story,
        step: StoryStep,
        serial: u32,
        at_us: i64,
        outcome: Outcome,
    ) -> Vec<String> {
        let phished = step == StoryStep::PhishedSignIn;
        let origin: &Origin = if phished { &story.proxy } else { &story.desk };
        let seen = Seen {
            at_us,
            app: if phished { OFFICE_HOME } else { OUTLOOK_WEB },
            outcome,
            interactive: phished,
            session_id: &story.session_id,
            manner: Manner::Usual,
            correlation_id: None,
        };
        let kind = if phished { "phished" } else { "replayed" };
        let ids = self.record_sign_in(
            story.victim,
            origin,
            &["story", kind, &serial.to_string()],
            &seen,
        );
        if phished && outcome.succeeded() {
            story.session_issued_us = Some(at_us);
        }
        ids
    }

    fn registration(&mut self, story: &Story, at_us: i64) -> Vec<String> {
        let changes: &[Change<'_>] = &[(
            "StrongAuthenticationPhoneAppDetail",
            "[]",
            "[{\"DeviceName\":\"NO_DEVICE\"}]",
        )];
        self.audit(
            story,
            at_us,
            "User registered security info",
            "Authentication Methods",
            "Add",
            changes,
            None,
        )
    }

    fn consent(&mut self, story: &Story, at_us: i64) -> Vec<String> {
        let permissions = format!(
            "[] => [[Id: {}, ClientId: {}, PrincipalId: {}, ConsentType: Principal, Scope: {SCOPES}]]; ",
            &self.chance.hex(&["grant"])[..20],
            story.app_principal_id,
            self.users[story.victim].id,
        );
        let app = Some((story.app_principal_id.as_str(), MALICIOUS_APP));
        let changes: &[Change<'_>] = &[
            ("ConsentContext.IsAdminConsent", "", "False"),
            ("ConsentContext.IsAppOnly", "", "False"),
            ("ConsentContext.OnBehalfOfAll", "", "False"),
            ("ConsentAction.Permissions", "", &permissions),
            ("TargetId.ServicePrincipalNames", "", &story.app_id),
        ];
        let mut ids = self.audit(
            story,
            at_us,
            "Add service principal",
            "Core Directory",
            "Add",
            &[("AppId", "", &story.app_id)],
            app,
        );
        let grant: &[Change<'_>] = &[
            ("DelegatedPermissionGrant.Scope", "", SCOPES),
            ("DelegatedPermissionGrant.ConsentType", "", "Principal"),
        ];
        ids.extend(self.audit(
            story,
            at_us,
            "Add delegated permission grant",
            "Core Directory",
            "Assign",
            grant,
            app,
        ));
        ids.extend(self.audit(
            story,
            at_us,
            "Consent to application",
            "Core Directory",
            "Assign",
            changes,
            app,
        ));
        ids
    }

    #[expect(
        clippy::too_many_arguments,
        reason = "the facts of an audit, named by the callers above"
    )]
    fn audit(
        &mut self,
        story: &Story,
        at_us: i64,
        activity: &str,
        service: &str,
        operation_type: &str,
        changes: &[Change<'_>],
        app: Option<(&str, &str)>,
    ) -> Vec<String> {
        let victim = &self.users[story.victim];
        let (target_type, (target_id, target_name)) = match app {
            Some(app) => ("ServicePrincipal", app),
            None => ("User", (victim.id.as_str(), victim.principal_name.as_str())),
        };
        let audit = DirectoryAudit {
            number: self.chance.number(&["story audit", activity]),
            at_us,
            activity,
            category: if app.is_some() {
                "ApplicationManagement"
            } else {
                "UserManagement"
            },
            service,
            operation_type,
            initiator: Initiator::Person(victim, &story.desk.ip),
            target_type,
            target_id,
            target_name,
            changes,
            values: Values::Texts,
            further_targets: &[],
            user_agent: story.desk.device.user_agent,
            correlation_id: &self.chance.uuid(&["story audit", activity]),
        };
        record_audit(&mut self.outbox, &self.tenant, self.chance, &audit)
    }

    fn inbox_rule(&mut self, story: &Story, step: StoryStep, at_us: i64) -> Vec<String> {
        let hides = step == StoryStep::HidingRule;
        let name = if hides { "." } else { ".." };
        let id = self.chance.uuid(&["story rule", name]);
        let facts = Mailbox {
            id: &id,
            at_us,
            user: &self.users[story.victim],
            origin: &story.desk,
            session_id: &story.session_id,
            app_id: OUTLOOK_WEB.id,
            client: "Client=OWA;Action=ViaProxy",
        };
        let parameters: &[(&str, &str)] = if hides {
            &[
                ("Name", "."),
                ("SubjectOrBodyContainsWords", "invoice;payment;bank"),
                ("MoveToFolder", "RSS Feeds"),
                ("MarkAsRead", "True"),
                ("StopProcessingRules", "True"),
            ]
        } else {
            &[
                ("Name", ".."),
                ("ForwardTo", DROP_ADDRESS),
                ("StopProcessingRules", "False"),
            ]
        };
        let object = format!("{}\\{name}", facts.user.principal_name);
        let record = mail::cmdlet(&self.tenant, &facts, "New-InboxRule", &object, parameters);
        let (conditions, actions) = if hides {
            hiding()
        } else {
            (serde_json::json!({}), forwarding(DROP_ADDRESS))
        };
        let rule = InboxRule {
            id: format!("AQAAA{}", &self.chance.hex(&["story rule", name])[..11]),
            name: name.to_owned(),
            sequence: if hides { 1 } else { 2 },
            enabled: true,
            conditions,
            actions,
        };
        self.users[story.victim].inbox_rules.push(rule);
        self.outbox
            .send_to_activity(ContentType::Exchange, &id, &record, at_us);
        vec![id]
    }

    fn read_mail(&mut self, story: &Story, serial: u32, at_us: i64) -> Vec<String> {
        let serial = serial.to_string();
        let id = self.chance.uuid(&["story mail", &serial]);
        let facts = Mailbox {
            id: &id,
            at_us,
            user: &self.users[story.victim],
            origin: &story.desk,
            session_id: &story.session_id,
            app_id: &story.app_id,
            client: "Client=REST;Client=RESTSystem;;",
        };
        let messages: Vec<String> = (0..8)
            .map(|message: u32| {
                let number = self
                    .chance
                    .hex(&["story message", &serial, &message.to_string()]);
                format!("<{number}@{}>", self.tenant.domain)
            })
            .collect();
        let access = if serial == "0" { "Sync" } else { "Bind" };
        let listed: &[String] = if access == "Sync" { &[] } else { &messages };
        let record = mail::items_accessed(&self.tenant, &facts, access, listed);
        self.outbox
            .send_to_activity(ContentType::Exchange, &id, &record, at_us);
        vec![id]
    }

    fn download(&mut self, story: &Story, serial: u32, at_us: i64) -> Vec<String> {
        let id = self.chance.uuid(&["story file", &serial.to_string()]);
        let victim = &self.users[story.victim];
        let facts = FileOperation {
            id: &id,
            at_us,
            operation: "FileDownloaded",
            user: victim,
            origin: &story.desk,
            session_id: &story.session_id,
            file: &format!("Contract {:03}.pdf", serial + 1),
            site: victim.department,
        };
        let record = files::file(&self.tenant, &facts);
        self.outbox
            .send_to_activity(ContentType::SharePoint, &id, &record, at_us);
        vec![id]
    }

    fn risk(&mut self, story: &Story, at_us: i64) -> Vec<String> {
        let id = self.chance.hex(&["story risk"]);
        let facts = RiskEvent {
            id: &id,
            activity_us: story.begins_us,
            detected_us: at_us,
            user: &self.users[story.victim],
            origin: &story.proxy,
            kind: "attackerinTheMiddle",
            level: "high",
            request_id: &self.chance.uuid(&["sign-in", "story/phished/0"]),
        };
        let record = risk_event::user_risk_event(&self.tenant, &facts);
        self.outbox
            .send_to_hub(Feed::RiskEvents, &id, record, at_us);
        vec![id]
    }

    fn alert(&mut self, story: &mut Story, step: StoryStep, at_us: i64) -> Vec<String> {
        let id = self.chance.hex(&["story alert"]);
        let shown = match (step, story.alert.take()) {
            (StoryStep::AlertUpdated, Some(known)) => {
                alert::with_status(known, "inProgress", at_us)
            }
            _ => alert::alert(&Alert {
                id: &id,
                tenant_id: &self.tenant.id,
                incident: 4_127,
                title: "Adversary-in-the-middle sign-in",
                description: "A session token was obtained through a reverse proxy known for credential phishing.",
                severity: "high",
                category: "CredentialAccess",
                techniques: &["T1557", "T1078.004"],
                activity_us: story.begins_us,
                created_us: at_us,
                user: &self.users[story.victim],
                origin: &story.proxy,
            }),
        };
        self.outbox.send_to_alerts(&shown, at_us);
        story.alert = Some(shown);
        vec![id]
    }
}
