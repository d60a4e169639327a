//! Tenants: each once, with two registrations, endpoints that keep tokens secret, and bounds that make sense.

use std::collections::BTreeMap;

use ingest::config::{EventHubsConfig, ManagementActivityConfig};
use uuid::Uuid;
use uuid::fmt::Hyphenated;

use super::{Findings, WAIT_MS_MAX};
use crate::config::{Config, Tenant};

/// Hours for which the Management Activity API keeps content.
const FIRST_HOURS_MAX: u64 = 168;

/// Most blobs at once: more only wait for the tenant's budget of requests.
const CONCURRENT_BLOBS_MAX: u64 = 64;

/// What can be subscribed to.
///
/// Source: Office 365 Management Activity API reference, "Start a subscription".
const CONTENT_TYPES: [&str; 5] = [
    "Audit.AzureActiveDirectory",
    "Audit.Exchange",
    "Audit.SharePoint",
    "Audit.General",
    "DLP.All",
];

/// Microsoft Graph's largest page of alerts.
const PAGE_ALERTS_MAX: u64 = 1_000;

/// Microsoft Graph's largest page of users, groups and domains.
const PAGE_OBJECTS_MAX: u64 = 999;

const BUSY: &str = "it would be asked without a pause, until Microsoft throttles the whole tenant";
const NOTHING: &str = "nothing would ever be read";

/// What comes of a pause that is no time, or longer than a day.
fn pause(poll_ms: u64) -> &'static str {
    if poll_ms == 0 { BUSY } else { NOTHING }
}

pub(super) fn check(config: &Config, findings: &mut Findings) {
    let mut counts: BTreeMap<String, u32> = BTreeMap::new();
    let mut hubs: BTreeMap<[String; 3], &str> = BTreeMap::new();
    for tenant in &config.tenants {
        let at = format!("tenants.{}", tenant.id);
        if !is_tenant_id(&tenant.id) {
            findings.fault(
                at.clone(),
                format!("the id {:?} is not a tenant's id", tenant.id),
                "records name their tenant by its id: none of this tenant's would be known as its, and nothing done in it",
                "write the tenant id that Entra's overview shows, 8-4-4-4-12 hexadecimal digits",
            );
        }
        if Uuid::try_parse(&tenant.id).is_ok_and(|id| id.is_nil()) {
            findings.fault(
                at.clone(),
                "is the example's id, which is no tenant's",
                "nothing can be asked of a tenant that is not there",
                "write the tenant id that Entra's overview shows",
            );
        }
        let count = counts.entry(tenant.id.to_lowercase()).or_default();
        *count += 1;
        if *count == 2 {
            findings.fault(
                at.clone(),
                "is there more than once",
                "both would read the same records, and only one would be acted in",
                "put both into one table",
            );
        }
        registrations(tenant, &at, findings);
        sources(tenant, &at, findings);
        for hub in &tenant.event_hubs {
            let key = [&hub.namespace, &hub.hub, &hub.consumer_group];
            let key = key.map(|name| name.to_lowercase());
            if let Some(other) = hubs.insert(key, &tenant.id) {
                findings.fault(
                    format!("{at}.event_hubs.{}", hub.hub),
                    format!("is read for {other} already, by the same consumer group"),
                    "the readers would push each other out, and records would be kept for the wrong tenant",
                    "name the hub once, in the tenant whose records it has",
                );
            }
        }
    }
}

/// Whether this is how Microsoft writes the id of a tenant.
fn is_tenant_id(text: &str) -> bool {
    // The parser also takes braces and digits without hyphens, which no record has.
    text.len() == Hyphenated::LENGTH && Uuid::try_parse(text).is_ok()
}

fn registrations(tenant: &Tenant, at: &str, findings: &mut Findings) {
    if let Err(error) = tenant.endpoints() {
        findings.fault(
            format!("{at}.base_url"),
            format!("{error:#}"),
            "tokens are sent there",
            "leave it out for Microsoft's own, or write https://HOST (plain http on loopback only)",
        );
    }
    if let Some(act) = &tenant.act
        && act.client_id.eq_ignore_ascii_case(&tenant.read.client_id)
    {
        findings.fault(
            format!("{at}.act.client_id"),
            "is the registration that reads",
            "one secret would then both read everything and act on everybody",
            "register a second application with the rights of the actions alone",
        );
    }
}

fn sources(tenant: &Tenant, at: &str, findings: &mut Findings) {
    let has_source = tenant.management_activity.is_some()
        || tenant.graph_alerts.is_some()
        || tenant.directory.is_some()
        || !tenant.event_hubs.is_empty();
    if !has_source {
        findings.note(
            at,
            "has no source",
            "no record of it is read",
            "add a table event_hubs, management_activity, graph_alerts or directory to it",
        );
    }
    if let Some(source) = &tenant.management_activity {
        management_activity(source, &format!("{at}.management_activity"), findings);
    }
    if let Some(source) = &tenant.graph_alerts {
        let key = |key: &str| format!("{at}.graph_alerts.{key}");
        findings.bounds(
            key("poll_ms"),
            source.poll_ms,
            1,
            WAIT_MS_MAX,
            pause(source.poll_ms),
        );
        findings.bounds(
            key("page_alerts"),
            source.page_alerts.into(),
            1,
            PAGE_ALERTS_MAX,
            NOTHING,
        );
    }
    if let Some(source) = &tenant.directory {
        let key = |key: &str| format!("{at}.directory.{key}");
        findings.bounds(
            key("poll_ms"),
            source.poll_ms,
            1,
            WAIT_MS_MAX,
            pause(source.poll_ms),
        );
        findings.bounds(
            key("page_objects"),
            source.page_objects.into(),
            1,
            PAGE_OBJECTS_MAX,
            NOTHING,
        );
    }
    for source in &tenant.event_hubs {
        hub(source, &format!("{at}.event_hubs.{}", source.hub), findings);
    }
}

fn management_activity(source: &ManagementActivityConfig, at: &str, findings: &mut Findings) {
    let key = |key: &str| format!("{at}.{key}");
    findings.bounds(
        key("poll_ms"),
        source.poll_ms,
        1,
        WAIT_MS_MAX,
        pause(source.poll_ms),
    );
    let (hours, blobs) = (source.first_hours.into(), source.concurrent_blobs as u64);
    let why = "Microsoft keeps content for 7 days";
    findings.bounds(key("first_hours"), hours, 1, FIRST_HOURS_MAX, why);
    findings.bounds(
        key("concurrent_blobs"),
        blobs,
        1,
        CONCURRENT_BLOBS_MAX,
        NOTHING,
    );
    for name in &source.content_types {
        if !CONTENT_TYPES.contains(&name.as_str()) {
            findings.fault(
                key("content_types"),
                format!("names {name:?}"),
                "Microsoft has no such content",
                &format!("name some of {}", CONTENT_TYPES.join(", ")),
            );
        }
    }
}

fn hub(source: &EventHubsConfig, at: &str, findings: &mut Findings) {
    for (key, text) in [
        ("namespace", &source.namespace),
        ("hub", &source.hub),
        ("consumer_group", &source.consumer_group),
    ] {
        if text.is_empty() {
            findings.fault(format!("{at}.{key}"), "is empty", NOTHING, "name it");
        }
    }
    for (key, value) in [
        ("prefetch", u64::from(source.prefetch)),
        ("batch_messages_max", source.batch_messages_max as u64),
    ] {
        findings.bounds(format!("{at}.{key}"), value, 1, u64::MAX, NOTHING);
    }
    for (key, value, least) in [
        ("batch_wait_ms", source.batch_wait_ms, 0),
        ("idle_ms", source.idle_ms, 1),
        ("call_timeout_ms", source.call_timeout_ms, 1),
        ("partitions_ms", source.partitions_ms, 1),
    ] {
        findings.bounds(format!("{at}.{key}"), value, least, WAIT_MS_MAX, NOTHING);
    }
    if let Err(what) = source.check_endpoint() {
        findings.fault(
            format!("{at}.endpoint"),
            what,
            "whoever is on the way reads the token, and with it every record of the namespace",
            "write amqps://HOST, or leave it out for the namespace itself",
        );
    }
}
