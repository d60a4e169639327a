//! Destinations against other people's programs: OpenSearch, an OpenTelemetry Collector, rsyslog over TLS, and aiosmtpd.
//!
//! `make receivers` installs them (`deploy/receivers/setup programs`) and runs this; what is not there fails.
#![expect(clippy::expect_used, reason = "a test: it fails loudly")]
#![expect(
    clippy::print_stdout,
    reason = "what was sent to whom is read in the log"
)]

use std::collections::BTreeSet;
use std::fs;
use std::net::TcpListener;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::Arc;
use std::time::{Duration, Instant};

use forward::Surroundings;
use forward::contract::Notice;
use forward::destination::{Answer, Destination, Outcome};
use forward::destinations::Target;
use forward::destinations::elasticsearch::ElasticsearchConfig;
use forward::destinations::email::{EmailConfig, MailEncryption};
use forward::destinations::otlp::OtlpConfig;
use forward::destinations::syslog::{Framing, SyslogConfig};
use forward::formats::Format;
use forward::guard::Network;
use forward::http::HttpConfig;
use forward::tls::TlsConfig;
use schemas::secret::Secret;
use schemas::wire::Alert;
use serde_json::Value;
use tempfile::TempDir;

#[path = "destinations/authority.rs"]
#[expect(dead_code, reason = "other tests ask for a certificate of ours")]
mod authority;
#[path = "forms/hostile.rs"]
mod hostile;
#[path = "destinations/receiver.rs"]
#[expect(dead_code, reason = "the authority serves with it elsewhere")]
mod receiver;
#[path = "forms/samples.rs"]
#[expect(dead_code, reason = "every state of every kind is looked at elsewhere")]
mod samples;

use crate::authority::Authority;

/// How long a program may take until it listens, on a machine with much else to do.
const START: Duration = Duration::from_secs(240);

/// What `deploy/receivers/setup programs` installed.
fn installed(name: &str) -> PathBuf {
    let path = Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("../target/receivers")
        .join(name);
    assert!(
        path.exists(),
        "{} is not there; fix: deploy/receivers/setup programs",
        path.display()
    );
    path
}

fn scripts(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("../deploy/receivers")
        .join(name)
}

/// A program that ends with the test.
struct Program(Child);

impl Program {
    fn start(command: &mut Command, log: &Path) -> Self {
        let log = fs::File::create(log).expect("a log");
        let child = command
            .stdin(Stdio::null())
            .stdout(log.try_clone().expect("a log"))
            .stderr(log)
            .spawn()
            .unwrap_or_else(|why| {
                panic!("{command:?}: {why}; fix: deploy/receivers/setup programs")
            });
        Self(child)
    }
}

impl Drop for Program {
    fn drop(&mut self) {
        self.0.kill().expect("it ends");
        self.0.wait().expect("it has ended");
    }
}

/// A port that nobody listens on at the moment.
fn port() -> u16 {
    let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
    listener.local_addr().expect("an address").port()
}

/// Asks until there is an answer.
async fn until<T>(what: &str, log: &Path, mut ask: impl FnMut() -> Option<T>) -> T {
    let began = Instant::now();
    loop {
        if let Some(found) = ask() {
            return found;
        }
        let tail = || fs::read_to_string(log).unwrap_or_default();
        assert!(began.elapsed() < START, "{what}: {}", tail());
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
}

async fn listens(port: u16, log: &Path) {
    until("it does not listen", log, || {
        std::net::TcpStream::connect(("127.0.0.1", port)).ok()
    })
    .await;
}

fn this_machine() -> Vec<Network> {
    ["127.0.0.0/8", "::1/128"]
        .map(|network| network.parse().expect("a network"))
        .to_vec()
}

fn http() -> HttpConfig {
    HttpConfig {
        allow_networks: this_machine(),
        request_timeout_ms: 30_000,
        ..HttpConfig::default()
    }
}

fn open(target: &Target) -> Box<dyn Destination> {
    let with = Surroundings {
        read_secret: Arc::new(|_| Ok(Secret::new("a password of the test"))),
    };
    target.open("real", &with).expect("opens")
}

/// Alerts, each another one and with another hostile name, and one notice of every other kind.
fn notices(count: usize) -> Vec<Arc<Notice>> {
    let strings = hostile::strings();
    let alert = |place: usize| {
        Notice::of_alert(&Alert {
            alert_id: format!("{place:032x}"),
            ..samples::alert(&strings[place % strings.len()])
        })
    };
    let mut all: Vec<Notice> = (0..count).map(alert).collect();
    all.extend(samples::each("x").into_iter().skip(1));
    all.into_iter().map(Arc::new).collect()
}

/// Delivers all of them, in batches as the stage makes them, and tries those again that were not taken now.
async fn deliver_all(destination: &mut dyn Destination, all: &[Arc<Notice>]) {
    let began = Instant::now();
    let limits = destination.limits();
    for batch in all.chunks(limits.notices_max) {
        let mut rest = batch.to_vec();
        while !rest.is_empty() {
            assert!(
                began.elapsed() < START,
                "it does not take {} notices",
                rest.len()
            );
            let reply = destination.deliver(&rest).await;
            match reply.answer {
                Answer::Each(outcomes) => {
                    let refused = outcomes
                        .iter()
                        .find(|outcome| matches!(outcome, Outcome::Refused { .. }));
                    assert!(refused.is_none(), "{refused:?}");
                    let mut taken = outcomes
                        .iter()
                        .map(|outcome| *outcome == Outcome::Delivered);
                    rest.retain(|_| !taken.next().unwrap_or(false));
                }
                Answer::Later(retry) => {
                    println!("later: {}", retry.why);
                    tokio::time::sleep(Duration::from_millis(500)).await;
                }
                Answer::TooLarge { why } => panic!("{why}"),
            }
        }
    }
}

fn keys(all: &[Arc<Notice>]) -> BTreeSet<String> {
    all.iter().map(|notice| notice.idempotency_key()).collect()
}

#[tokio::test]
async fn opensearch_keeps_each_once_and_finds_it() {
    let home = TempDir::new().expect("a folder");
    let log = home.path().join("log");
    let jars = installed("opensearch").join("*");
    let _node = Program::start(
        Command::new("java")
            .arg("-Xmx512m")
            .arg("-cp")
            .arg(jars)
            .arg(scripts("OpenSearch.java"))
            .arg(home.path()),
        &log,
    );
    let port = until("OpenSearch does not start", &log, || {
        fs::read_to_string(home.path().join("port")).ok()
    })
    .await;
    let url = format!("http://127.0.0.1:{port}");
    let client = reqwest::Client::builder()
        .no_proxy()
        .build()
        .expect("a client");
    put_template(&client, &url).await;
    let mut destination = open(&Target::Elasticsearch(ElasticsearchConfig {
        url: url.clone(),
        index: "vedette".to_owned(),
        api_key: String::new(),
        user: String::new(),
        password: String::new(),
        format: Format::Ecs,
        http: http(),
    }));
    // The first text of a field does not decide what the field is.
    let mut all = vec![Arc::new(Notice::of_alert(&samples::alert("2026-11-30")))];
    all.extend(notices(300));
    for _ in 0..2 {
        deliver_all(destination.as_mut(), &all).await;
    }
    let hits = documents(&client, &url).await;
    let ids: BTreeSet<String> = hits
        .iter()
        .map(|hit| hit["_id"].as_str().expect("an id").to_owned())
        .collect();
    assert_eq!(ids, keys(&all), "each is there, and once");
    for notice in &all {
        let hit = hits
            .iter()
            .find(|hit| hit["_id"] == notice.idempotency_key().as_str())
            .expect("is there");
        assert_eq!(hit["_source"]["vedette"], notice.document);
    }
    what_cannot_be_mapped_is_refused_alone(destination.as_mut(), &all).await;
    println!(
        "OpenSearch: {} sent twice, {} kept, all equal",
        all.len(),
        ids.len()
    );
}

/// Every document of the index.
async fn documents(client: &reqwest::Client, url: &str) -> Vec<Value> {
    let ask = |path: &str| client.get(format!("{url}/vedette/{path}")).send();
    ask("_refresh").await.expect("answers");
    let found = ask("_search?size=1000&_source=vedette,event,message").await;
    let found: Value = found.expect("answers").json().await.expect("JSON");
    found["hits"]["hits"].as_array().expect("hits").clone()
}

async fn put_template(client: &reqwest::Client, url: &str) {
    let template =
        fs::read_to_string(scripts("../elasticsearch/template.json")).expect("a template");
    let put = client
        .put(format!("{url}/_index_template/vedette"))
        .header("content-type", "application/json")
        .body(template);
    let put = put.send().await.expect("answers");
    assert_eq!(
        put.status(),
        200,
        "{}",
        put.text().await.unwrap_or_default()
    );
}

async fn what_cannot_be_mapped_is_refused_alone(
    destination: &mut dyn Destination,
    all: &[Arc<Notice>],
) {
    let mut odd = (*all[0]).clone();
    odd.version = "odd".to_owned();
    odd.document["event_count"] = "twelve".into();
    let mut good = (*all[1]).clone();
    good.version = "good".to_owned();
    let reply = destination.deliver(&[Arc::new(odd), Arc::new(good)]).await;
    let Answer::Each(outcomes) = reply.answer else {
        panic!("{reply:?}")
    };
    assert!(
        matches!(outcomes[..], [Outcome::Refused { .. }, Outcome::Delivered]),
        "{outcomes:?}"
    );
}

#[tokio::test]
async fn a_collector_writes_every_record() {
    let folder = TempDir::new().expect("a folder");
    let (log, out, config) = ("log", "out.json", "config.yaml");
    let [log, out, config] = [log, out, config].map(|name| folder.path().join(name));
    let port = port();
    let text = format!(
        "receivers: {{otlp: {{protocols: {{http: {{endpoint: '127.0.0.1:{port}'}}}}}}}}\n\
         exporters: {{file: {{path: '{}'}}}}\n\
         service:\n  telemetry: {{metrics: {{level: none}}}}\n  pipelines: {{logs: {{receivers: [otlp], exporters: [file]}}}}\n",
        out.display()
    );
    fs::write(&config, text).expect("written");
    let _collector = Program::start(
        Command::new(installed("collector"))
            .arg("--config")
            .arg(&config),
        &log,
    );
    listens(port, &log).await;
    let mut destination = open(&Target::Otlp(OtlpConfig {
        url: format!("http://127.0.0.1:{port}"),
        headers: std::collections::BTreeMap::new(),
        format: Format::Json,
        http: http(),
    }));
    for found in destination.validate().await {
        assert_eq!(found.fault, None, "{found:?}");
    }
    let all = notices(300);
    deliver_all(destination.as_mut(), &all).await;
    let records = until("the records are not written", &log, || {
        let found = records(&fs::read_to_string(&out).unwrap_or_default());
        (found.len() >= all.len()).then_some(found)
    })
    .await;
    for notice in &all {
        let key = notice.idempotency_key();
        let record = records
            .iter()
            .find(|record| attribute(record, "vedette.notice.key") == Some(&key))
            .expect("is there");
        let body: Value =
            serde_json::from_str(record["body"]["stringValue"].as_str().expect("a text"))
                .expect("JSON");
        assert_eq!(body, notice.document);
    }
    println!(
        "OpenTelemetry Collector: {} sent, {} written, all equal",
        all.len(),
        records.len()
    );
}

fn records(text: &str) -> Vec<Value> {
    let requests = text
        .lines()
        .filter_map(|line| serde_json::from_str::<Value>(line).ok());
    let logs = requests.flat_map(|request| {
        request["resourceLogs"]
            .as_array()
            .cloned()
            .unwrap_or_default()
    });
    logs.flat_map(|log| {
        log["scopeLogs"][0]["logRecords"]
            .as_array()
            .cloned()
            .unwrap_or_default()
    })
    .collect()
}

fn attribute<'r>(record: &'r Value, name: &str) -> Option<&'r str> {
    let all = record["attributes"].as_array()?;
    all.iter().find(|pair| pair["key"] == name)?["value"]["stringValue"].as_str()
}

#[tokio::test]
async fn rsyslog_over_tls_writes_every_message_on_a_line_of_its_own() {
    let folder = TempDir::new().expect("a folder");
    let authority = Authority::new();
    let (certificate, key) = authority.issue("localhost");
    for format in [Format::Cef, Format::Leef, Format::Json] {
        let [log, out, config, pid] = ["log", "out", "conf", "pid"]
            .map(|name| folder.path().join(format!("{format:?}.{name}")));
        let port = port();
        let text = format!(
            "global(defaultNetstreamDriver=\"gtls\" defaultNetstreamDriverCAFile=\"{ca}\" \
             defaultNetstreamDriverCertFile=\"{certificate}\" defaultNetstreamDriverKeyFile=\"{key}\" maxMessageSize=\"512k\" \
             parser.escapeControlCharactersOnReceive=\"on\")\n\
             module(load=\"imtcp\" StreamDriver.Name=\"gtls\" StreamDriver.Mode=\"1\" StreamDriver.AuthMode=\"anon\")\n\
             template(name=\"message\" type=\"string\" string=\"%msg%\\n\")\n\
             input(type=\"imtcp\" port=\"{port}\" address=\"127.0.0.1\")\n\
             action(type=\"omfile\" file=\"{out}\" template=\"message\" asyncWriting=\"off\")\n",
            ca = authority.ca_file().display(),
            certificate = certificate.display(),
            key = key.display(),
            out = out.display(),
        );
        fs::write(&config, text).expect("written");
        let _rsyslog = Program::start(
            Command::new("/usr/sbin/rsyslogd")
                .arg("-n")
                .arg("-f")
                .arg(&config)
                .arg("-i")
                .arg(&pid),
            &log,
        );
        listens(port, &log).await;
        let mut destination = open(&Target::Syslog(SyslogConfig {
            host: "localhost".to_owned(),
            port,
            insecure: false,
            tls: TlsConfig {
                ca_file: authority.ca_file(),
                ..TlsConfig::default()
            },
            allow_networks: this_machine(),
            format,
            framing: Framing::OctetCounting,
            sender: "sensor".to_owned(),
            timeout_ms: 30_000,
        }));
        let all = notices(200);
        deliver_all(destination.as_mut(), &all).await;
        let lines = until("the messages are not written", &log, || {
            let text = fs::read_to_string(&out).unwrap_or_default();
            let lines: Vec<String> = text
                .lines()
                .map(|line| line.trim_start().to_owned())
                .collect();
            (lines.len() >= all.len()).then_some(lines)
        })
        .await;
        // rsyslog shows a tab, LEEF's delimiter, as #011.
        let sent: Vec<String> = all
            .iter()
            .map(|notice| format.render(notice).replace('\t', "#011"))
            .collect();
        assert_eq!(lines, sent, "{format:?}");
        println!(
            "rsyslog over TLS, {format:?}: {} sent, {} lines, all equal",
            all.len(),
            lines.len()
        );
    }
}

#[tokio::test]
async fn a_server_of_mail_takes_every_mail_over_starttls() {
    let folder = TempDir::new().expect("a folder");
    let authority = Authority::new();
    let (certificate, key) = authority.issue("localhost");
    let [log, mails] = ["log", "mails"].map(|name| folder.path().join(name));
    fs::create_dir(&mails).expect("a folder");
    let port = port();
    let _server = Program::start(
        Command::new(installed("venv/bin/python"))
            .arg(scripts("mail.py"))
            .arg(port.to_string())
            .args([&certificate, &key, &mails]),
        &log,
    );
    listens(port, &log).await;
    let mut destination = open(&Target::Email(EmailConfig {
        server: "localhost".to_owned(),
        port,
        encryption: MailEncryption::Starttls,
        ca_file: authority.ca_file(),
        allow_networks: this_machine(),
        user: "vedette".to_owned(),
        password: "env:PASSWORD".to_owned(),
        from: "vedette@contoso.test".to_owned(),
        to: vec!["soc@contoso.test".to_owned()],
        title: String::new(),
        text: String::new(),
    }));
    let all = notices(60);
    deliver_all(destination.as_mut(), &all).await;
    let mut ids = BTreeSet::new();
    for entry in fs::read_dir(&mails).expect("a folder") {
        let text = fs::read_to_string(entry.expect("a mail").path()).expect("a mail");
        let id = text
            .lines()
            .find_map(|line| line.strip_prefix("Message-ID: <"))
            .expect("an id");
        ids.insert(id.trim_end_matches("@contoso.test>").to_owned());
    }
    assert_eq!(ids, keys(&all));
    println!(
        "aiosmtpd over STARTTLS: {} sent, {} kept",
        all.len(),
        ids.len()
    );
}
