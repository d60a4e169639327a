//! Hostile and broken rule files are refused with file, line and reason, in bounded time.

use std::time::{Duration, Instant};

use schemas::wire::Event;
use sigma::plan::chunk::Batch;
use sigma::{RuleCollection, Ruleset};

const HEAD: &str = "title: t\nid: 00000000-0000-4000-8000-000000000001\nlogsource: {product: m365, service: audit}\n";

/// What is said of a file that must be refused.
#[track_caller]
fn refused(text: &str) -> String {
    let started = Instant::now();
    let mut collection = RuleCollection::default();
    collection.add("bad.yml", text.as_bytes());
    Ruleset::compile(&mut collection);
    assert!(
        started.elapsed() < Duration::from_secs(5),
        "took {:?}",
        started.elapsed()
    );
    assert!(
        collection.loaded.is_empty(),
        "was loaded: {}",
        &text[..text.len().min(300)]
    );
    let first = collection.rejected.first().map(ToString::to_string);
    first.unwrap_or_else(|| panic!("neither loaded nor rejected"))
}

#[track_caller]
fn check(detection: &str, expected: &str) {
    let message = refused(&format!("{HEAD}detection:\n{detection}"));
    assert!(message.starts_with("bad.yml"), "{message}");
    assert!(message.contains(expected), "{message}");
}

#[test]
fn what_cannot_be_honoured_says_why() {
    check("    s: {a|frobnicate: x}\n    condition: s\n", "frobnicate");
    check("    s: {a|frobnicate: x}\n    condition: s\n", "bad.yml:5:");
    check(
        "    s: {a|expand: '%x%'}\n    condition: s\n",
        "placeholder \"%x%\" has no values",
    );
    check(
        "    s: {a|cidr: 300.1.1.1/8}\n    condition: s\n",
        "cannot use value \"300.1.1.1/8\"",
    );
    check(
        "    s: {a|re: '(a'}\n    condition: s\n",
        "cannot compile regular expression",
    );
    check(
        "    s: {a: x}\n    condition: t\n",
        "\"t\", which is no detection",
    );
    check(
        "    s: {a: x}\n    condition: 1 of t*\n",
        "which is no detection",
    );
    check(
        "    s: {a: x}\n    condition: 1 of them and not\n",
        "cannot read rule",
    );
    check("    s: {}\n    condition: s\n", "asks for nothing");
    check(
        "    s: {a: x}\n    timeframe: 5m\n    condition: s\n",
        "timeframe",
    );
    check(
        "    s: {a: x}\n    s: {a: y}\n    condition: s\n",
        "duplicate",
    );
    check("\ts: {a: x}\n", "cannot read YAML");
}

#[test]
fn bombs_are_refused() {
    let regex = format!(
        "    s: {{a|re: '{}'}}\n    condition: s\n",
        "a".repeat(200_000)
    );
    check(&regex, "regular expression has 200000 bytes");
    let deep = format!(
        "    s: {{a: x}}\n    condition: {}s{}\n",
        "(".repeat(1500),
        ")".repeat(1500)
    );
    check(&deep, "deeper than 64 levels");
    let not = format!("    s: {{a: x}}\n    condition: {}s\n", "not ".repeat(1000));
    check(&not, "deeper than 64 levels");
    let nested = format!(
        "    s: {}x{}\n    condition: s\n",
        "[".repeat(10_000),
        "]".repeat(10_000)
    );
    check(&nested, "recursion limit");
    let mut laughs = String::from("title: t\na0: &a0 [x, x, x, x, x, x, x, x, x]\n");
    for level in 1..20 {
        let before = level - 1;
        let members = vec![format!("*a{before}"); 9].join(", ");
        laughs = format!("{laughs}a{level}: &a{level} [{members}]\n");
    }
    assert!(
        refused(&laughs).contains("repetition limit"),
        "{}",
        refused(&laughs)
    );
    assert!(refused(&"a".repeat(300_000)).contains("limit is 262144"));
}

/// Whether a rule with this detection finds a record of the unified audit log.
#[expect(clippy::unwrap_used, reason = "test code: it fails loudly")]
#[track_caller]
fn hits(detection: &str, record: &str) -> bool {
    let text = format!("{HEAD}detection:\n    s: {detection}\n    condition: s\n");
    let mut collection = RuleCollection::default();
    collection.add("rule.yml", text.as_bytes());
    let rules = Ruleset::compile(&mut collection);
    assert!(collection.rejected.is_empty(), "{:?}", collection.rejected);
    let table = rules.rules()[0].table;
    let event = Event {
        event_id: "1".to_owned(),
        source: "t".to_owned(),
        raw: record.to_owned().into(),
        ..Event::default()
    };
    let batch = columns::event_batch(table, &[event]).unwrap();
    let plan = rules.plan(table).unwrap();
    !plan.evaluate(&mut Batch(&batch)).unwrap().is_empty()
}

#[test]
fn a_regex_that_backtracks_elsewhere_is_linear_here() {
    let started = Instant::now();
    let many = "a".repeat(100_000);
    assert!(hits("{x|re: '(a+)+$'}", &format!("{{\"x\":\"{many}\"}}")));
    assert!(!hits("{x|re: '(a+)+$'}", &format!("{{\"x\":\"{many}!\"}}")));
    assert!(
        started.elapsed() < Duration::from_secs(5),
        "took {:?}",
        started.elapsed()
    );
}

#[test]
fn every_refusal_names_its_line() {
    for (detection, line, expected) in [
        (
            "    s:\n        a: 1\n        b|cidr: 10.0.0.0/40\n    condition: s\n",
            7,
            "10.0.0.0/40",
        ),
        (
            "    s:\n        - a: 1\n        - b|re: '(x'\n    condition: s\n",
            7,
            "regular expression",
        ),
        (
            "    s: {a: 1}\n    condition: s and\n",
            6,
            "cannot read rule",
        ),
        (
            "    s: {a: 1}\n    condition: 1 of them and not\n",
            6,
            "cannot read rule",
        ),
        (
            "    s: {a|contains|re: x}\n    condition: s\n",
            5,
            "contains|re",
        ),
        ("    s: {a|gt: .nan}\n    condition: s\n", 5, "NaN"),
        ("    s: {a: .inf}\n    condition: s\n", 5, "inf"),
        ("    s: {a|hour: noon}\n    condition: s\n", 5, "noon"),
        (
            "    s: {a|expand: 'x%who%'}\n    condition: s\n",
            5,
            "%who%",
        ),
        (
            "    s: {a: 1}\n    t:\n        - ''\n    condition: s or t\n",
            4,
            "keywords",
        ),
    ] {
        let message = refused(&format!("{HEAD}detection:\n{detection}"));
        assert!(
            message.starts_with(&format!("bad.yml:{line}:")),
            "{message}"
        );
        assert!(message.contains(expected), "{message}");
    }
}

#[test]
fn letters_that_look_like_others_are_refused() {
    let good =
        format!("{HEAD}detection:\n    s: {{Operation: x}}\n    condition: s\nlevel: critical\n");
    let mut collection = RuleCollection::default();
    collection.add("good.yml", good.as_bytes());
    assert_eq!(collection.loaded.len(), 1, "{:?}", collection.rejected);
    for (word, similar) in [
        ("condition:", "\u{441}ondition:"),
        ("level:", "lev\u{435}l:"),
        ("detection:", "d\u{435}tection:"),
        ("product:", "pr\u{43e}duct:"),
        ("Operation", "\u{41e}peration"),
        ("    s:", "    \u{455}:"),
    ] {
        let message = refused(&good.replace(word, similar));
        let is_told = message.contains("only look like") || message.contains("is not named with");
        assert!(is_told, "{message}");
        let at = good.lines().position(|line| line.contains(word)).unwrap() + 1;
        assert!(message.starts_with(&format!("bad.yml:{at}:")), "{message}");
    }
    let honest = good.replace("Operation", "Gr\u{f6}\u{df}e");
    let mut collection = RuleCollection::default();
    collection.add("good.yml", honest.as_bytes());
    assert_eq!(collection.loaded.len(), 1);
}

#[test]
fn marks_and_line_ends_of_other_systems_change_nothing() {
    let text = format!("{HEAD}detection:\n    s: {{a: b}}\n    condition: s\n");
    for text in [
        format!("\u{feff}{text}"),
        text.replace('\n', "\r\n"),
        format!("---\n{text}---\n"),
        format!("# a remark\n\n{text}...\n"),
    ] {
        let mut collection = RuleCollection::default();
        collection.add("good.yml", text.as_bytes());
        let rules = Ruleset::compile(&mut collection);
        assert_eq!(
            (rules.rules().len(), collection.rejected.len()),
            (1, 0),
            "{text:?}"
        );
    }
    for text in ["", "---\n---\n", "# nothing\n", "\u{feff}"] {
        assert!(refused(text).contains("file has no document"), "{text:?}");
    }
    let broken = text
        .replace('\n', "\r\n")
        .replace("condition: s", "condition: s and");
    assert!(refused(&broken).starts_with("bad.yml:6:"));
}

#[test]
fn deep_documents_are_refused_in_any_form() {
    let mut block = String::from("    s:\n");
    for level in 0..200 {
        block = format!("{block}{}-\n", " ".repeat(8 + level));
    }
    check(&format!("{block}    condition: s\n"), "recursion limit");
    let flow = format!(
        "    s: {}1{}\n    condition: s\n",
        "{a: ".repeat(10_000),
        "}".repeat(10_000)
    );
    check(&flow, "recursion limit");
    let below = format!(
        "    s: {}1{}\n    condition: s\n",
        "[".repeat(60),
        "]".repeat(60)
    );
    check(&below, "deeper than 32 levels");
}

/// Keys that differ only in letter case: in a rule both ask the same field, in a record the exact one is taken.
#[test]
fn keys_that_differ_in_case_are_one_field() {
    assert!(hits("{Colour: red, colour: red}", r#"{"COLOUR":"red"}"#));
    assert!(!hits("{Colour: red, colour: blue}", r#"{"COLOUR":"red"}"#));
    assert!(hits("{Colour: red}", r#"{"colour":"blue","Colour":"red"}"#));
    assert!(!hits(
        "{Colour: blue}",
        r#"{"colour":"blue","Colour":"red"}"#
    ));
}

#[test]
fn other_documents_are_named_not_ignored() {
    let other = refused(
        "title: w\nid: x\nlogsource: {product: windows}\ndetection: {s: {a: b}, condition: s}\n",
    );
    assert!(
        other.starts_with("bad.yml:3: no table holds log source \"windows\""),
        "{other}"
    );
    assert!(refused("- just\n- a list\n").contains("not a YAML mapping"));
    let no_id = refused(
        "title: w\nlogsource: {product: m365, service: audit}\ndetection: {s: {a: b}, condition: s}\n",
    );
    assert!(no_id.contains("rule has no id"), "{no_id}");
    let second = refused(&format!(
        "{HEAD}detection: {{s: {{}}, condition: s}}\n---\ntitle: x\n"
    ));
    assert!(
        second.starts_with("bad.yml:6: cannot read rule"),
        "{second}"
    );
}

#[test]
fn an_id_belongs_to_one_rule() {
    let text = format!("{HEAD}detection: {{s: {{a: b}}, condition: s}}\n");
    let mut collection = RuleCollection::default();
    collection.add("one.yml", text.as_bytes());
    collection.add("two.yml", text.as_bytes());
    assert_eq!(collection.loaded.len(), 1);
    let message = collection
        .rejected
        .first()
        .map(ToString::to_string)
        .unwrap_or_default();
    assert!(
        message.starts_with("two.yml:2: id 00000000") && message.contains("is taken by \"t\""),
        "{message}"
    );
}
