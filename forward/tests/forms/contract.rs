//! Every document against the contract's own schema.

use forward::contract::document::{DOCUMENT_BYTES_MAX, ITEMS_MAX};
use forward::contract::{self, Notice, SCHEMA};
use prost::Message as _;
use schemas::coverage::CoverageState;
use schemas::topics::Topic;
use schemas::wire::AuditRecord;
use serde_json::{Value, json};

use crate::samples;

/// The schema; with `strict`, in which a member that it does not name is an error.
fn schema(strict: bool) -> jsonschema::Validator {
    let mut schema: Value = serde_json::from_str(SCHEMA).expect("JSON");
    if strict {
        schema["unevaluatedProperties"] = json!(false);
    }
    jsonschema::draft202012::new(&schema).expect("a schema of draft 2020-12")
}

fn check(schema: &jsonschema::Validator, document: &Value) {
    let faults: Vec<String> = schema
        .iter_errors(document)
        .map(|fault| format!("{} at {}", fault, fault.instance_path()))
        .collect();
    assert!(faults.is_empty(), "{faults:#?}\n{document:#}");
}

#[test]
fn every_document_is_of_the_schema() {
    let strict = schema(true);
    let all = samples::all();
    for notice in &all {
        check(&strict, &notice.document);
        assert_eq!(notice.document["kind"], notice.kind.as_str());
        assert_eq!(notice.document["id"], notice.id.as_str());
        assert_eq!(notice.document["version"], notice.version.as_str());
    }
    println!("{} documents, 0 errors", all.len());
}

#[test]
fn the_schema_notices_what_is_wrong_and_lets_grow() {
    let good = Notice::of_alert(&samples::alert("x")).document;
    let open = schema(false);
    for (pointer, bad) in [
        ("/state", json!("open")),
        ("/time", json!("yesterday")),
        ("/evidence/0/row", json!("7")),
        ("/links/0/url", json!("javascript:alert(1)")),
        ("/severity", json!("High")),
        ("/contract", json!("2.0")),
    ] {
        let mut document = good.clone();
        *document.pointer_mut(pointer).expect("is there") = bad;
        assert!(!open.is_valid(&document), "{pointer}");
    }
    let mut newer = good;
    newer["contract"] = json!("1.7");
    newer["a_member_of_1_7"] = json!([]);
    check(&open, &newer);
    assert!(!schema(true).is_valid(&newer));
}

#[test]
fn a_document_is_bounded_whatever_it_was_made_of() {
    let long = "x".repeat(5 * 1024 * 1024);
    for notice in samples::each(&long) {
        let bytes = notice.document.to_string().len();
        assert!(
            bytes <= DOCUMENT_BYTES_MAX,
            "{}: {bytes}",
            notice.kind.as_str()
        );
        let cut = notice.document["cut"]
            .as_array()
            .expect("something was cut");
        assert!(!cut.is_empty() && cut.len() <= ITEMS_MAX);
    }
}

#[test]
fn a_document_of_many_long_texts_is_bounded_too() {
    let mut alert = samples::alert(&"\u{1}".repeat(100_000));
    alert.evidence = vec![alert.evidence[0].clone(); 500];
    alert.blind_spots = vec![alert.title.clone(); 500];
    let notice = Notice::of_alert(&alert);
    assert!(notice.document.to_string().len() <= DOCUMENT_BYTES_MAX);
    check(&schema(true), &notice.document);
}

#[test]
fn what_tells_nobody_anything_is_no_notice() {
    let read = samples::line("window", CoverageState::Read, "x").encode_to_vec();
    assert_eq!(
        contract::read(Topic::Coverage, &read).expect("decodes"),
        None
    );
    let signature = AuditRecord {
        action: "head".to_owned(),
        ..samples::entry("x")
    }
    .encode_to_vec();
    assert_eq!(
        contract::read(Topic::Audit, &signature).expect("decodes"),
        None
    );
    assert!(contract::read(Topic::Alerts, b"\xff\xff not protobuf").is_err());
}

#[test]
fn a_version_is_the_same_for_the_same_thing() {
    for (one, again) in samples::each("x").iter().zip(samples::each("x")) {
        assert_eq!(one.idempotency_key(), again.idempotency_key());
    }
    let mut amended = samples::alert("x");
    amended.counted += 1;
    let (first, second) = (
        Notice::of_alert(&samples::alert("x")),
        Notice::of_alert(&amended),
    );
    assert_eq!(first.id, second.id);
    assert_ne!(first.version, second.version);
}

#[test]
fn a_rule_says_its_steps_and_its_blind_spots() {
    let document = Notice::of_alert(&samples::alert("x")).document;
    assert_eq!(document["description"], "x");
    assert_eq!(
        document["check_first"],
        json!(["Who is it?", "Since when?"])
    );
    assert_eq!(document["blind_spots"], json!(["x"]));
}
