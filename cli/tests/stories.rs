//! What the simulator says that a detection should find of its stories is what the rules that come with vedette find.
#![expect(clippy::unwrap_used, reason = "a test: it fails loudly")]

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;
use std::process::Command;
use std::sync::Arc;

use detect::backtest::evaluate_lake;
use detect::matches::RuleConditions;
use detect::rules::ruleset;
use detect::{DetectConfig, domains};
use lake::{Lake, LakeConfig};
use schemas::wire::Alert;
use serde_json::Value;
use sigma::Ruleset;
use sigma::plan::fields::text;
use simulator::{STORIES, SimulatorConfig, export};

/// The ids of the rules of each file that comes with vedette, by its name without the ending.
fn rules() -> BTreeMap<String, BTreeSet<String>> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../detect/rules");
    let mut rules = BTreeMap::new();
    for entry in std::fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        let text = std::fs::read_to_string(&path).unwrap();
        let ids = text.lines().filter_map(|line| line.strip_prefix("id: "));
        let name = path.file_stem().unwrap().to_str().unwrap().to_owned();
        rules.insert(name, ids.map(|id| id.trim().to_owned()).collect());
    }
    rules
}

/// Standard output of the command, in a folder.
fn vedette(folder: &Path, arguments: &[&str]) -> String {
    let mut command = Command::new(env!("CARGO_BIN_EXE_vedette"));
    let output = command
        .current_dir(folder)
        .args(arguments)
        .output()
        .unwrap();
    assert!(output.status.success(), "{arguments:?}: {output:?}");
    String::from_utf8(output.stdout).unwrap()
}

/// Each story happens in a tenant of its own, so that every alert belongs to one of them.
#[test]
fn the_rules_find_of_each_story_what_is_to_be_found() {
    let place = tempfile::tempdir().unwrap();
    let mut seeds = BTreeMap::new();
    for (seed, story) in (1..).zip(STORIES) {
        let config = SimulatorConfig {
            seed,
            stories: vec![story.name],
            ordinary_events_per_hour: 2,
            ..SimulatorConfig::default()
        };
        let folder = place.path().join(story.name.name());
        let written = export(&config, &folder).unwrap();
        let told = std::fs::read_to_string(&written.stories).unwrap();
        // What happened is not for import.
        std::fs::remove_file(&written.stories).unwrap();
        let told: Value = serde_json::from_str(&told).unwrap();
        seeds.insert(story.name, told["tenant_id"].as_str().unwrap().to_owned());
    }
    let names: Vec<&str> = STORIES.iter().map(|story| story.name.name()).collect();
    vedette(place.path(), &[&["import"], &names[..]].concat());
    let query = "SELECT tenant_id, rule_id FROM alerts_current";
    let text = vedette(place.path(), &["sql", "--output", "json", query]);
    let alerts: Vec<Value> = text
        .lines()
        .map(|line| serde_json::from_str(line).expect(line))
        .collect();
    let rules = rules();
    for story in STORIES {
        let raised: BTreeSet<&str> = alerts
            .iter()
            .filter(|alert| alert["tenant_id"] == seeds[&story.name])
            .filter_map(|alert| alert["rule_id"].as_str())
            .collect();
        let has_raised = |file: &&str| {
            let ids = rules.get(*file).expect(file);
            ids.iter().any(|id| raised.contains(id.as_str()))
        };
        let (fires, silent) = (story.truth.fires, story.truth.silent);
        let missing: Vec<&&str> = fires.iter().filter(|file| !has_raised(file)).collect();
        assert!(missing.is_empty(), "{}: {missing:?}", story.name);
        let wrong: Vec<&&str> = silent.iter().filter(|file| has_raised(file)).collect();
        assert!(wrong.is_empty(), "{}: {wrong:?}", story.name);
    }
    every_way_of_evaluation_finds_the_same(place.path());
}

/// Events by the rule that found them: tenants and ids.
type Found = BTreeMap<String, BTreeSet<(String, String)>>;

/// What the stream raised, what a backtest finds and what `matches()` gives are the same, rule by rule.
fn every_way_of_evaluation_finds_the_same(place: &Path) {
    let runtime = tokio::runtime::Runtime::new().unwrap();
    runtime.block_on(async {
        let lake = LakeConfig {
            location: place.join("data/lake").display().to_string(),
            ..LakeConfig::default()
        };
        let conditions = Arc::new(RuleConditions::new(DetectConfig::default()));
        let lake = Lake::open(&lake).unwrap().with_conditions(conditions);
        let known = domains::of_lake(&lake).await.unwrap();
        let rules = ruleset(&domains::join(DetectConfig::default(), &known)).unwrap();
        // What a later batch took back again is no finding of a backtest, which knows everything at once.
        let standing =
            "SELECT rule_id, alert_id FROM alerts_current WHERE alert_state <> 'withdrawn'";
        let streamed = ids(&lake, standing).await;
        let mut evaluated: BTreeMap<String, BTreeSet<String>> = BTreeMap::new();
        let alerts = evaluate_lake(&rules, &lake, i64::MAX / 2).await.unwrap();
        for (id, alert) in &alerts {
            let of_rule = evaluated.entry(alert.rule_id.clone()).or_default();
            of_rule.insert(id.clone());
        }
        let none = BTreeSet::new();
        for metadata in rules.metadata() {
            let by_backtest = evaluated.get(&metadata.id).unwrap_or(&none);
            let by_stream = streamed.get(&metadata.id).unwrap_or(&none);
            assert_eq!(by_stream, by_backtest, "{}", metadata.label);
        }
        let by_stream = events(&rules, &alerts);
        let by_themselves = rules.rules().iter().enumerate();
        for (number, rule) in by_themselves.filter(|(number, _)| rules.alerts(*number)) {
            let query = format!("SELECT tenant_id, event_id FROM matches('{}')", rule.id);
            let matched = pairs(&lake, &query).await;
            let raised = by_stream.get(&rule.id).cloned().unwrap_or_default();
            assert_eq!(matched, raised, "{} {number}", rule.label);
        }
        let (single, all) = (by_stream.len(), evaluated.len());
        assert!(
            single > 10 && all > single,
            "of {all} rules that found something, {single} found it in an event alone"
        );
    });
}

/// The events of each rule in the table that it is about.
fn events(rules: &Ruleset, alerts: &BTreeMap<String, Alert>) -> Found {
    let mut found = Found::new();
    for alert in alerts.values() {
        let rule = rules.rules().iter().find(|rule| rule.id == alert.rule_id);
        let Some(rule) = rule.filter(|_| alert.counted == 0) else {
            continue;
        };
        let evidence = &alert.evidence[0];
        if evidence.table == rule.table.name() {
            let of_rule = found.entry(rule.id.clone()).or_default();
            of_rule.insert((alert.tenant_id.clone(), evidence.event_id.clone()));
        }
    }
    found
}

/// The first two columns of an answer.
async fn pairs(lake: &Lake, query: &str) -> BTreeSet<(String, String)> {
    let (schema, batches) = lake.query_all(query).await.unwrap();
    let names = [0, 1].map(|place| schema.field(place).name().clone());
    let mut pairs = BTreeSet::new();
    for batch in &batches {
        for row in 0..batch.num_rows() {
            let cell = |name: &str| text(batch, name, row).unwrap_or_default();
            pairs.insert((cell(&names[0]), cell(&names[1])));
        }
    }
    pairs
}

/// The second column of an answer by the first.
async fn ids(lake: &Lake, query: &str) -> BTreeMap<String, BTreeSet<String>> {
    let mut ids: BTreeMap<String, BTreeSet<String>> = BTreeMap::new();
    for (of, id) in pairs(lake, query).await {
        ids.entry(of).or_default().insert(id);
    }
    ids
}
