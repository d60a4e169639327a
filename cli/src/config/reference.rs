//! `docs/configuration.md`, written from what the settings say of themselves: their documentation in the code, and their
//! defaults as a configuration that names only what must be named gets them.

use std::fmt::Write as _;

use toml::{Table, Value};

use super::Config;
use crate::generated_page::{self, root};

/// Where a table of the configuration stands, and the struct that is read from it.
struct Section {
    /// The table's path, as it is written in TOML.
    table: &'static str,
    /// The source file, from the root of the repository.
    file: &'static str,
    /// The struct's name.
    name: &'static str,
}

const fn section(table: &'static str, file: &'static str, name: &'static str) -> Section {
    Section { table, file, name }
}

const SECTIONS: &[Section] = &[
    section("", "cli/src/config.rs", "Config"),
    section("[log]", "cli/src/telemetry.rs", "LogConfig"),
    section("[health]", "cli/src/config.rs", "HealthConfig"),
    section("[bus.log]", "bus/src/config.rs", "LogConfig"),
    section("[bus.kafka]", "bus/src/config.rs", "KafkaConfig"),
    section("[http]", "microsoft/src/config.rs", "HttpConfig"),
    section("[lake]", "lake/src/config.rs", "LakeConfig"),
    section("[detect]", "detect/src/config.rs", "DetectConfig"),
    section("[respond]", "respond/src/config.rs", "RespondConfig"),
    section("[import]", "ingest/src/config.rs", "ImportConfig"),
    section("[forward]", "forward/src/config.rs", "ForwardConfig"),
    section("[[forward.routes]]", "forward/src/routes.rs", "Route"),
    section(
        "[[destinations]]",
        "forward/src/config.rs",
        "DestinationConfig",
    ),
    section(
        "[destinations.to.elasticsearch]",
        "forward/src/destinations/elasticsearch.rs",
        "ElasticsearchConfig",
    ),
    section(
        "[destinations.to.email]",
        "forward/src/destinations/email.rs",
        "EmailConfig",
    ),
    section(
        "[destinations.to.file]",
        "forward/src/destinations/file.rs",
        "FileConfig",
    ),
    section(
        "[destinations.to.kafka]",
        "forward/src/destinations/kafka.rs",
        "KafkaConfig",
    ),
    section(
        "[destinations.to.otlp]",
        "forward/src/destinations/otlp.rs",
        "OtlpConfig",
    ),
    section(
        "[destinations.to.sentinel]",
        "forward/src/destinations/sentinel.rs",
        "SentinelConfig",
    ),
    section(
        "[destinations.to.slack]",
        "forward/src/destinations/slack.rs",
        "SlackConfig",
    ),
    section(
        "[destinations.to.splunk]",
        "forward/src/destinations/splunk.rs",
        "SplunkConfig",
    ),
    section(
        "[destinations.to.syslog]",
        "forward/src/destinations/syslog.rs",
        "SyslogConfig",
    ),
    section(
        "[destinations.to.syslog.tls]",
        "forward/src/tls.rs",
        "TlsConfig",
    ),
    section(
        "[destinations.to.teams]",
        "forward/src/destinations/teams.rs",
        "TeamsConfig",
    ),
    section(
        "[destinations.to.webhook]",
        "forward/src/destinations/webhook.rs",
        "WebhookConfig",
    ),
    section(
        "[destinations.to.webhook.http]",
        "forward/src/http.rs",
        "HttpConfig",
    ),
    section("[[tenants]]", "cli/src/config/tenants.rs", "Tenant"),
    section("[tenants.read]", "cli/src/config/tenants.rs", "Application"),
    section(
        "[tenants.management_activity]",
        "ingest/src/config.rs",
        "ManagementActivityConfig",
    ),
    section(
        "[tenants.graph_alerts]",
        "ingest/src/config.rs",
        "GraphAlertsConfig",
    ),
    section(
        "[tenants.directory]",
        "ingest/src/config.rs",
        "DirectoryConfig",
    ),
    section(
        "[[tenants.event_hubs]]",
        "ingest/src/config.rs",
        "EventHubsConfig",
    ),
];

/// Configurations that together name every table, and in each what must be named; [`REQUIRED`] is not a default.
const SAMPLES: [&str; 2] = [include_str!("reference/tables.toml"), "[bus.log]\n"];

/// What stands in the samples where the reader has to say something.
const REQUIRED: &str = "REQUIRED";

/// A setting: its name, its documentation in lines, and whether serde leaves it out.
struct Setting {
    name: String,
    says: String,
}

/// The settings of a struct, from its source as rustfmt writes it.
fn settings(section: &Section) -> Vec<Setting> {
    let text = std::fs::read_to_string(root().join(section.file)).expect(section.file);
    let opening = format!("struct {} {{", section.name);
    let (_, body) = text.split_once(&opening).expect(section.name);
    let (body, _) = body.split_once("\n}").expect(section.name);
    let (mut settings, mut says, mut is_skipped) = (Vec::new(), Vec::new(), false);
    for line in body.lines().map(str::trim) {
        if let Some(doc) = line.strip_prefix("///") {
            says.push(doc.trim().to_owned());
        } else if line.starts_with("#[serde(skip,") || line == "#[serde(skip)]" {
            is_skipped = true;
        } else if let Some((name, _)) = line.split_once(": ").filter(|_| line.starts_with("pub")) {
            let name = name.rsplit(' ').next().unwrap_or(name).to_owned();
            let said = std::mem::take(&mut says).join(" ");
            if !std::mem::take(&mut is_skipped) {
                settings.push(Setting { name, says: said });
            }
        }
    }
    settings
}

/// What the samples have at a table's path; of several tables the first that has the next name.
fn table<'a>(all: &'a Value, path: &str) -> Option<&'a Table> {
    let mut here = vec![all];
    let names = path.trim_matches(['[', ']']);
    for name in names.split('.').filter(|name| !name.is_empty()) {
        here = here
            .iter()
            .filter_map(|value| value.get(name))
            .flat_map(|value| {
                value
                    .as_array()
                    .map_or_else(|| vec![value], |values| values.iter().collect())
            })
            .collect();
    }
    here.first()?.as_table()
}

/// A default as TOML, in one line; none for what has to be said.
fn default(samples: &[Value], section: &Section, setting: &Setting) -> String {
    let value = samples
        .iter()
        .find_map(|sample| table(sample, section.table)?.get(&setting.name));
    match value {
        None => "absent".to_owned(),
        Some(Value::Table(inner)) if !inner.is_empty() => "a table".to_owned(),
        Some(Value::Array(values)) if values.iter().any(Value::is_table) => "tables".to_owned(),
        Some(value) if value.to_string().contains(REQUIRED) => "**required**".to_owned(),
        Some(value) => format!("`{}`", value.to_string().replace('|', "\\|")),
    }
}

fn reference() -> String {
    let parsed = |text: &str| {
        let config = Config::parse(text).expect("the sample is a configuration");
        Value::try_from(&config).expect("it is TOML")
    };
    let samples = SAMPLES.map(parsed);
    let mut page = String::from(
        "# Configuration\n\nWritten by `UPDATE_DOCS=1 cargo test -p cli --bins reference`; not edited by hand. One TOML file, \
         `vedette.toml`\nof the folder or `--config FILE`. `vedette config check` says what is wrong with one, and \
         `vedette config show` prints it with\nevery default. A secret is a reference: `env:NAME` or `file:PATH`.\n",
    );
    for section in SECTIONS {
        let title = if section.table.is_empty() {
            "At the top"
        } else {
            section.table
        };
        write!(
            page,
            "\n## `{title}`\n\n| setting | default | what it says |\n|---|---|---|\n"
        )
        .expect("text");
        for setting in settings(section) {
            let says = setting
                .says
                .replace('|', "\\|")
                .replace("[`", "`")
                .replace("`]", "`");
            let default = default(&samples, section, &setting);
            writeln!(page, "| `{}` | {default} | {says} |", setting.name).expect("text");
        }
    }
    page.replace("## `At the top`", "## At the top")
}

#[test]
fn the_page_of_the_settings_is_what_the_code_says() {
    generated_page::check("docs/configuration.md", &reference(), "reference");
}

/// A struct that is read from the file, and that nobody sees on the page, would be a setting that nobody knows.
#[test]
fn every_setting_says_something_of_itself() {
    for section in SECTIONS {
        let settings = settings(section);
        assert!(!settings.is_empty(), "{} has no settings", section.name);
        for setting in settings {
            assert!(
                !setting.says.is_empty(),
                "{}.{}",
                section.name,
                setting.name
            );
        }
    }
}
