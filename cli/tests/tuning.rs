//! `vedette rules tune` as a person calls it, and what its filters do when they are saved.
#![expect(
    clippy::unwrap_used,
    clippy::expect_used,
    reason = "a test: it fails loudly"
)]

#[path = "rules/bench.rs"]
mod bench;

use serde_json::Value;

use bench::{Bench, EVENTS, FORWARDS, lines};

/// The ids of what the rules of a configuration find in the lake, labels with them.
fn found(bench: &Bench, config: &str) -> std::collections::BTreeMap<String, String> {
    let text = bench.rules(
        0,
        &[
            "backtest", "--alerts", "--output", "json", "--config", config,
        ],
    );
    let word = |line: &Value, key: &str| line[key].as_str().unwrap().to_owned();
    lines(&text)
        .iter()
        .map(|line| (word(line, "alert_id"), word(line, "label")))
        .collect()
}

/// The id of the one alert that a condition finds.
fn alert_id(bench: &Bench, condition: &str) -> String {
    let query = format!("SELECT alert_id FROM alerts_current WHERE {condition}");
    let asked = bench.call(&["sql", "--output", "json", &query], None);
    let found = lines(&String::from_utf8(asked.stdout).unwrap());
    assert_eq!(found.len(), 1, "{condition}: {found:?}");
    found[0]["alert_id"].as_str().unwrap().to_owned()
}

/// A proposal, saved where the configuration looks, silences the alert and no other; when it has ended, it is told.
#[test]
fn a_tuned_alert_is_silent_and_the_others_stay_until_the_filter_ends() {
    let bench = Bench::new();
    bench.write("events.ndjson", EVENTS);
    bench.write("plain.toml", "");
    bench.write("tuned.toml", "[detect]\nrules = [\"tuning\"]\n");
    bench.write("ended.toml", "[detect]\nrules = [\"ended\"]\n");
    for folder in ["tuning", "ended"] {
        std::fs::create_dir(bench.folder.path().join(folder)).unwrap();
    }
    bench.call(&["import", "events.ndjson"], None);
    let condition = format!("label = '{FORWARDS}' AND user_principal_name = 'eve@contoso.example'");
    let id = alert_id(&bench, &condition);

    let proposals = lines(&bench.rules(0, &["tune", &id, "--output", "json"]));
    assert_eq!(
        (&proposals[0]["hides"], &proposals[0]["hides_of"]),
        (&0.into(), &2.into())
    );
    assert_eq!(proposals[0]["is_counted"], false);
    let terms = [
        "--owner",
        "kim",
        "--reason",
        "a mailbox of the archive, change 4711",
    ];
    let saved = ["tune", &id[..8], "--write", "tuning/archive.yml"];
    let text = bench.rules(0, &[&saved[..], &terms[..]].concat());
    assert!(
        text.contains("proposal 1 is in tuning/archive.yml"),
        "{text}"
    );
    let text = bench.rules(4, &[&saved[..], &terms[..]].concat());
    assert!(
        text.contains("name a file that does not exist yet"),
        "{text}"
    );
    bench.rules(0, &["lint", "tuning"]);

    let before = found(&bench, "plain.toml");
    let after = found(&bench, "tuned.toml");
    let silent: Vec<&String> = before
        .keys()
        .filter(|id| !after.contains_key(*id))
        .collect();
    assert_eq!(silent, [&id]);
    assert!(after.keys().all(|id| before.contains_key(id)));
    let text = bench.rules(0, &["list", "--config", "tuned.toml"]);
    assert!(text.contains("1 filters applied, 0 ended"), "{text}");

    let ended = [
        "tune",
        &id,
        "--expires",
        "2999-01-31",
        "--write",
        "ended/archive.yml",
    ];
    bench.rules(0, &[&ended[..], &terms[..]].concat());
    // Its last day comes some day.
    let path = bench.folder.path().join("ended/archive.yml");
    let text = std::fs::read_to_string(&path).unwrap();
    std::fs::write(path, text.replace("2999-01-31", "2026-01-31")).unwrap();
    let text = bench.rules(1, &["list", "--config", "ended.toml"]);
    assert!(text.contains("0 filters applied, 1 ended"), "{text}");
    assert!(text.contains("archive.yml:1: filter"), "{text}");
    assert!(text.contains("of kim ended with 2026-01-31"), "{text}");
    assert_eq!(found(&bench, "ended.toml"), before);
}

/// A filter with a last day that is over would never hold.
#[test]
fn a_last_day_that_is_over_is_refused() {
    let bench = Bench::new();
    let late = ["rules", "tune", "f4993d4c", "--expires", "2020-01-01"];
    let refused = bench.call(&late, None);
    let told = String::from_utf8_lossy(&refused.stderr);
    assert_eq!(refused.status.code(), Some(2));
    assert!(told.contains("this day is over"), "{told}");
}

/// Mailboxes that forward twice within a week, and those that forward.
const FORWARDS_AGAIN: &str = "\
title: Mailbox forwards
id: 1c8f4a0e-6a55-4b1b-9a42-0d6c1f1f7a01
name: mailbox_forwards
only_counted: true
status: test
description: An inbox rule forwards.
author: kim
date: 2026-11-21
logsource:
    product: m365
    service: exchange
detection:
    forwards:
        ForwardTo|exists: true
    redirects:
        RedirectTo|exists: true
    condition: forwards or redirects
level: informational
---
title: Mailbox forwards again
id: 1c8f4a0e-6a55-4b1b-9a42-0d6c1f1f7a02
status: test
description: Two inbox rules of one mailbox forward.
author: kim
date: 2026-11-21
correlation:
    type: event_count
    rules:
        - mailbox_forwards
    group-by:
        - UserId
    timespan: 7d
    condition:
        gte: 2
level: medium
";

#[test]
fn an_alert_of_a_correlation_is_tuned_by_a_rule_that_it_counts() {
    let bench = Bench::new();
    bench.write("events.ndjson", EVENTS);
    bench.write("vedette.toml", "[detect]\nrules = [\"own\"]\n");
    std::fs::create_dir(bench.folder.path().join("own")).unwrap();
    bench.write("own/again.yml", FORWARDS_AGAIN);
    let imported = bench.call(
        &["import", "events.ndjson", "--config", "vedette.toml"],
        None,
    );
    assert_eq!(imported.status.code(), Some(0), "{imported:?}");
    let id = alert_id(&bench, "title = 'Mailbox forwards again'");

    let before = found(&bench, "vedette.toml");
    assert!(before.contains_key(&id), "{before:?}");
    let tune = ["tune", &id, "--config", "vedette.toml"];
    let text = bench.rules(0, &tune);
    assert!(
        text.contains("is a correlation, and filters are for rules"),
        "{text}"
    );
    assert!(
        text.contains("\"Mailbox forwards\", one of the rules that it counts"),
        "{text}"
    );
    assert!(
        text.contains("1c8f4a0e-6a55-4b1b-9a42-0d6c1f1f7a01"),
        "{text}"
    );
    let proposals = lines(&bench.rules(0, &[&tune[..], &["--output", "json"]].concat()));
    assert_eq!(proposals[0]["is_counted"], true);
    // The last is the widest: whatever the account does.
    let widest = proposals.len().to_string();
    let last = proposals.last().unwrap();
    assert_eq!(
        last["selection"],
        serde_json::json!({"UserId": "ada@contoso.example"})
    );

    let terms = [
        "--owner",
        "kim",
        "--reason",
        "known",
        "--write",
        "own/filter.yml",
    ];
    let wide = ["--proposal", widest.as_str()];
    bench.rules(0, &[&tune[..], &terms, &wide].concat());
    let after = found(&bench, "vedette.toml");
    let silent: Vec<&String> = before
        .keys()
        .filter(|id| !after.contains_key(*id))
        .collect();
    assert_eq!(
        silent,
        [&id],
        "a filter for the counted rule leaves other rules alone"
    );
    let text = bench.rules(4, &tune);
    assert!(
        text.contains("none of them as they run now matches"),
        "{text}"
    );
}
