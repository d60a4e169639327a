//! OCSF and ECS documents by the schemas that their authors publish; `deploy/receivers/setup` fetches them.

use std::collections::BTreeMap;
use std::net::IpAddr;
use std::path::Path;

use forward::contract::Notice;
use forward::formats::{ecs, ocsf};
use serde::Deserialize;
use serde_json::{Value, json};

use crate::samples;

/// A file that the set-up script wrote.
fn fetched(name: &str) -> Value {
    let path = Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("../target/receivers")
        .join(name);
    let text = std::fs::read_to_string(&path).unwrap_or_else(|why| {
        panic!(
            "cannot read {}: {why}; fix: deploy/receivers/setup",
            path.display()
        )
    });
    serde_json::from_str(&text).expect("JSON")
}

/// The published schema of a class.
fn class(uid: i64) -> jsonschema::Validator {
    let schema = fetched(&format!("ocsf/{uid}.json"));
    jsonschema::draft202012::new(&schema).expect("a schema of draft 2020-12")
}

#[test]
fn every_ocsf_event_is_of_its_class() {
    let classes: BTreeMap<i64, _> = [2004, 2005, 7001, 6008].map(|uid| (uid, class(uid))).into();
    let mut counts: BTreeMap<i64, usize> = BTreeMap::new();
    for notice in samples::all() {
        let event = Value::Object(ocsf::event(&notice));
        let uid = event["class_uid"].as_i64().expect("a class");
        let faults: Vec<String> = classes[&uid]
            .iter_errors(&event)
            .map(|fault| format!("{fault} at {}", fault.instance_path()))
            .collect();
        assert!(faults.is_empty(), "{faults:#?}\n{event:#}");
        *counts.entry(uid).or_default() += 1;
    }
    println!(
        "OCSF {}: events by class {counts:?}, 0 errors",
        ocsf::OCSF_VERSION
    );
    assert!(counts.values().all(|count| *count > 5), "{counts:?}");
}

#[test]
fn the_class_notices_what_is_wrong() {
    let finding = class(2004);
    let good = Value::Object(ocsf::event(&Notice::of_alert(&samples::alert("x"))));
    assert!(finding.is_valid(&good));
    for (pointer, bad) in [
        ("/type_uid", json!(200_501)),
        ("/severity_id", json!(42)),
        ("/time", json!("now")),
        ("/finding_info", json!({"title": "no uid"})),
        ("/evidences/0", json!({"name": "nothing that is evidence"})),
        ("/metadata/product", json!({})),
    ] {
        let mut event = good.clone();
        *event.pointer_mut(pointer).expect("is there") = bad;
        assert!(!finding.is_valid(&event), "{pointer}");
    }
    let mut event = good;
    event["an_attribute_of_ours"] = json!(1);
    assert!(!finding.is_valid(&event));
}

/// ECS as its package has it.
#[derive(Deserialize)]
struct Ecs {
    version: String,
    fields: BTreeMap<String, EcsField>,
}

#[derive(Deserialize)]
struct EcsField {
    #[serde(rename = "type")]
    form: String,
    normalize: Vec<String>,
    allowed: Vec<EcsWord>,
}

#[derive(Deserialize)]
struct EcsWord {
    name: String,
    types: Option<Vec<String>>,
}

impl Ecs {
    /// What is wrong with a document; nothing if it is of the schema.
    fn faults(&self, document: &Value) -> Vec<String> {
        let mut faults = Vec::new();
        for (name, value) in document.as_object().expect("an object") {
            // What ECS has no field for stands there, under a name that is no field set of ECS.
            if name != "vedette" {
                self.look(name, value, &mut faults);
            }
        }
        self.look_at_types(document, &mut faults);
        faults
    }

    fn look(&self, name: &str, value: &Value, faults: &mut Vec<String>) {
        if let Some(members) = value.as_object() {
            for (member, value) in members {
                self.look(&format!("{name}.{member}"), value, faults);
            }
            return;
        }
        let Some(field) = self.fields.get(name) else {
            faults.push(format!("{name} is no field"));
            return;
        };
        if field.normalize.iter().any(|rule| rule == "array") != value.is_array() {
            faults.push(format!("{name} is a list, or is to be one"));
        }
        let one = std::slice::from_ref(value);
        for value in value.as_array().map_or(one, Vec::as_slice) {
            if !field.takes(value) {
                faults.push(format!("{name} is to be of type {}: {value}", field.form));
            }
        }
    }

    /// Each category has types that go with it.
    fn look_at_types(&self, document: &Value, faults: &mut Vec<String>) {
        let words = |pointer: &str| {
            document
                .pointer(pointer)
                .and_then(Value::as_array)
                .cloned()
                .unwrap_or_default()
        };
        for category in words("/event/category") {
            let known = self.fields["event.category"]
                .allowed
                .iter()
                .find(|word| category == word.name.as_str());
            let types = known.and_then(|word| word.types.as_ref());
            for kind in words("/event/type") {
                if !types.is_some_and(|types| types.iter().any(|known| kind == known.as_str())) {
                    faults.push(format!("type {kind} does not go with category {category}"));
                }
            }
        }
    }
}

impl EcsField {
    fn takes(&self, value: &Value) -> bool {
        let text = value.as_str();
        let is_of_form = match self.form.as_str() {
            "keyword" | "wildcard" | "constant_keyword" | "text" | "match_only_text" => {
                text.is_some()
            }
            "long" => value.is_i64() || value.is_u64(),
            "date" => text
                .is_some_and(|text| text.ends_with('Z') && schemas::time::parse_us(text).is_some()),
            "ip" => text.is_some_and(|text| text.parse::<IpAddr>().is_ok()),
            "boolean" => value.is_boolean(),
            other => panic!("type {other} of ECS is not looked at"),
        };
        is_of_form
            && (self.allowed.is_empty() || self.allowed.iter().any(|word| text == Some(&word.name)))
    }
}

#[test]
fn every_ecs_document_has_fields_of_ecs_alone() {
    let schema: Ecs = serde_json::from_value(fetched("ecs.json")).expect("as the script writes it");
    assert_eq!(
        schema
            .version
            .trim_start_matches('v')
            .split(['-', '+'])
            .next(),
        Some(ecs::ECS_VERSION)
    );
    let all = samples::all();
    for notice in &all {
        let document = Value::Object(ecs::document(notice));
        let faults = schema.faults(&document);
        assert!(faults.is_empty(), "{faults:#?}\n{document:#}");
    }
    println!("ECS {}: {} documents, 0 errors", schema.version, all.len());
}

#[test]
fn ecs_notices_what_is_wrong() {
    let schema: Ecs = serde_json::from_value(fetched("ecs.json")).expect("as the script writes it");
    let good = Value::Object(ecs::document(&Notice::of_alert(&samples::alert("x"))));
    for (pointer, bad) in [
        ("/event/kind", json!("alarm")),
        ("/event/type", json!(["change"])),
        ("/source/ip", json!("nowhere")),
        ("/event/severity", json!("8")),
        ("/related/user", json!("not a list")),
        ("/rule", json!({"made_up": "x"})),
    ] {
        let mut document = good.clone();
        *document.pointer_mut(pointer).expect("is there") = bad;
        assert!(!schema.faults(&document).is_empty(), "{pointer}");
    }
}
