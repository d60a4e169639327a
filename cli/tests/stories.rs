//! What the simulator says that a detection should find of its stories is what the rules that come with vedette find.
#![expect(clippy::unwrap_used, reason = "a test: it fails loudly")]

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;
use std::process::Command;

use serde_json::Value;
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
}
