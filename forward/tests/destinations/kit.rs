//! What every destination must survive; called once for each.
#![expect(
    clippy::expect_used,
    reason = "a test ends where its footing is missing"
)]

use std::io::Read as _;
use std::sync::Arc;
use std::time::{Duration, Instant};

use flate2::read::GzDecoder;
use forward::Surroundings;
use forward::contract::Notice;
use forward::destination::{Answer, Destination, Outcome, Reply};
use forward::destinations::Target;
use forward::http::HttpConfig;
use schemas::secret::Secret;
use schemas::wire::Alert;

use crate::receiver::{Behaviour, Receiver, bomb};

/// What no answer, error or log may show.
pub(crate) const CANARY: &str = "whsec_Y2FuYXJ5LTdmM2MtY2FuYXJ5LTdmM2MtY2FuYXJ5";

/// Longest that a batch may take when a request may take half a second, on a machine with much else to do; the stage
/// gives up after a minute.
const SOON: Duration = Duration::from_secs(30);

pub(crate) fn surroundings() -> Surroundings {
    Surroundings {
        read_secret: Arc::new(|reference| match reference.split_once(':') {
            Some(("env", "CANARY")) => Ok(Secret::new(CANARY)),
            Some(("file", path)) => std::fs::read_to_string(path)
                .map(Secret::new)
                .map_err(|error| error.to_string()),
            _ => Err(format!("no secret at {reference}")),
        }),
    }
}

pub(crate) fn open(target: &Target) -> Box<dyn Destination> {
    target
        .open("under-test", &surroundings())
        .expect("a destination")
}

pub(crate) fn notices(count: u32) -> Vec<Arc<Notice>> {
    (0..count)
        .map(|number| {
            Arc::new(Notice::of_alert(&Alert {
                alert_id: format!("{number:032x}"),
                tenant_id: "0b5c".to_owned(),
                severity: "high".to_owned(),
                title: format!("alert {number}"),
                ..Alert::default()
            }))
        })
        .collect()
}

/// A configuration that reaches this machine, and waits for half a second.
pub(crate) fn http() -> HttpConfig {
    HttpConfig {
        allow_networks: vec!["127.0.0.0/8".parse().expect("a network")],
        request_timeout_ms: 500,
        ..HttpConfig::default()
    }
}

/// The fate of each notice; a batch that was not taken is as many that are tried again.
pub(crate) fn fates(reply: &Reply, notices: usize) -> Vec<&'static str> {
    match &reply.answer {
        Answer::TooLarge { .. } => vec!["too large"; notices],
        Answer::Later(_) => vec!["later"; notices],
        Answer::Each(outcomes) => {
            let fate = |outcome: &Outcome| match outcome {
                Outcome::Delivered => "delivered",
                Outcome::Refused { .. } => "refused",
                Outcome::Retry(_) | Outcome::NotTried => "later",
            };
            outcomes.iter().map(fate).collect()
        }
    }
}

/// What is asked for as a wait, the longest of it.
pub(crate) fn asked(reply: &Reply) -> Option<Duration> {
    match &reply.answer {
        Answer::Later(retry) => retry.after,
        Answer::Each(outcomes) => outcomes
            .iter()
            .filter_map(|outcome| match outcome {
                Outcome::Retry(retry) => retry.after,
                _ => None,
            })
            .max(),
        Answer::TooLarge { .. } => None,
    }
}

/// Delivers, and checks what must hold of every answer.
pub(crate) async fn deliver(destination: &mut dyn Destination, batch: &[Arc<Notice>]) -> Reply {
    let started = Instant::now();
    let reply = destination.deliver(batch).await;
    assert!(started.elapsed() < SOON, "it took {:?}", started.elapsed());
    let shown = format!("{reply:?}");
    assert!(!shown.contains("canary"), "{shown}");
    assert!(!shown.contains(&CANARY[6..]), "{shown}");
    assert!(reply.said.chars().count() < 1_000, "{}", reply.said.len());
    reply
}

/// Every question about a receiver over HTTP. `make` gives the destination for an address; `taken` is what a receiver
/// answers that has taken it all.
pub(crate) async fn check_http(
    make: impl Fn(&str, HttpConfig) -> Target,
    taken: impl Fn(usize) -> String,
) {
    let ok = |notices| Behaviour::Answer(200, Vec::new(), taken(notices));
    it_delivers_what_is_taken(&make, ok(2)).await;
    it_waits_for_those_who_do_not_answer(&make).await;
    it_does_as_the_status_says(&make).await;
    it_follows_nobody(&make).await;
    it_reads_no_more_than_it_needs(&make).await;
    it_reaches_nobody_inside(&make, ok(1)).await;
    it_shows_no_secret(&make).await;
}

async fn it_delivers_what_is_taken(make: &impl Fn(&str, HttpConfig) -> Target, ok: Behaviour) {
    let receiver = Receiver::start(ok).await;
    let mut destination = open(&make(&receiver.url(), http()));
    let batch = notices(2);
    let reply = deliver(destination.as_mut(), &batch).await;
    assert_eq!(fates(&reply, 2), ["delivered"; 2], "{}", reply.said);
    let requests = receiver.received();
    for notice in &batch {
        let key = notice.idempotency_key();
        let has_it = |request: &crate::receiver::Received| {
            request.head.contains(&key) || text(request).contains(&key)
        };
        assert!(
            requests.iter().any(has_it),
            "the key of {} is sent",
            notice.id
        );
    }
}

async fn it_waits_for_those_who_do_not_answer(make: &impl Fn(&str, HttpConfig) -> Target) {
    for behaviour in [
        Behaviour::Hang,
        Behaviour::DripHead,
        Behaviour::HangUp,
        Behaviour::Noise,
    ] {
        let receiver = Receiver::start(behaviour.clone()).await;
        let mut destination = open(&make(&receiver.url(), http()));
        let reply = deliver(destination.as_mut(), &notices(3)).await;
        assert_eq!(
            fates(&reply, 3),
            ["later"; 3],
            "{behaviour:?}: {}",
            reply.said
        );
    }
    // Nobody listens there any more.
    let gone = Receiver::start(Behaviour::Hang).await.url();
    tokio::time::sleep(Duration::from_millis(50)).await;
    let mut destination = open(&make(&gone, http()));
    let reply = deliver(destination.as_mut(), &notices(3)).await;
    assert_eq!(fates(&reply, 3), ["later"; 3], "{}", reply.said);
    assert!(destination.validate().await[0].fault.is_some());
}

async fn it_does_as_the_status_says(make: &impl Fn(&str, HttpConfig) -> Target) {
    for status in [401, 403, 404, 408, 429, 500, 502, 503, 504] {
        let answer = Behaviour::Answer(status, Vec::new(), "no".to_owned());
        let receiver = Receiver::start(answer).await;
        let mut destination = open(&make(&receiver.url(), http()));
        let reply = deliver(destination.as_mut(), &notices(2)).await;
        assert_eq!(fates(&reply, 2), ["later"; 2], "{status}: {}", reply.said);
    }
    let large = Behaviour::Answer(413, Vec::new(), String::new());
    let receiver = Receiver::start(large).await;
    let mut destination = open(&make(&receiver.url(), http()));
    let reply = deliver(destination.as_mut(), &notices(1)).await;
    let fate = fates(&reply, 1);
    assert!(fate == ["too large"] || fate == ["refused"], "{fate:?}");
    let absurd = vec![("retry-after", "31536000000".to_owned())];
    let receiver = Receiver::start(Behaviour::Answer(429, absurd, String::new())).await;
    let mut destination = open(&make(&receiver.url(), http()));
    let reply = deliver(destination.as_mut(), &notices(5)).await;
    assert_eq!(fates(&reply, 5), ["later"; 5]);
    assert!(asked(&reply).is_some_and(|asked| asked > Duration::from_hours(24)));
    assert_eq!(
        receiver.received().len(),
        1,
        "whoever asks to be left alone is"
    );
}

async fn it_follows_nobody(make: &impl Fn(&str, HttpConfig) -> Target) {
    let elsewhere = Receiver::start(Behaviour::Answer(200, Vec::new(), String::new())).await;
    for status in [301, 302, 307, 308] {
        let headers = vec![("location", elsewhere.url())];
        let receiver = Receiver::start(Behaviour::Answer(status, headers, String::new())).await;
        let mut destination = open(&make(&receiver.url(), http()));
        let reply = deliver(destination.as_mut(), &notices(1)).await;
        assert_eq!(fates(&reply, 1), ["later"], "{status}: {}", reply.said);
    }
    assert!(elsewhere.received().is_empty());
}

async fn it_reads_no_more_than_it_needs(make: &impl Fn(&str, HttpConfig) -> Target) {
    // Made before it is asked for: that takes its time.
    assert!(!bomb().is_empty());
    for behaviour in [
        Behaviour::GzipBomb,
        Behaviour::DripBody,
        Behaviour::Answer(500, Vec::new(), "\u{1b}[31m\r\n".repeat(200_000)),
    ] {
        let receiver = Receiver::start(behaviour).await;
        let mut destination = open(&make(&receiver.url(), http()));
        let before = resident_kilobytes();
        let reply = deliver(destination.as_mut(), &notices(1)).await;
        assert!(
            resident_kilobytes() < before + 64 * 1024,
            "it is not held in memory"
        );
        assert!(!reply.said.contains('\u{1b}'), "{}", reply.said);
    }
}

/// The body of a request, unpacked where it is packed.
fn text(request: &crate::receiver::Received) -> String {
    let mut body = Vec::new();
    if request.header("content-encoding").as_deref() == Some("gzip") {
        GzDecoder::new(&request.body[..])
            .read_to_end(&mut body)
            .expect("gzip");
    } else {
        body.clone_from(&request.body);
    }
    String::from_utf8_lossy(&body).into_owned()
}

/// Memory of this process, in kilobytes.
fn resident_kilobytes() -> u64 {
    let status = std::fs::read_to_string("/proc/self/status").expect("Linux tells it");
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:"));
    let number = line.and_then(|rest| rest.split_whitespace().next());
    number.and_then(|text| text.parse().ok()).expect("a number")
}

async fn it_reaches_nobody_inside(make: &impl Fn(&str, HttpConfig) -> Target, ok: Behaviour) {
    let receiver = Receiver::start(ok).await;
    let port = receiver.address.port();
    let guarded = || HttpConfig {
        allow_networks: Vec::new(),
        insecure: true,
        ..http()
    };
    for host in ["127.0.0.1", "localhost", "[::ffff:127.0.0.1]", "2130706433"] {
        let url = format!("http://{host}:{port}/in");
        let mut destination = open(&make(&url, guarded()));
        let reply = deliver(destination.as_mut(), &notices(1)).await;
        assert_eq!(fates(&reply, 1), ["later"], "{host}: {}", reply.said);
        let found = destination.validate().await;
        let faults: String = found.into_iter().filter_map(|one| one.fault).collect();
        assert!(faults.contains("allow_networks"), "{host}: {faults}");
    }
    assert!(receiver.received().is_empty());
    // A name is looked up when it is connected to, and what is allowed is reached.
    let allowed = HttpConfig {
        allow_networks: vec![
            "127.0.0.0/8".parse().expect("a network"),
            "::1/128".parse().expect("a network"),
        ],
        ..http()
    };
    let mut destination = open(&make(&format!("http://localhost:{port}/in"), allowed));
    let reply = deliver(destination.as_mut(), &notices(1)).await;
    assert_eq!(fates(&reply, 1), ["delivered"], "{}", reply.said);
    // Without a word for it, nothing goes unencrypted to another machine.
    let open_door = HttpConfig {
        allow_networks: vec!["192.0.2.0/24".parse().expect("a network")],
        ..http()
    };
    let mut destination = open(&make("http://192.0.2.1/in", open_door));
    let reply = deliver(destination.as_mut(), &notices(1)).await;
    assert!(reply.said.contains("not encrypted"), "{}", reply.said);
}

async fn it_shows_no_secret(make: &impl Fn(&str, HttpConfig) -> Target) {
    for status in [200, 400, 401, 429, 500] {
        let receiver = Receiver::start(Behaviour::Echo(status)).await;
        let mut destination = open(&make(&receiver.url(), http()));
        // What must not be shown is looked for in every answer.
        deliver(destination.as_mut(), &notices(1)).await;
        let found = format!("{:?}", destination.validate().await);
        assert!(!found.contains(&CANARY[6..]), "{found}");
        let sent: String = receiver
            .received()
            .iter()
            .map(|request| request.head.clone())
            .collect();
        assert!(!sent.is_empty());
    }
}
