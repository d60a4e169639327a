//! What forward is told: destinations with their paths and secrets.

use std::sync::Arc;

use forward::destinations::Target;
use forward::{DestinationConfig, Surroundings};
use toml::Value;

use super::secrets;

/// What destinations are made with: their secrets are read when they are needed, so that one that is missing keeps only
/// its own destination from being used.
pub(crate) fn surroundings() -> Surroundings {
    Surroundings {
        read_secret: Arc::new(|reference| {
            secrets::read_secret(reference).map_err(|error| format!("{error:#}"))
        }),
    }
}

/// A destination as it may be shown: references as they are, secrets not at all.
pub(super) fn shown(destination: &DestinationConfig) -> anyhow::Result<DestinationConfig> {
    let mut value = Value::try_from(destination)?;
    hide("", &mut value);
    Ok(value.try_into()?)
}

/// Hides what a setting's name says is secret. An address can be one too, which only its writer knows: it is shown up to
/// its path.
fn hide(name: &str, value: &mut Value) {
    match value {
        Value::String(text) => {
            // Whoever knows the address of a channel can write there.
            let is_channel = matches!(name, "webhook" | "workflow");
            let is_credential = is_channel
                || secrets::is_secret(name)
                || name.eq_ignore_ascii_case("authorization");
            if secrets::is_reference(text) {
                return;
            }
            if is_credential && !text.is_empty() {
                secrets::NOT_SHOWN.clone_into(text);
            } else {
                *text = secrets::without_user_info(&without_query(text));
            }
        }
        Value::Array(values) => values.iter_mut().for_each(|value| hide(name, value)),
        Value::Table(table) => table.iter_mut().for_each(|(name, value)| hide(name, value)),
        _ => {}
    }
}

/// A URL without what follows its path: `?token=` and `?sig=` are how many receivers know who writes. Any other text as
/// it is.
fn without_query(text: &str) -> String {
    let is_url = text.contains("://") && !text.contains(char::is_whitespace);
    match text.find(['?', '#']).filter(|_| is_url) {
        Some(at) => format!("{}?{}", &text[..at], secrets::NOT_SHOWN),
        None => text.to_owned(),
    }
}

/// Where a destination is, for a person, and without what may be secret.
pub(crate) fn address(target: &Target) -> String {
    match target {
        Target::File(file) => file.path.display().to_string(),
        Target::Kafka(kafka) => format!("{} topic {}", kafka.brokers, kafka.topic),
        Target::Syslog(syslog) => format!("{}:{}", syslog.host, syslog.port),
        Target::Webhook(webhook) => host(&webhook.url),
        Target::Splunk(splunk) => host(&splunk.url),
        Target::Elasticsearch(elasticsearch) => {
            format!("{} index {}", host(&elasticsearch.url), elasticsearch.index)
        }
        Target::Sentinel(sentinel) => {
            format!("{} rule {}", host(&sentinel.endpoint), sentinel.rule)
        }
        Target::Otlp(otlp) => host(&otlp.url),
        Target::Slack(slack) => host(&slack.webhook),
        Target::Teams(teams) => host(&teams.workflow),
        Target::Email(email) => {
            format!("{} by {}:{}", email.to.join(", "), email.server, email.port)
        }
    }
}

/// A URL up to its path, or the reference to one.
fn host(url: &str) -> String {
    if secrets::is_reference(url) {
        return url.to_owned();
    }
    let url = secrets::without_user_info(url);
    let host = url.splitn(4, '/').take(3).collect::<Vec<_>>();
    host.join("/")
}

#[cfg(test)]
mod tests {
    use super::super::Config;
    use super::address;

    const TEXT: &str = r#"
data = "kept"
[forward]
routing = "first"
[[forward.routes]]
to = ["soc"]
kinds = ["alert", "case"]
severity_min = "high"
[[destinations]]
name = "soc"
[destinations.to.webhook]
url = "https://ada:canary-1@hooks.example/services/canary?sig=canary-8"
secrets = ["env:HOOK", "canary-2"]
headers = { authorization = "Bearer canary-3", x-api-key = "canary-4", x-source = "vedette" }
[[destinations]]
name = "files"
to.file.path = "alerts.ndjson"
[[destinations]]
name = "chat"
to.slack.webhook = "https://hooks.slack.example/services/canary-5"
[[destinations]]
name = "team"
to.teams.workflow = "https://flow.example/workflows/canary-6"
[[destinations]]
name = "siem"
to.splunk = { url = "https://splunk.example:8088", token = "canary-7" }
"#;

    #[test]
    fn what_goes_where_is_read_checked_and_its_paths_begin_in_the_data_folder() {
        let config = Config::parse(TEXT).expect("it reads");
        let forward = config.forward();
        forward.check().expect("it can be used");
        let shown = address(&forward.destinations[1].to);
        assert_eq!(shown, "kept/alerts.ndjson");
        assert_eq!(
            address(&forward.destinations[0].to),
            "https://(not shown)@hooks.example"
        );
    }

    #[test]
    fn a_file_of_our_own_is_no_destination() {
        for own in [
            "log.sqlite",
            "log.sqlite-wal",
            "respond.sqlite",
            "lake/events/part",
            "vedette.lock",
        ] {
            let text = TEXT.replace("alerts.ndjson", own);
            let config = Config::parse(&text).expect("it reads");
            let file = &config.forward().destinations[1];
            let opened = file.to.open(&file.name, &super::surroundings());
            let is_refused = opened.is_err();
            assert!(is_refused, "{own}");
        }
    }

    #[test]
    fn what_is_shown_has_no_secret_and_can_be_read_again() {
        let config = Config::parse(TEXT).expect("it reads");
        let text = config.to_toml().expect("it is TOML");
        for canary in [
            "canary-1", "canary-2", "canary-3", "canary-4", "canary-5", "canary-6", "canary-7",
            "canary-8",
        ] {
            assert!(!text.contains(canary), "{canary}: {text}");
        }
        assert!(
            text.contains("env:HOOK") && text.contains("x-source"),
            "{text}"
        );
        Config::parse(&text).expect("it reads again");
    }

    #[test]
    fn an_unknown_key_of_a_destination_is_an_error() {
        let wrong = TEXT.replace("path = ", "paths = ");
        let error = format!("{:#}", Config::parse(&wrong).expect_err("it is unknown"));
        assert!(error.contains("paths"), "{error}");
    }
}
