//! The 41 vectors on which public engines disagree, against what was decided for this one: see `DECISIONS.md`.

use std::sync::Arc;

use arrow::array::StringArray;
use arrow::datatypes::{DataType, Field, Schema};
use arrow::record_batch::RecordBatch;
use rsigma_parser::parse_sigma_yaml;
use serde_json::Value;
use sigma::Plan;
use sigma::mapping::Mapping;
use sigma::plan::chunk::Batch;

use crate::corpus::corpus;

/// A group of `DECISIONS.md`, and whether the rule of each vector matches its event.
const DECISIONS: &[(&str, &[(&str, bool)])] = &[
    ("letters", &[("770e1c99f751", true), ("f6b1f25fabf3", true)]),
    ("lists", &[("507030d23899", true)]),
    (
        "numbers and truth values",
        &[
            ("68bbbf5cb130", true),
            ("2a747a81deda", false),
            ("8a4503e630fa", true),
            ("b32b16fa7387", false),
            ("553333650c6d", false),
            ("e9b8653d728e", true),
        ],
    ),
    ("them", &[("5d584c048f94", true), ("f7d86ad2fe7d", false)]),
    (
        "keywords",
        &[
            ("1f0306d3416b", true),
            ("6c80707859e6", true),
            ("7bc39bb542e8", true),
            ("ca6d7f120e82", true),
            ("1a974308feae", true),
        ],
    ),
    (
        "encodings",
        &[
            ("a7ff93426b8c", true),
            ("1b0674957f38", true),
            ("b839f4cca46f", true),
            ("1f89ba112ed8", false),
            ("b6528095b0f8", false),
            ("2d4e424f822c", true),
            ("88b6a3e65ae2", true),
            ("7a6f904b1a9f", true),
            ("94e6c03f3813", true),
            ("337e02de8c43", true),
            ("56ca73977c7f", true),
            ("30de23b04a01", true),
            ("8ff06ec60572", true),
        ],
    ),
    ("null", &[("6bd82e97b7e0", true), ("30a99bf123cd", false)]),
    (
        "fieldref",
        &[
            ("76ec984f0d39", false),
            ("c28eb5a4f8f4", false),
            ("7135607afced", false),
        ],
    ),
    (
        "wildcards and dashes",
        &[
            ("5f2160831c0e", true),
            ("c3097023c4ed", true),
            ("9704d056b9d7", true),
        ],
    ),
    (
        "YAML and paths",
        &[
            ("fd8c8d301729", true),
            ("ce92104a8a97", true),
            ("b92ea1a029ab", true),
            ("7154974abc98", true),
        ],
    ),
];

/// Whether the rule of a vector matches its event.
fn matches(vector: &Value) -> bool {
    let parsed = parse_sigma_yaml(vector["rule"].as_str().unwrap()).unwrap();
    assert!(parsed.errors.is_empty(), "{:?}", parsed.errors);
    let (plan, refused) = Plan::new(Mapping::Raw, parsed.rules.iter().enumerate());
    assert!(refused.is_empty(), "{}: {refused:?}", vector["id"]);
    let schema = Arc::new(Schema::new(vec![Field::new("raw", DataType::Utf8, false)]));
    let raw = Arc::new(StringArray::from(vec![vector["event"].to_string()]));
    let batch = RecordBatch::try_new(schema, vec![raw]).unwrap();
    !plan.evaluate(&mut Batch(&batch)).unwrap().is_empty()
}

#[test]
fn contested_vectors_come_out_as_decided() {
    let text = std::fs::read_to_string(corpus("sigma-vectors/contested.ndjson")).unwrap();
    let vectors: Vec<Value> = text
        .lines()
        .map(|line| serde_json::from_str(line).unwrap())
        .collect();
    let mut decided = 0;
    let mut wrong = Vec::new();
    for (group, members) in DECISIONS {
        let mut as_asserted = 0;
        for (id, expected) in *members {
            let vector = vectors.iter().find(|vector| vector["id"] == *id);
            let vector = vector.unwrap_or_else(|| panic!("no vector {id}"));
            decided += 1;
            as_asserted += usize::from(vector["expected"] == *expected);
            if matches(vector) != *expected {
                wrong.push(format!(
                    "{group} {id} is not {expected}: {}",
                    vector["event"]
                ));
            }
        }
        println!(
            "{group}: {} decided, {as_asserted} as their authors say",
            members.len()
        );
    }
    println!("{decided} of {} contested vectors decided", vectors.len());
    assert_eq!(decided, vectors.len());
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}
