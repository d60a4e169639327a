//! Agreement with the 2,004 public (rule, event, expected) vectors, every field read from the raw record.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::sync::Arc;

use arrow::array::StringArray;
use arrow::datatypes::{DataType, Field, Schema};
use arrow::record_batch::RecordBatch;
use rsigma_parser::parse_sigma_yaml;
use serde_json::Value;
use sigma::filter;
use sigma::mapping::Mapping;
use sigma::plan::chunk::Batch;
use sigma::{Plan, RuleError};

use crate::corpus::corpus;

/// Vectors that agreed when this was last looked at; fewer is a regression.
const AGREED_MIN: usize = 1_997;

/// Vectors that differ on purpose: they take values for placeholders out of events, see `DECISIONS.md`.
const DIFFERENT: &[&str] = &["5806930d26f8", "e0f98eb337a4"];

/// Vectors whose rule is refused on purpose: keys twice in one map, and order asked of what is no number.
const REFUSED_MAX: usize = 5;

/// A refusal with its causes.
fn chain(refusal: &RuleError) -> String {
    let mut text = refusal.to_string();
    let mut cause = std::error::Error::source(refusal);
    while let Some(inner) = cause {
        write!(text, ": {inner}").unwrap();
        cause = inner.source();
    }
    text
}

/// Titles of the rules that match, or why a rule is refused.
fn matched(rule: &str, event: &Value) -> Result<Vec<String>, String> {
    let parsed = parse_sigma_yaml(rule).map_err(|error| error.to_string())?;
    if let Some(error) = parsed.errors.first() {
        return Err(error.clone());
    }
    if !parsed.correlations.is_empty() {
        return Err("correlation".to_owned());
    }
    let mut rules = parsed.rules;
    for rule in &mut rules {
        for (number, one) in parsed.filters.iter().enumerate() {
            if filter::applies(one, rule) {
                filter::add(one, number, rule);
            }
        }
    }
    let schema = Arc::new(Schema::new(vec![Field::new("raw", DataType::Utf8, false)]));
    let (plan, refused) = Plan::new(Mapping::Raw, rules.iter().enumerate());
    if let Some((_, refusal)) = refused.first() {
        return Err(chain(refusal));
    }
    let raw = Arc::new(StringArray::from(vec![event.to_string()]));
    let batch = RecordBatch::try_new(schema, vec![raw]).unwrap();
    let mut titles: Vec<String> = plan
        .evaluate(&mut Batch(&batch))
        .unwrap()
        .iter()
        .map(|hits| rules[hits.rule].title.clone())
        .collect();
    titles.sort();
    Ok(titles)
}

#[test]
fn agrees_with_public_vectors() {
    let packed = std::fs::read(corpus("sigma-vectors/match.ndjson.zst")).unwrap();
    let text = String::from_utf8(zstd::decode_all(packed.as_slice()).unwrap()).unwrap();
    let (mut agreed, mut argued) = (0, 0);
    let mut refused: BTreeMap<String, usize> = BTreeMap::new();
    let mut differ = Vec::new();
    for line in text.lines() {
        let vector: Value = serde_json::from_str(line).unwrap();
        let titles = vector["matched"].as_array();
        let mut expected: Vec<&str> = titles
            .into_iter()
            .flatten()
            .filter_map(Value::as_str)
            .collect();
        expected.sort_unstable();
        let is_match = vector["expected"].as_bool().unwrap();
        match matched(vector["rule"].as_str().unwrap(), &vector["event"]) {
            Ok(found)
                if (titles.is_none() || found == expected) && is_match != found.is_empty() =>
            {
                agreed += 1;
            }
            Ok(_) if DIFFERENT.contains(&vector["id"].as_str().unwrap()) => argued += 1,
            Ok(found) => differ.push(format!(
                "{} {} expected {expected:?} found {found:?} event {}\n{}",
                vector["id"],
                vector["modifiers"],
                vector["event"],
                vector["rule"].as_str().unwrap()
            )),
            Err(reason) => *refused.entry(reason).or_default() += 1,
        }
    }
    println!(
        "agreed {agreed}, differ as argued {argued}, differ otherwise {}, refused {refused:?}",
        differ.len()
    );
    for difference in differ.iter().take(40) {
        println!("{difference}\n");
    }
    assert!(agreed >= AGREED_MIN, "{agreed} agreed, {AGREED_MIN} before");
    assert!(differ.is_empty(), "{} differ", differ.len());
    let refused: usize = refused.values().sum();
    assert!(refused <= REFUSED_MAX, "{refused} refused");
}
