//! The audit chain, as an operator checks it: signed with a key that is elsewhere, and compared with the lake.

use std::fs;
use std::time::{Duration, Instant};

use crate::{CONFIGURATION, House, PATIENCE, text};

#[test]
fn the_audit_chain_is_signed_with_a_key_that_is_elsewhere() {
    let configuration = format!("{CONFIGURATION}[respond]\naudit_key = \"audit.pem\"\n");
    let house = House::new(&configuration);
    let inside = house.vedette(&["audit", "key", "--new", "data/audit.pem"]);
    assert!(
        text(&inside).contains("in the data folder"),
        "{}",
        text(&inside)
    );
    let started = house.vedette(&["respond"]);
    assert_eq!(started.status.code(), Some(4), "{}", text(&started));
    assert!(text(&started).contains("audit.pem"), "{}", text(&started));
    let made = house.vedette(&["audit", "key", "--new", "audit.pem"]);
    assert_eq!(made.status.code(), Some(0), "{}", text(&made));
    let said = text(&made);
    let public = said
        .lines()
        .find_map(|line| line.strip_prefix("public key: "));
    let public = public.unwrap();
    let mut running = house.start(&["respond"]);
    running.line_with("health and metrics are served");
    let started = Instant::now();
    while !text(&house.vedette(&["stop-actions", "--by", "kim"])).contains("acknowledged (entry") {
        assert!(started.elapsed() < PATIENCE);
    }
    running.signal("TERM");
    assert_eq!(running.code(), Some(0));
    let verified = house.vedette(&["audit", "verify", "--public-key", public]);
    assert_eq!(verified.status.code(), Some(0), "{}", text(&verified));
    for words in ["signed up to entry", "0 entries are beyond"] {
        assert!(text(&verified).contains(words), "{}", text(&verified));
    }
    let unchecked = text(&house.vedette(&["audit", "verify"]));
    assert!(
        unchecked.contains("signatures were not checked"),
        "{unchecked}"
    );
    let other = "00".repeat(32);
    let foreign = house.vedette(&["audit", "verify", "--public-key", &other]);
    assert_eq!(foreign.status.code(), Some(1), "{}", text(&foreign));
}

#[test]
fn the_audit_chain_is_compared_with_what_the_lake_has_of_it() {
    let house = House::new(CONFIGURATION);
    let mut running = house.start(&["run"]);
    running.line_with("health and metrics are served");
    let started = Instant::now();
    let stopped = loop {
        let stopped = house.vedette(&["stop-actions", "--by", "kim"]);
        if text(&stopped).contains("acknowledged (entry") {
            break stopped;
        }
        assert!(started.elapsed() < PATIENCE, "{}", text(&stopped));
    };
    assert_eq!(stopped.status.code(), Some(0), "{}", text(&stopped));
    loop {
        let rows = house.vedette(&["sql", "-o", "csv", "SELECT count(*) AS n FROM actions"]);
        // What the responder may do, and the switch.
        if text(&rows).contains("\n2") {
            break;
        }
        assert!(started.elapsed() < PATIENCE, "{}", text(&rows));
    }
    running.signal("TERM");
    assert_eq!(running.code(), Some(0));
    let verified = house.vedette(&["audit", "verify"]);
    assert_eq!(verified.status.code(), Some(0), "{}", text(&verified));
    let said = text(&verified);
    assert!(
        said.contains("compared with 2 entries of the lake"),
        "{said}"
    );
    // Emptied, the chain is not what the lake has.
    for end in ["", "-wal", "-shm"] {
        drop(fs::remove_file(
            house.path(&format!("data/respond.sqlite{end}")),
        ));
    }
    fs::remove_file(house.path("data/respond.stop")).unwrap();
    let mut running = house.start(&["respond"]);
    running.line_with("health and metrics are served");
    while !house.path("data/respond.sqlite").exists() {
        assert!(started.elapsed() < PATIENCE);
        std::thread::sleep(Duration::from_millis(50));
    }
    running.signal("TERM");
    running.code();
    let verified = house.vedette(&["audit", "verify"]);
    assert_eq!(verified.status.code(), Some(1), "{}", text(&verified));
}
