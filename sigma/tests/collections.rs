//! Filters, correlations, pipelines and files of several documents, whatever order they are read in.

#![expect(clippy::unwrap_used, reason = "test code: it fails loudly")]

use schemas::tables::Table;
use schemas::wire::Event;
use sigma::correlation::Referred;
use sigma::plan::chunk::Batch;
use sigma::{RuleCollection, Ruleset};

fn rule(number: u32, detection: &str) -> String {
    format!(
        "title: rule {number}\nid: 0000000{number}-0000-4000-8000-000000000000\nname: r{number}\n\
         logsource: {{product: m365, service: audit}}\ndetection:\n{detection}"
    )
}

const ANY: &str = "    s: {Colour: red}\n    condition: s\n";

fn collection(files: &[(&str, &str)]) -> RuleCollection {
    let mut collection = RuleCollection::default();
    for (name, text) in files {
        collection.add(name, text.as_bytes());
    }
    collection
}

/// Titles of the rules that find a record of the unified audit log.
fn found(collection: &mut RuleCollection, record: &str) -> Vec<String> {
    let rules = Ruleset::compile(collection);
    let event = Event {
        event_id: "1".to_owned(),
        source: "t".to_owned(),
        raw: record.to_owned().into(),
        ..Event::default()
    };
    let batch = columns::event_batch(Table::M365Activity, &[event]).unwrap();
    let Some(plan) = rules.plan(Table::M365Activity) else {
        return Vec::new();
    };
    let hits = plan.evaluate(&mut Batch(&batch)).unwrap();
    let title = |hit: &sigma::Hits| rules.rules()[hit.rule].sigma.title.clone();
    hits.iter().map(title).collect()
}

fn rejected(collection: &RuleCollection) -> Vec<String> {
    collection
        .rejected
        .iter()
        .map(ToString::to_string)
        .collect()
}

#[test]
fn a_filter_holds_whatever_order_files_come_in() {
    let (one, two) = (rule(1, ANY), rule(2, ANY));
    let filter = "title: f\nlogsource: {product: m365}\nfilter:\n    rules:\n        - r1\n    s: {UserId: backup}\n    condition: not s\n";
    let files = [
        ("1.yml", one.as_str()),
        ("f.yml", filter),
        ("2.yml", two.as_str()),
    ];
    for order in [[0, 1, 2], [1, 0, 2], [2, 1, 0], [0, 2, 1]] {
        let mut collection = collection(&order.map(|at| files[at]));
        let red = r#"{"Colour":"red","UserId":"ada"}"#;
        assert_eq!(found(&mut collection, red).len(), 2);
        let left = r#"{"Colour":"red","UserId":"backup"}"#;
        assert_eq!(found(&mut collection, left), ["rule 2"]);
        assert!(
            rejected(&collection).is_empty(),
            "{:?}",
            rejected(&collection)
        );
    }
}

#[test]
fn a_filter_that_cannot_stand_is_told_and_silences_nothing() {
    let one = rule(1, ANY);
    for (filter, expected) in [
        (
            "title: f\nfilter:\n    rules:\n        - nobody\n    s: {a: b}\n    condition: not s\n",
            "f.yml:4: no rule is called \"nobody\"",
        ),
        (
            "title: f\nfilter:\n    rules: any\n    s: {a|re: '('}\n    condition: not s\n",
            "f.yml:4: cannot honour field \"a\"",
        ),
        (
            "title: f\nfilter:\n    rules: any\n    s: {a: b}\n    condition: not t\n",
            "f.yml:5: condition names \"t\"",
        ),
        (
            "title: f\nfilter:\n    rules: [7]\n    s: {a: b}\n    condition: not s\n",
            "f.yml:3: key \"rules\"",
        ),
    ] {
        let mut collection = collection(&[("f.yml", filter), ("1.yml", &one)]);
        assert_eq!(found(&mut collection, r#"{"Colour":"red"}"#), ["rule 1"]);
        let said = rejected(&collection);
        assert!(said.len() == 1 && said[0].starts_with(expected), "{said:?}");
    }
}

#[test]
fn documents_of_one_file_are_read_apart() {
    let text = format!("{}---\n{}---\ntitle: broken\n", rule(1, ANY), rule(2, ANY));
    let mut several = collection(&[("a.yml", &text)]);
    assert_eq!(
        found(&mut several, r#"{"Colour":"red"}"#),
        ["rule 1", "rule 2"]
    );
    assert_eq!(rejected(&several).len(), 1);
    assert!(
        rejected(&several)[0].starts_with("a.yml:17:"),
        "{:?}",
        rejected(&several)
    );
    let actions = "action: global\ntitle: g\nlogsource: {product: m365, service: audit}\nlevel: high\n---\n\
        id: 00000001-0000-4000-8000-000000000000\ndetection: {s: {Colour: red}, condition: s}\n---\n\
        action: repeat\nid: 00000002-0000-4000-8000-000000000000\ndetection: {s: {Colour: blue}}\n";
    let mut repeated = collection(&[("b.yml", actions)]);
    assert_eq!(
        found(&mut repeated, r#"{"Colour":"blue"}"#),
        ["g"],
        "{:?}",
        rejected(&repeated)
    );
    assert_eq!(repeated.loaded.len(), 2);
}

fn correlation(body: &str) -> String {
    format!("title: c\nid: c1\nname: many\ncorrelation:\n{body}")
}

#[test]
fn correlations_find_what_they_refer_to_in_other_files() {
    let one = rule(1, ANY);
    let count = correlation(
        "    type: event_count\n    rules: [r1]\n    group-by: [UserId]\n    timespan: 1h\n    condition: {gte: 10, lt: 100}\n",
    );
    let chain = "title: d\nname: chain\ncorrelation:\n    type: temporal_ordered\n    rules: [many, r1]\n    group-by: [who]\n    timespan: 2d\n    aliases:\n        who: {many: UserId, r1: UserKey}\n";
    let mut all = collection(&[("d.yml", chain), ("c.yml", &count), ("1.yml", &one)]);
    assert_eq!(found(&mut all, r#"{"Colour":"red"}"#), ["rule 1"]);
    assert!(rejected(&all).is_empty(), "{:?}", rejected(&all));
    assert_eq!(all.correlations.len(), 2);
    let first = &all.correlations[0];
    assert_eq!((first.file.as_str(), first.line), ("d.yml", 1));
    assert_eq!(first.rules[0], Referred::Correlation("c1".to_owned()));
    assert_eq!(
        first.rules[1],
        Referred::Rule("00000001-0000-4000-8000-000000000000".to_owned())
    );
}

/// A correlation of this type, rules, timespan and what follows is refused with this message.
#[track_caller]
fn check_correlation([kind, rules, timespan, rest]: [&str; 4], expected: &str) {
    let text = correlation(&format!(
        "    type: {kind}\n    rules: {rules}\n    group-by: [UserId]\n    timespan: {timespan}\n{rest}"
    ));
    let mut collection = collection(&[("c.yml", &text), ("1.yml", &rule(1, ANY))]);
    Ruleset::compile(&mut collection);
    let said = rejected(&collection);
    let expected = format!("c.yml:{expected}");
    assert!(
        said.len() == 1 && said[0].starts_with(&expected),
        "{said:?} is not {expected}"
    );
    assert!(collection.correlations.is_empty() && collection.loaded.len() == 1);
}

const GTE: &str = "    condition: {gte: 3}\n";

#[test]
fn correlations_that_cannot_stand_are_refused_with_their_line() {
    let count = |rules, expected| check_correlation(["event_count", rules, "1h", GTE], expected);
    count("[r9]", "6: no rule is called \"r9\"");
    count("[rule 1]", "6: no rule is called \"rule 1\"");
    count("[many]", "6: correlations c1 and c1 refer to each other");
    count("[]", "6: correlation's rules");
    count("[7]", "6: key \"rules\"");
    let span = |span, expected| check_correlation(["event_count", "[r1]", span, GTE], expected);
    span("0m", "8: correlation's timespan");
    span("32d", "8: correlation's timespan");
    span("1M", "8: correlation's timespan");
    span("soon", "8: cannot read rule");
    span("99999999999999999999d", "8: cannot read rule");
    let rest = |kind, rest: &str, expected| {
        let line = format!("    {rest}\n");
        check_correlation([kind, "[r1]", "1h", &line], expected);
    };
    rest("moon", "condition: {gte: 3}", "5: cannot read rule");
    rest("event_count", "", "1: cannot read rule");
    rest("event_count", "condition: {gte: -3}", "9: key \"gte\"");
    rest(
        "event_count",
        "condition: {gt: 5, lt: 6}",
        "9: correlation's condition cannot stand: no number",
    );
    rest(
        "event_count",
        "condition: {gte: 5, field: a}",
        "9: correlation's condition",
    );
    rest(
        "value_count",
        "condition: {gte: 3}",
        "9: correlation's condition cannot stand: value_count needs field",
    );
    rest(
        "temporal",
        "aliases: {who: {r2: a}}",
        "9: correlation's aliases",
    );
    rest("temporal", "aliases: [x]", "9: key \"aliases\"");
    // A slip would count the whole tenant.
    rest(
        "event_count",
        "group_by: [a]\n    condition: {gte: 3}",
        "9: correlation has no key \"group_by\"",
    );
    rest(
        "temporal_ordered",
        "condition: {gte: 3}",
        "9: correlation's condition cannot stand: temporal_ordered takes none",
    );
    rest(
        "temporal",
        "condition: {gte: 1}",
        "9: correlation's condition cannot stand: {gte: 1} cannot be told from none",
    );
}

/// A slip in the key that names its rules would make a filter one of all.
#[test]
fn a_filter_that_names_no_rules_is_refused_with_its_line() {
    for rules in ["rule: [r1]", "rules: []"] {
        let filter = format!(
            "title: f\nfilter:\n    {rules}\n    selection: {{a: b}}\n    condition: not selection\n"
        );
        let collection = collection(&[("f.yml", &filter)]);
        let said = rejected(&collection).join("");
        assert!(said.contains(":2: a filter names its rules"), "{said}");
        assert!(collection.filters.is_empty());
    }
}

#[test]
fn correlations_in_a_circle_are_refused() {
    let link = |name: &str, next: &str| {
        format!(
            "title: {name}\nname: {name}\ncorrelation: {{type: temporal, rules: [{next}], group-by: [a], timespan: 1h}}\n"
        )
    };
    let (a, b, c) = (link("a", "b"), link("b", "a"), link("c", "a"));
    let mut collection = collection(&[("a.yml", &a), ("b.yml", &b), ("c.yml", &c)]);
    Ruleset::compile(&mut collection);
    let said = rejected(&collection);
    assert_eq!(said.len(), 3, "{said:?}");
    assert!(
        said.iter()
            .any(|said| said.starts_with("a.yml:3: correlations a and b")),
        "{said:?}"
    );
    assert!(
        said.iter()
            .any(|said| said.starts_with("c.yml:3: no rule is called \"a\"")),
        "{said:?}"
    );
}

#[test]
fn pipelines_change_rules_and_filters_whatever_order_files_come_in() {
    let text = rule(1, ANY).replace("product: m365, service: audit", "product: other");
    let pipeline = "name: p\npriority: 10\ntransformations:\n\
        - {type: field_name_mapping, mapping: {Colour: Paint, Who: UserId}}\n\
        - {type: change_logsource, product: m365, service: audit}\n";
    let filter = "title: f\nfilter: {rules: [r1], s: {Who: backup}, condition: not s}\n";
    let files = [
        ("1.yml", text.as_str()),
        ("p.yml", pipeline),
        ("f.yml", filter),
    ];
    for order in [[0, 1, 2], [2, 1, 0], [1, 2, 0]] {
        let mut collection = collection(&order.map(|at| files[at]));
        assert_eq!(
            found(&mut collection, r#"{"Paint":"red","UserId":"ada"}"#),
            ["rule 1"]
        );
        assert!(
            rejected(&collection).is_empty(),
            "{:?}",
            rejected(&collection)
        );
        assert!(found(&mut collection, r#"{"Paint":"red","UserId":"backup"}"#).is_empty());
    }
    let refusing = "name: q\ntransformations:\n- {type: rule_failure, message: no colours}\n";
    let mut refused = collection(&[("q.yml", refusing), ("1.yml", &rule(1, ANY))]);
    assert!(found(&mut refused, r#"{"Colour":"red"}"#).is_empty());
    assert_eq!(
        rejected(&refused),
        ["1.yml:1: pipeline \"q\" refuses: no colours"]
    );
}

#[test]
fn placeholders_take_their_values_from_the_caller() {
    let text = rule(1, "    s: {UserId|expand: '%admins%'}\n    condition: s\n");
    let mut collection = collection(&[("1.yml", &text)]);
    let values = vec!["ada".to_owned(), "adm_*".to_owned()];
    collection
        .placeholders
        .values
        .insert("admins".to_owned(), values);
    assert_eq!(found(&mut collection, r#"{"UserId":"adm_7"}"#), ["rule 1"]);
    assert!(found(&mut collection, r#"{"UserId":"eve"}"#).is_empty());
}

/// A filter holds through its last day, and what becomes of it then is told.
#[test]
fn an_expired_filter_is_no_longer_applied_and_that_is_said() {
    let filter = "title: nightly backup\nfilter:\n    rules: [r1]\n    s: {UserId: backup}\n    condition: not s\n\
                  owner: ada\nreason: ours\nexpires: 2026-11-21\n";
    let record = r#"{"Colour":"red","UserId":"backup"}"#;
    for (today, is_found) in [
        (None, false),
        (Some("2026-11-20"), false),
        (Some("2026-11-21"), false),
        (Some("2026-11-22"), true),
    ] {
        let rule = rule(1, ANY);
        let mut collection = collection(&[("1.yml", rule.as_str()), ("f.yml", filter)]);
        collection.today = today.and_then(sigma::metadata::Day::parse);
        assert_eq!(
            !found(&mut collection, record).is_empty(),
            is_found,
            "{today:?}"
        );
        // Compiled again, as when rules change: said once.
        found(&mut collection, record);
        let told: Vec<String> = collection.expired.iter().map(ToString::to_string).collect();
        let expected = "f.yml:1: filter \"nightly backup\" of ada ended with 2026-11-21 and is no longer applied: \
                        what it left out alerts again";
        assert_eq!(told, if is_found { vec![expected] } else { vec![] });
        assert_eq!(rejected(&collection), [""; 0]);
    }
}

#[test]
fn a_filter_whose_last_day_cannot_be_read_is_refused_with_its_line() {
    for wrong in [
        "2026-02-30",
        "tomorrow",
        "5",
        "''",
        "[2026-11-21]",
        "{a: b}",
        "2026-11-21T00:00:00Z",
    ] {
        let filter = format!(
            "title: f\nfilter:\n    rules: [r1]\n    s: {{UserId: backup}}\n    condition: not s\nexpires: {wrong}\n"
        );
        let rule = rule(1, ANY);
        let mut collection = collection(&[("1.yml", rule.as_str()), ("f.yml", filter.as_str())]);
        let told = rejected(&collection);
        assert_eq!(told.len(), 1, "{wrong}: {told:?}");
        assert!(
            told[0].starts_with("f.yml:6: cannot read key \"expires\""),
            "{told:?}"
        );
        // It silences nothing.
        let record = r#"{"Colour":"red","UserId":"backup"}"#;
        assert_eq!(found(&mut collection, record), ["rule 1"]);
    }
}
