//! Cases of how shapes are known; each shape's sample is read whole in `tests/contract/shapes.rs`.

use serde_json::json;

use super::ALL;
use crate::normalise::shape::{Form, one_word};

#[test]
fn an_object_is_known_by_all_its_marks() {
    for (object, expected) in [
        (
            json!({"AuditData": "{}"}),
            Some("a row of the audit search"),
        ),
        (
            json!({"auditdata": "{}", "auditLogRecordType": "x", "operation": "y"}),
            Some("a record of Graph's audit log query"),
        ),
        (
            json!({"Operation": "x", "Param_Name": "y"}),
            Some("a flattened row of Hawk's"),
        ),
        (
            json!({"Operation": "x", "Param_Name": "y", "Parameters": []}),
            None,
        ),
        (json!({"Operation": "x"}), None),
        (
            json!({"result": {"_raw": "{}"}}),
            Some("a result of Splunk's"),
        ),
        (json!({"event": {}, "source": "x"}), None),
        (
            json!({"event": {}, "sourcetype": "x"}),
            Some("an event for Splunk's collector"),
        ),
        (
            json!({"category": "AdvancedHunting-EmailEvents", "properties": {}}),
            Some("Defender's stream"),
        ),
        (json!({"category": "SignInLogs", "properties": {}}), None),
        (json!([]), None),
    ] {
        let found = ALL.iter().find(|shape| shape.knows(&object));
        assert_eq!(found.map(|shape| shape.name), expected, "{object}");
    }
    let mut names: Vec<&str> = ALL.iter().map(|shape| shape.name).collect();
    names.sort_unstable();
    names.dedup();
    assert_eq!(names.len(), ALL.len(), "each has a name of its own");
}

#[test]
fn every_shape_is_a_file_with_a_sample() {
    let folder = concat!(env!("CARGO_MANIFEST_DIR"), "/src/normalise/shapes");
    let names: Vec<String> = std::fs::read_dir(folder)
        .unwrap()
        .map(|entry| entry.unwrap().file_name().into_string().unwrap())
        .collect();
    for shape in names.iter().filter_map(|name| name.strip_suffix(".rs")) {
        let has_sample = |name: &String| name.starts_with(shape) && name.contains(".sample.");
        assert!(shape == "tests" || names.iter().any(has_sample), "{shape}");
    }
}

#[test]
fn what_stands_around_a_record_is_read_in_its_form() {
    for (form, text, expected) in [
        (Form::Number, "50126", Some(json!(50126))),
        (Form::Number, "many", None),
        (Form::Flag, "No", Some(json!(false))),
        (Form::Flag, "perhaps", None),
        (
            Form::First,
            "Amsterdam, Noord-Holland, NL",
            Some(json!("Amsterdam")),
        ),
        (
            Form::Middle,
            "Amsterdam, Noord-Holland, NL",
            Some(json!("Noord-Holland")),
        ),
        (
            Form::Last,
            "Amsterdam, Noord-Holland, NL",
            Some(json!("NL")),
        ),
        (Form::Middle, "NL", None),
        (
            Form::Behind("AdvancedHunting-"),
            "AdvancedHunting-EmailEvents",
            Some(json!("EmailEvents")),
        ),
    ] {
        assert_eq!(form.read(&json!(text)), expected, "{text}");
    }
    assert_eq!(one_word("Not Applied"), "notApplied");
    assert_eq!(one_word("deviceCode"), "deviceCode");
}
