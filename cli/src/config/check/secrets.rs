//! Secrets: each is a reference that leads somewhere, to a file that nobody else reads.

use std::path::Path;

use bus::BusConfig;
use respond::audit::signature::AuditKey;

use super::Findings;
use crate::config::Config;
use crate::config::forward::surroundings;
use crate::config::secrets::{file_of, has_user_info, is_reference, is_secret, mode, read_secret};
use crate::config::tenants::Application;

pub(super) fn check(config: &Config, findings: &mut Findings) {
    for tenant in &config.tenants {
        let mut application = |name: &str, of: &Application| {
            for (key, secret) in of.references() {
                let at = format!("tenants.{}.{name}.{key}", tenant.id);
                reference(findings, at, secret);
            }
        };
        application("read", &tenant.read);
        if let Some(act) = &tenant.act {
            application("act", act);
        }
    }
    for destination in &config.forward().destinations {
        // Its secrets and files are read as they will be; nothing is connected.
        if let Err(error) = destination.to.open(&destination.name, &surroundings()) {
            super::destination(&error, findings);
        }
    }
    let key = &config.respond.audit_key;
    if !key.as_os_str().is_empty()
        && let Err(error) = AuditKey::read(key)
    {
        findings.fault(
            "respond.audit_key",
            crate::output::exit::chain(&anyhow::Error::from(error)),
            "respond would not start: it was told to sign the audit chain, and cannot",
            "name the file that `vedette audit key --new PATH` made; a relative path begins where vedette is started",
        );
    }
    if let Some(BusConfig::Kafka(kafka)) = &config.bus {
        for (name, value) in &kafka.settings {
            // What librdkafka would say of it, each second of a start that does not end.
            if name.ends_with(".location") && !Path::new(value).exists() {
                findings.fault(
                    format!("bus.kafka.settings.{name}"),
                    format!("there is no {value}"),
                    "no broker could be connected to",
                    "put the file there, for vedette's user to read; a relative path begins where vedette is started",
                );
            }
            if is_secret(name) {
                reference(findings, format!("bus.kafka.settings.{name}"), value);
            } else if has_user_info(value) {
                findings.fault(
                    format!("bus.kafka.settings.{name}"),
                    "has a name or password before its host",
                    "whoever reads the configuration reads the password",
                    "take it out; librdkafka has settings of their own for names and passwords",
                );
            }
        }
    }
    if is_reference(&config.http.proxy) {
        reference(findings, "http.proxy".to_owned(), &config.http.proxy);
    } else if has_user_info(&config.http.proxy) {
        findings.fault(
            "http.proxy",
            "has a name or password before its host",
            "whoever reads the configuration reads the password",
            "write env:NAME or file:PATH, and keep the whole URL there",
        );
    }
}

fn reference(findings: &mut Findings, at: String, value: &str) {
    if let Err(error) = read_secret(value) {
        let fix = if is_reference(value) {
            "put the secret there, for vedette's user to read and for nobody else to write"
        } else {
            "write env:NAME or file:PATH, and keep the secret there"
        };
        let what = format!("{error:#}");
        findings.fault(at, what, "without the secret nothing can be reached", fix);
        return;
    }
    let Some(path) = file_of(value) else { return };
    if let Some(mode) = mode(path).filter(|mode| mode & 0o044 != 0) {
        findings.note(
            at,
            format!(
                "others may read {} (mode {:o})",
                path.display(),
                mode & 0o777
            ),
            "whoever reads the secret has the application's rights in the tenant",
            &format!(
                "chmod 600 {}, or put it where only vedette's user gets",
                path.display()
            ),
        );
    }
}
