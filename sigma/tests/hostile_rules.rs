//! Hostile and broken rule files are refused with file, line and reason, in bounded time (P43).

use std::time::{Duration, Instant};

use sigma::{Catalogue, Ruleset};

const HEAD: &str = "title: t\nid: 00000000-0000-4000-8000-000000000001\nlogsource: {product: m365, service: audit}\n";

/// What is said of a file that must be refused.
#[track_caller]
fn refused(text: &str) -> String {
    let started = Instant::now();
    let mut catalogue = Catalogue::default();
    catalogue.add("bad.yml", text.as_bytes());
    Ruleset::compile(&mut catalogue);
    assert!(
        started.elapsed() < Duration::from_secs(5),
        "took {:?}",
        started.elapsed()
    );
    assert!(
        catalogue.loaded.is_empty(),
        "was loaded: {}",
        &text[..text.len().min(300)]
    );
    let first = catalogue.rejected.first().map(ToString::to_string);
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
        "cannot evaluate modifier expand yet",
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

#[test]
fn a_regex_that_backtracks_elsewhere_is_linear_here() {
    let text = format!("{HEAD}detection:\n    s: {{a|re: '(a+)+$'}}\n    condition: s\n");
    let mut catalogue = Catalogue::default();
    catalogue.add("slow.yml", text.as_bytes());
    assert_eq!(Ruleset::compile(&mut catalogue).rules().len(), 1);
}

#[test]
fn other_documents_are_named_not_ignored() {
    let correlation = "title: c\ncorrelation:\n    type: event_count\n    rules: [x]\n    group-by: [User]\n    timespan: 1m\n    condition: {gte: 3}\n";
    assert!(refused(correlation).contains("cannot evaluate correlation rules yet"));
    let filter = "title: f\nlogsource: {product: m365}\nfilter:\n    rules: [x]\n    s: {a: b}\n    condition: not s\n";
    assert!(refused(filter).contains("cannot evaluate filters yet"));
    let other = refused(
        "title: w\nid: x\nlogsource: {product: windows}\ndetection: {s: {a: b}, condition: s}\n",
    );
    assert!(
        other.contains("no table holds log source \"windows\""),
        "{other}"
    );
    assert!(refused("- just\n- a list\n").contains("not a YAML mapping"));
    let no_id = refused(
        "title: w\nlogsource: {product: m365, service: audit}\ndetection: {s: {a: b}, condition: s}\n",
    );
    assert!(no_id.contains("rule has no id"), "{no_id}");
}

#[test]
fn an_id_belongs_to_one_rule() {
    let text = format!("{HEAD}detection: {{s: {{a: b}}, condition: s}}\n");
    let mut catalogue = Catalogue::default();
    catalogue.add("one.yml", text.as_bytes());
    catalogue.add("two.yml", text.as_bytes());
    assert_eq!(catalogue.loaded.len(), 1);
    let message = catalogue
        .rejected
        .first()
        .map(ToString::to_string)
        .unwrap_or_default();
    assert!(
        message.starts_with("two.yml:2: id 00000000") && message.contains("is taken by \"t\""),
        "{message}"
    );
}
