//! Random small rules and events: this engine against rsigma-eval, the oracle.
//!
//! The seeds are printed, and fixed, so that a run is the same everywhere. Left out, because the oracle differs on
//! purpose or by accident and the specification is on our side or silent:
//! - a JSON null counts as an absent field here (in the lake both are null), there `neq` and `fieldref` see it;
//! - `field: [x, null]` matches an absent field here, there only `field: null` does;
//! - wildcards keep their meaning with `startswith`, `endswith` and `windash` here, there they lose it;
//! - `fieldref` compares members of lists here, there whole lists;
//! - keywords with `all` may stand in different fields of a record here, there in one;
//! - `base64offset` looks for the characters that cannot vary here, there for one more: it differs on short values.

#![expect(
    clippy::unwrap_used,
    clippy::print_stdout,
    reason = "test code: seed and counts are printed"
)]

use std::fmt::Write as _;
use std::sync::Arc;

use arrow::array::StringArray;
use arrow::datatypes::{DataType, Field, Schema};
use arrow::record_batch::RecordBatch;
use rand::seq::IndexedRandom;
use rand::{Rng, SeedableRng};
use rand_chacha::ChaCha8Rng;
use rsigma_eval::Engine;
use rsigma_eval::event::JsonEvent;
use rsigma_parser::parse_sigma_yaml;
use serde_json::{Map, Value, json};
use sigma::Plan;
use sigma::mapping::Mapping;
use sigma::plan::chunk::Batch;

const SEEDS: [u64; 4] = [20_261_121, 7, 4_096, 99_991];
const RULES: usize = 800;
const EVENTS: usize = 12;

const FIELDS: &[&str] = &[
    "User",
    "Operation",
    "Ip",
    "Count",
    "Time",
    "Nested.Name",
    "List",
];
const WORDS: &[&str] = &[
    "ada",
    "ADA@contoso.test",
    "New-InboxRule",
    "10.1.2.3",
    "192.168.0.9",
    "7",
    "42",
    "",
    "a b",
    "x.y",
    "Ünïcode",
    "back\\slash",
    "star*lit",
    "true",
];
const MODIFIERS: &[&str] = &[
    "",
    "",
    "",
    "|contains",
    "|startswith",
    "|endswith",
    "|contains|all",
    "|cased",
    "|contains|cased",
    "|re",
    "|re|i",
    "|cidr",
    "|gt",
    "|gte",
    "|lt",
    "|lte",
    "|exists",
    "|neq",
    "|windash",
    "|fieldref",
    "|base64",
    "|base64offset|contains",
    "|utf16le|base64",
    "|utf16be|base64",
    "|utf16|base64",
    "|wide|base64offset|contains",
    "|minute",
    "|hour",
    "|day",
    "|week",
    "|month",
    "|year",
    "|hour|gte",
    "|minute|lt",
    "|re|s",
    "|re|m",
    "|startswith|cased",
    "|endswith|cased",
    "|contains|windash",
];
const CONDITIONS: &[&str] = &[
    "a",
    "a and b",
    "a or b",
    "a and not b",
    "not a",
    "1 of them",
    "all of them",
    "1 of a*",
    "not (a or b)",
    "2 of them",
];

const KEYWORDS: &[&str] = &[
    "New-InboxRule",
    "ADA@contoso.test",
    "192.168.0.9",
    "ünïcode",
];
const TIMES: &[&str] = &[
    "2026-11-21T23:59:07Z",
    "2026-01-02T11:30:00.5Z",
    "2027-01-01T01:02:00+02:00",
    "2025-12-30T00:00:59",
    "soon",
];

/// True for modifiers that take a time apart.
fn is_time(modifier: &str) -> bool {
    ["|minute", "|hour", "|day", "|week", "|month", "|year"]
        .iter()
        .any(|part| modifier.starts_with(part))
}

fn value(rng: &mut ChaCha8Rng, modifier: &str, is_alone: bool) -> String {
    let quoted = |text: &str| format!("'{}'", text.replace('\'', "''"));
    if modifier.contains("exists") {
        return ["true", "false"].choose(rng).unwrap().to_string();
    }
    if modifier.contains("fieldref") {
        return (*FIELDS[..FIELDS.len() - 1].choose(rng).unwrap()).to_owned();
    }
    if modifier.contains("cidr") {
        return quoted(
            ["10.0.0.0/8", "192.168.0.0/24", "0.0.0.0/0", "10.1.2.3/32"]
                .choose(rng)
                .unwrap(),
        );
    }
    if ["|gt", "|gte", "|lt", "|lte"].contains(&modifier) {
        return rng.random_range(-1..50).to_string();
    }
    if is_time(modifier) {
        return [0, 2, 11, 21, 30, 47, 59, 2026]
            .choose(rng)
            .unwrap()
            .to_string();
    }
    if modifier.contains("|re") {
        return quoted(
            ["^a.*", "[0-9]+", "Rule$", "^$", "a b|x\\.y"]
                .choose(rng)
                .unwrap(),
        );
    }
    if modifier.contains("base64offset") {
        return quoted(
            ["New-InboxRule", "ADA@contoso.test", "192.168.0.9"]
                .choose(rng)
                .unwrap(),
        );
    }
    let takes_wildcards = ["", "|contains", "|cased", "|neq"].contains(&modifier);
    let word = WORDS.choose(rng).unwrap();
    match rng.random_range(0..6) {
        0 if modifier.is_empty() && is_alone => "null".to_owned(),
        1 if takes_wildcards && !word.is_empty() => {
            quoted(&format!("*{}", &word[word.ceil_char_boundary(1)..]))
        }
        2 => quoted(&word.to_uppercase()),
        3 if modifier.is_empty() => rng.random_range(0..50).to_string(),
        _ => quoted(word),
    }
}

fn detection(rng: &mut ChaCha8Rng, name: &str) -> String {
    let mut text = format!("    {name}:\n");
    if rng.random_range(0..8) == 0 {
        let word = KEYWORDS.choose(rng).unwrap();
        let other = KEYWORDS.choose(rng).unwrap();
        writeln!(text, "        - '{word}'\n        - '{other}'").unwrap();
        return text;
    }
    let mut used = Vec::new();
    for _ in 0..rng.random_range(1..3) {
        let field = *FIELDS.choose(rng).unwrap();
        let modifier = *MODIFIERS.choose(rng).unwrap();
        let field = if is_time(modifier) { "Time" } else { field };
        if used.contains(&field) || (field == "List" && modifier == "|fieldref") {
            continue;
        }
        used.push(field);
        let count = if modifier.contains("all") {
            2
        } else {
            rng.random_range(1..3)
        };
        if count == 1 || modifier.contains("exists") {
            writeln!(
                text,
                "        {field}{modifier}: {}",
                value(rng, modifier, true)
            )
            .unwrap();
        } else {
            writeln!(text, "        {field}{modifier}:").unwrap();
            for _ in 0..count {
                writeln!(text, "            - {}", value(rng, modifier, false)).unwrap();
            }
        }
    }
    text
}

fn rule(rng: &mut ChaCha8Rng) -> String {
    let detections = detection(rng, "a") + &detection(rng, "b");
    let condition = CONDITIONS.choose(rng).unwrap();
    format!(
        "title: T\nlogsource:\n    product: x\ndetection:\n{detections}    condition: {condition}\n"
    )
}

fn scalar(rng: &mut ChaCha8Rng) -> Value {
    match rng.random_range(0..8) {
        0 => json!(rng.random_range(0..50)),
        1 => json!(rng.random::<bool>()),
        _ => json!(WORDS.choose(rng).unwrap()),
    }
}

fn event(rng: &mut ChaCha8Rng) -> Value {
    let mut members = Map::new();
    for field in ["User", "Operation", "Ip", "Count"] {
        if rng.random_range(0..4) > 0 {
            members.insert(field.to_owned(), scalar(rng));
        }
    }
    if rng.random() {
        let time = match rng.random_range(0..6) {
            0 => json!(rng.random_range(0..2_000_000_000)),
            1 => json!(rng.random_range(0..2_000_000_000_i64) + 1_000_000_000_001),
            _ => json!(TIMES.choose(rng).unwrap()),
        };
        members.insert("Time".to_owned(), time);
    }
    if rng.random() {
        members.insert("Nested".to_owned(), json!({"Name": scalar(rng)}));
    }
    if rng.random() {
        let items: Vec<Value> = (0..rng.random_range(1..4)).map(|_| scalar(rng)).collect();
        members.insert("List".to_owned(), Value::Array(items));
    }
    Value::Object(members)
}

/// What came of the rules of one seed.
#[derive(Default)]
struct Outcome {
    compared: usize,
    hits: usize,
    refused: usize,
    differ: Vec<String>,
}

fn run(seed: u64) -> Outcome {
    let mut rng = ChaCha8Rng::seed_from_u64(seed);
    let schema = Arc::new(Schema::new(vec![Field::new("raw", DataType::Utf8, false)]));
    let mut outcome = Outcome::default();
    for _ in 0..RULES {
        let text = rule(&mut rng);
        let events: Vec<Value> = (0..EVENTS).map(|_| event(&mut rng)).collect();
        let parsed = parse_sigma_yaml(&text).unwrap();
        let mut engine = Engine::new();
        let [sigma] = parsed.rules.as_slice() else {
            outcome.refused += 1;
            continue;
        };
        let (plan, refusals) = Plan::new(Mapping::Raw, [(0, sigma)]);
        if engine.add_collection(&parsed).is_err() || !refusals.is_empty() {
            outcome.refused += 1;
            continue;
        }
        let raw: StringArray = events.iter().map(|event| Some(event.to_string())).collect();
        let batch = RecordBatch::try_new(Arc::clone(&schema), vec![Arc::new(raw)]).unwrap();
        let found = plan.evaluate(&mut Batch(&batch)).unwrap();
        for (row, event) in events.iter().enumerate() {
            let ours = found.iter().any(|hits| hits.rows.contains(&row));
            let theirs = !engine.evaluate(&JsonEvent::borrow(event)).is_empty();
            outcome.compared += 1;
            outcome.hits += usize::from(ours);
            if ours != theirs {
                let difference = format!("ours {ours}, oracle {theirs}\n{text}{event}\n");
                outcome.differ.push(difference);
            }
        }
    }
    outcome
}

#[test]
fn agrees_with_the_oracle_on_random_rules() {
    let mut different = 0;
    for seed in SEEDS {
        let outcome = run(seed);
        println!(
            "seed {seed}: {} compared, {} matched, {} rules refused, {} differ",
            outcome.compared,
            outcome.hits,
            outcome.refused,
            outcome.differ.len()
        );
        for difference in outcome.differ.iter().take(8) {
            println!("{difference}");
        }
        different += outcome.differ.len();
        assert!(
            outcome.compared > RULES * EVENTS / 2 && outcome.hits > 500,
            "too little was compared"
        );
    }
    assert_eq!(different, 0, "so many differ");
}
