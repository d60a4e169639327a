//! Proposed filters over every shipped rule and each record that it finds: they silence it, and nothing beside it.

#![expect(clippy::unwrap_used, reason = "test code: it fails loudly")]
#![expect(
    clippy::print_stdout,
    reason = "says its seed, and which findings have no proposal"
)]

use std::path::Path;
use std::sync::Arc;

use rand::{Rng as _, SeedableRng as _};
use rand_chacha::ChaCha8Rng;
use schemas::tables::Table;
use schemas::wire::Event;
use serde_json::{Value, json};
use sigma::collection::load_folder;
use sigma::filter::terms::Terms;
use sigma::metadata::Day;
use sigma::plan::chunk::Batch;
use sigma::tools::tuning::{TuneError, Tuning, propose};
use sigma::{Rule, RuleCollection, Ruleset};

fn shipped() -> RuleCollection {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../detect/rules");
    let mut collection = RuleCollection::default();
    load_folder(&mut collection, &folder);
    assert!(collection.rejected.is_empty(), "{:?}", collection.rejected);
    assert!(collection.loaded.len() > 50);
    collection
}

fn event(record: &Value) -> Event {
    let category = record["category"].as_str().unwrap_or_default();
    Event {
        event_id: "one".to_owned(),
        source: "test".to_owned(),
        // What ingest takes from records of Azure Monitor.
        category: category.to_owned(),
        raw: record.to_string().into(),
        ..Event::default()
    }
}

fn terms() -> Terms {
    Terms {
        owner: Some("ada@contoso.test".to_owned()),
        reason: Some("it's ours: \"nightly\"".to_owned()),
        expires: Day::parse("2027-01-31"),
    }
}

fn tune(rule: &Rule, record: &Value) -> Result<Tuning, TuneError> {
    propose(rule, &event(record), &Arc::default(), &terms())
}

/// A rule by itself, or with a filter in a file of its own, as a tenant has it.
fn compiled(rule: &Rule, filter: Option<&str>) -> Ruleset {
    let mut collection = RuleCollection::default();
    collection.loaded.push(rule.clone());
    if let Some(filter) = filter {
        collection.add("tuning/one.yml", filter.as_bytes());
        assert_eq!(collection.filters.len(), 1, "{filter}");
    }
    let rules = Ruleset::compile(&mut collection);
    assert!(collection.rejected.is_empty(), "{:?}", collection.rejected);
    rules
}

fn matches(rules: &Ruleset, table: Table, record: &Value) -> bool {
    let batch = columns::event_batch(table, &[event(record)]).unwrap();
    let plan = rules.plan(table).unwrap();
    !plan.evaluate(&mut Batch(&batch)).unwrap().is_empty()
}

/// Something else of the same kind.
fn replacement(value: &str) -> &'static str {
    if value.contains('@') {
        "other@fabrikam.example"
    } else if value.parse::<std::net::IpAddr>().is_ok() {
        "192.0.2.199"
    } else if value.len() == 36 && value.matches('-').count() == 4 {
        "5d1c7f0a-7777-4777-8777-777777777777"
    } else {
        "Something quite different 77"
    }
}

/// The record with every text that is, or contains, the value changed.
fn without(record: &Value, value: &str, by: &str) -> Value {
    match record {
        // What is JSON in a text, as in a workspace, has the value in another spelling, or one that is short.
        Value::String(text)
            if text.starts_with(['[', '{']) && !(value.len() > 3 && text.contains(value)) =>
        {
            let inner: Value = serde_json::from_str(text).unwrap_or_default();
            let changed = without(&inner, value, by);
            let text = if changed == inner {
                text.clone()
            } else {
                changed.to_string()
            };
            Value::String(text)
        }
        Value::String(text) => {
            let is_inside = value.len() > 3 && text.contains(value);
            let changed = if text.eq_ignore_ascii_case(value) {
                by.to_owned()
            } else if is_inside {
                text.replace(value, by)
            } else {
                text.clone()
            };
            Value::String(changed)
        }
        Value::Number(number) if number.to_string() == value => json!(by),
        Value::Array(items) => items.iter().map(|item| without(item, value, by)).collect(),
        Value::Object(members) => members
            .iter()
            .map(|(key, member)| (key.clone(), without(member, value, by)))
            .collect(),
        other => other.clone(),
    }
}

#[test]
fn every_finding_of_every_shipped_rule_can_be_silenced_and_nothing_beside_it() {
    let mut collection = shipped();
    let rules = Ruleset::compile(&mut collection);
    let (mut silenced, mut proposals, mut none) = (0, 0, Vec::new());
    for rule in rules.rules() {
        let bare = compiled(rule, None);
        // Of records over time, what is learnt from comes before what is found: no single one is the finding.
        let single = rule.cases.iter().filter(|case| case.events.is_empty());
        // A record that another log tells is not proposed from yet: filters are written in the words of the rule's own.
        let single = single.filter(|case| case.table.is_none());
        for case in single.filter(|case| case.alerts == 1) {
            let place = format!("{}, case \"{}\"", rule.file, case.name);
            let tuning = tune(rule, &case.event).unwrap_or_else(|why| panic!("{place}: {why}"));
            if let Some(why) = tuning.why_none() {
                none.push(format!("{place}: {why}"));
                continue;
            }
            silenced += 1;
            assert!(tuning.proposals.len() <= 4, "{place}");
            let widths = tuning.proposals.iter().map(|one| one.selection.len());
            assert!(widths.rev().is_sorted(), "{place}: from narrow to wide");
            for proposal in &tuning.proposals {
                proposals += 1;
                let tuned = compiled(rule, Some(&proposal.yaml));
                let told = format!("{place}:\n{}", proposal.yaml);
                assert!(!matches(&tuned, rule.table, &case.event), "{told}");
                for one in &proposal.selection {
                    let other = without(&case.event, &one.value, replacement(&one.value));
                    assert_ne!(other, case.event, "{told}");
                    assert!(
                        matches(&bare, rule.table, &other),
                        "the rule needs it: {told}"
                    );
                    assert!(
                        matches(&tuned, rule.table, &other),
                        "left out too much: {told}"
                    );
                }
            }
        }
    }
    println!("{silenced} findings silenced by {proposals} proposals");
    println!("{} without:\n{}", none.len(), none.join("\n"));
    assert!(silenced > 150, "{silenced}");
    assert!(none.len() * 10 < silenced, "{}", none.join("\n"));
}

fn one_rule(detection: &str) -> Rule {
    let text = format!(
        "title: Try\nid: 1f0c2f8e-55a3-4a5c-9e42-6a5e0f7d9b11\n\
         logsource: {{product: m365, service: audit}}\ndetection:\n{detection}"
    );
    let mut collection = RuleCollection::default();
    collection.add("try.yml", text.as_bytes());
    assert!(collection.rejected.is_empty(), "{:?}", collection.rejected);
    collection.loaded.remove(0)
}

const ANY_USER: &str = "    s: {UserId|re: '\\S'}\n    condition: s\n";

/// Whatever a tenant's records contain: the filter is read, leaves out this value in any letter case, and no other.
#[test]
fn values_of_any_text_mean_themselves() {
    let seed = 20_261_121;
    println!("seed {seed}");
    let mut random = ChaCha8Rng::seed_from_u64(seed);
    let rule = one_rule(ANY_USER);
    let parts = [
        "*",
        "?",
        "\\",
        "'",
        "\"",
        "%",
        "\n",
        "---",
        ": ",
        " #",
        "{",
        "[",
        "&",
        "!",
        "|",
        "a",
        "Z",
        "ß",
        "\u{202e}",
        "\u{feff}",
        "\u{85}",
        "\u{7f}",
        "\u{1f600}",
        "\t",
        "-",
        ",",
        "null",
        "@",
    ];
    for _ in 0..300 {
        let pieces = random.random_range(1..8);
        let mut value: String = (0..pieces)
            .map(|_| parts[random.random_range(0..parts.len())])
            .collect();
        // Something to see, and nothing around it that a column would take off.
        value = format!("x{value}x");
        let record = json!({ "UserId": value });
        let tuning = tune(&rule, &record).unwrap();
        assert_eq!(tuning.proposals.len(), 1, "{value:?}");
        let yaml = &tuning.proposals[0].yaml;
        assert!(
            yaml.chars().all(|one| one == '\n' || !one.is_control()),
            "{yaml:?}"
        );
        let tuned = compiled(&rule, Some(yaml));
        assert!(!matches(&tuned, rule.table, &record), "{value:?}\n{yaml}");
        // What it would leave out if a sign in it meant more than itself.
        for other in [
            value.replace('*', "bb"),
            value.replace('?', "b"),
            value.replace('\\', ""),
            value.replace('\\', "\\\\"),
            format!("{value}b"),
            format!("b{value}"),
        ] {
            let is_same = other == value;
            let found = matches(&tuned, rule.table, &json!({ "UserId": other }));
            assert_eq!(found, !is_same, "{value:?} {other:?}\n{yaml}");
        }
    }
}

#[test]
fn a_filter_says_what_it_does_and_is_the_same_each_time() {
    let rule = one_rule("    s: {Operation: Send}\n    condition: s\n");
    let record = json!({"Operation": "Send", "UserId": "Ada@contoso.test", "ClientIP": "192.0.2.7",
        "ClientAppId": "a1b2c3d4-0000-4000-8000-000000000007"});
    let tuning = tune(&rule, &record).unwrap();
    let fields: Vec<Vec<&str>> = tuning
        .proposals
        .iter()
        .map(|proposal| proposal.selection.iter().map(|one| one.field).collect())
        .collect();
    assert_eq!(
        fields,
        [
            vec!["UserId", "AppId", "ClientIP"],
            vec!["UserId", "AppId"],
            vec!["UserId", "ClientIP"],
            vec!["UserId"],
        ]
    );
    let narrow = &tuning.proposals[2];
    assert_eq!(
        narrow.sentence,
        "Leaves out every match whose user is \"Ada@contoso.test\" and address is \"192.0.2.7\"."
    );
    let expected = format!(
        "title: 'Tuning {} of SIGMA-1f0c2f8e: Try'\nid: {}\ndescription: 'Leaves out every match whose user is \"Ada@contoso.test\" \
         and address is \"192.0.2.7\".'\nlogsource:\n    product: 'm365'\n    service: 'audit'\nfilter:\n    rules:\n        \
         - '1f0c2f8e-55a3-4a5c-9e42-6a5e0f7d9b11'\n    selection:\n        UserId: 'Ada@contoso.test'\n        \
         ClientIP: '192.0.2.7'\n    condition: not selection\nowner: 'ada@contoso.test'\n\
         reason: 'it''s ours: \"nightly\"'\nexpires: 2027-01-31\n",
        &narrow.id[..8],
        narrow.id
    );
    assert_eq!(narrow.yaml, expected);
    let again = tune(&rule, &record).unwrap();
    let ids = |tuning: &Tuning| -> Vec<String> {
        tuning.proposals.iter().map(|one| one.id.clone()).collect()
    };
    assert_eq!(ids(&tuning), ids(&again));
    let distinct: std::collections::BTreeSet<String> = ids(&tuning).into_iter().collect();
    assert_eq!(distinct.len(), 4);
    let mut linter = sigma::tools::lint::Linter::on(Day::parse("2026-11-21").unwrap());
    linter.file("tuning/one_filter.yml", narrow.yaml.as_bytes());
    assert_eq!(linter.finish(), []);
}

#[test]
fn a_filter_tells_which_other_events_it_would_leave_out() {
    let rule = one_rule(ANY_USER);
    let tuning = tune(&rule, &json!({"UserId": "ada", "ClientIP": "192.0.2.7"})).unwrap();
    let events = [
        event(&json!({"UserId": "ADA", "ClientIP": "192.0.2.7:443"})),
        event(&json!({"UserId": "ada", "ClientIP": "192.0.2.8"})),
        event(&json!({"UserId": "eve", "ClientIP": "192.0.2.7"})),
        event(&json!({})),
    ];
    let told: Vec<Vec<bool>> = tuning
        .proposals
        .iter()
        .map(|one| one.leaves_out(&rule, &Arc::default(), &events).unwrap())
        .collect();
    assert_eq!(
        told,
        [[true, false, false, false], [true, true, false, false]]
    );
}

/// What a rule was written to find is never what a filter leaves out.
#[test]
fn what_the_rule_asks_for_is_kept_out() {
    let kept_out = |detection: &str, record: &Value| -> (Vec<&str>, Vec<&str>) {
        let tuning = tune(&one_rule(detection), record).unwrap();
        let widest = tuning.proposals.last();
        (
            tuning.kept_out.iter().map(|one| one.field).collect(),
            widest.map_or_else(Vec::new, |one| {
                one.selection.iter().map(|one| one.field).collect()
            }),
        )
    };
    let record = json!({"UserId": "glass@contoso.test", "UserKey": "1003bffd", "UserAgent": "azurehound/2.1",
        "ClientIP": "192.0.2.7", "ObjectId": "of glass"});
    for (detection, kept, widest) in [
        // The account itself, and by its other name: one is the other.
        (
            "{UserId: [glass@contoso.test, x]}",
            vec!["UserId"],
            vec!["ClientIP"],
        ),
        (
            "{UserId|endswith: '@contoso.test'}",
            vec!["UserId"],
            vec!["ClientIP"],
        ),
        (
            "{UserAgent|contains: azurehound}",
            vec!["UserAgent"],
            vec!["UserId"],
        ),
        (
            "{ClientIP|cidr: 192.0.2.0/24}",
            vec!["ClientIP"],
            vec!["UserId"],
        ),
        // A word anywhere in the record.
        ("[azurehound]", vec!["UserAgent"], vec!["UserId"]),
        // What any other value fulfils too.
        ("{UserId|contains: '@'}", vec![], vec!["UserId"]),
        ("{UserId|exists: true}", vec![], vec!["UserId"]),
    ] {
        let found = kept_out(&format!("    s: {detection}\n    condition: s\n"), &record);
        assert_eq!(found, (kept, widest), "{detection}");
    }
    // Which of two equal fields makes it a match cannot be told.
    assert_eq!(
        kept_out(
            "    s: {UserId|fieldref: ObjectId}\n    condition: s\n",
            &json!({"UserId": "a", "ObjectId": "a", "ClientIP": "192.0.2.7"})
        ),
        (vec!["UserId", "ObjectId"], vec!["ClientIP"])
    );
    // What an exclusion of the rule names says nothing of what it finds.
    let detection = "    s: {ClientIP|exists: true}\n    f: {UserId|contains: glass, ObjectId: x}\n    condition: s and not f\n";
    assert_eq!(kept_out(detection, &record), (vec![], vec!["UserId"]));
}

#[test]
fn says_why_there_is_nothing_to_propose() {
    let rule = one_rule("    s: {Operation: Send}\n    condition: s\n");
    let why = |record: &Value| tune(&rule, record).unwrap().why_none().unwrap();
    assert!(why(&json!({"Operation": "Send"})).contains("its operation, and for that the rule"));
    let common = why(&json!({"Operation": "Send", "UserAgent": "curl/8"}));
    assert!(
        common.contains("its user agent, which many share"),
        "{common}"
    );
    let other = tune(&rule, &json!({"Operation": "Receive", "UserId": "ada"}));
    assert!(matches!(other, Err(TuneError::NoMatch)));
}
