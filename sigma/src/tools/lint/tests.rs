//! Each fault is found, on its line; a good rule has none.

use super::Linter;
use super::finding::{Finding, Level};

const GOOD: &str = "\
title: Inbox rule deletes mail
id: 0b1c9f3e-52a7-4f6e-8a2b-7f8f8a3f9d10
label: 9001
status: experimental
description: A new inbox rule deletes what arrives.
date: 2026-02-03
modified: 2026-03-01
references:
    - https://example.test/a
tags:
    - attack.stealth
    - attack.t1564.008
logsource:
    product: m365
    service: exchange
detection:
    cmdlet:
        Operation: New-InboxRule
    deletes:
        DeleteMessage: 'True'
    condition: cmdlet and deletes
falsepositives:
    - people who clean up
level: medium
check_first:
    - who made the rule
blind_spots:
    - rules that Ternary makes
cases:
    - name: deletes
      alerts: 1
      event: {Operation: New-InboxRule, Parameters: [{Name: DeleteMessage, Value: 'True'}]}
    - name: moves
      alerts: 0
      event: {Operation: New-InboxRule, Parameters: [{Name: MoveToFolder, Value: Archive}]}
";

fn lint(text: &str) -> Vec<Finding> {
    let mut linter = Linter::new();
    linter.file("folder/m365_inbox_rule.yml", text.as_bytes());
    linter.finish()
}

/// Replaces `from` in the good rule, and expects exactly one finding.
#[track_caller]
fn check(from: &str, to: &str, expected: (Level, &str, Option<usize>)) {
    assert!(GOOD.contains(from), "{from}");
    let findings = lint(&GOOD.replacen(from, to, 1));
    let found: Vec<_> = findings
        .iter()
        .map(|finding| (finding.level, finding.check, finding.line))
        .collect();
    assert_eq!(found, [expected], "{to}: {findings:#?}");
    assert!(findings.iter().all(|finding| !finding.fix.is_empty()));
}

#[test]
fn a_good_rule_has_no_findings() {
    assert_eq!(lint(GOOD), []);
}

#[test]
fn finds_faults_of_keys() {
    use Level::{Error, Notice, Warning};
    check(
        "status: experimental",
        "status: tested",
        (Error, "key-form", Some(4)),
    );
    check(
        "level: medium",
        "level: [medium]",
        (Error, "key-form", Some(24)),
    );
    check("2026-02-03", "2026/02/03", (Error, "key-form", Some(6)));
    check(
        "2026-03-01",
        "2026-01-01",
        (Warning, "modified-early", Some(7)),
    );
    check("modified:", "modifed:", (Warning, "key-unknown", Some(7)));
    check("-4f6e-", "-1f6e-", (Error, "id-form", Some(2)));
    check(
        "deletes mail\n",
        "deletes mail.\n",
        (Notice, "title-period", Some(1)),
    );
    check(
        "date:",
        "taxonomy: ecs\ndate:",
        (Warning, "taxonomy", Some(6)),
    );
    check(
        "blind_spots:\n    - rules that Ternary makes\n",
        "",
        (Error, "key-missing", Some(1)),
    );
    check("alerts: 0", "alerts: 1", (Error, "case-missing", Some(29)));
    check(
        "/a\n",
        "/a\n    - https://example.test/a\n",
        (Warning, "entry-twice", Some(9)),
    );
}

#[test]
fn finds_faults_of_tags() {
    use Level::{Error, Notice, Warning};
    check(
        "attack.stealth",
        "attack.stealthy",
        (Error, "tag-unknown", Some(11)),
    );
    check(
        "attack.t1564.008",
        "attack.t15648",
        (Error, "tag-unknown", Some(12)),
    );
    check(
        "attack.t1564.008",
        "tlp.purple",
        (Error, "tag-unknown", Some(12)),
    );
    check(
        "attack.t1564.008",
        "attack.stealth",
        (Warning, "tag-twice", Some(11)),
    );
    check(
        "attack.stealth",
        "attack.defense_evasion",
        (Notice, "tag-form", Some(11)),
    );
}

#[test]
fn both_vocabularies_of_attack_and_every_namespace_are_known() {
    for tag in [
        "attack.defense-evasion",
        "attack.defense-impairment",
        "attack.g0007",
        "attack.ds0026",
        "car.2016-04-005",
        "cve.2021-44228",
        "d3fend.d3-am",
        "detection.threat-hunting",
        "stp.3k",
        "tlp.amber-strict",
    ] {
        assert_eq!(lint(&GOOD.replacen("attack.stealth", tag, 1)), [], "{tag}");
    }
}

#[test]
fn finds_faults_of_detections() {
    use Level::{Error, Notice, Warning};
    check(
        "cmdlet and deletes",
        "cmdlet",
        (Warning, "detection-unused", Some(19)),
    );
    check(
        "cmdlet and deletes",
        "cmdlet and deletes and delete",
        (Error, "refused", Some(21)),
    );
    check(
        "Operation: New-InboxRule\n",
        "Operation: [new-inboxrule, New-InboxRule]\n",
        (Warning, "value-twice", Some(18)),
    );
    check(
        "Operation: New-InboxRule\n",
        "Operation|re: '^.*InboxRule$'\n",
        (Notice, "regex-anchored", Some(18)),
    );
    check(
        "Operation: New-InboxRule\n",
        "Operation|re: InboxRule\n",
        (Notice, "regex-plain", Some(18)),
    );
    check(
        "Operation: New-InboxRule\n",
        "Operation|re: '(a+'\n",
        (Error, "refused", Some(18)),
    );
    check(
        "Operation: New-InboxRule\n",
        "Operation|contains: '*Inbox'\n",
        (Notice, "wildcard-needless", Some(18)),
    );
    check(
        "Operation: New-InboxRule\n",
        "Operation|contains: [Rule, InboxRule]\n",
        (Notice, "value-covered", Some(18)),
    );
    check(
        "Operation: New-InboxRule\n",
        "Operation|contains|all: Inbox\n",
        (Error, "refused", Some(18)),
    );
    check(
        "        Operation: New-InboxRule\n",
        "        \u{41e}peration: New-InboxRule\n",
        (Error, "refused", Some(18)),
    );
    check(
        "service: exchange",
        "service: toaster",
        (Error, "refused", Some(13)),
    );
    check("label: 9001", "label: nine", (Error, "refused", Some(3)));
}

#[test]
fn ids_and_titles_are_unique_among_files() {
    let mut linter = Linter::new();
    linter.file("first_rule_file.yml", GOOD.as_bytes());
    linter.file("second_rule_file.yml", GOOD.as_bytes());
    let found: Vec<_> = linter
        .finish()
        .into_iter()
        .map(|finding| (finding.file, finding.line, finding.check))
        .collect();
    let of_second = |line, check| ("second_rule_file.yml".to_owned(), Some(line), check);
    assert_eq!(
        found,
        [of_second(1, "title-taken"), of_second(2, "refused")]
    );
}

#[test]
fn a_file_of_any_bytes_gets_findings_and_no_panic() {
    let mut linter = Linter::new();
    linter.file("Bad Name.yaml", b"\xff\xfe");
    linter.file("not_yaml_at_all.yml", b"a: [\n---\n--- \n- x");
    linter.file("large_file_name.yml", &vec![b'a'; 300_000]);
    let findings = linter.finish();
    let files: Vec<_> = findings
        .iter()
        .filter(|finding| finding.check == "refused")
        .map(|finding| finding.file.as_str())
        .collect();
    assert_eq!(
        files,
        [
            "Bad Name.yaml",
            "large_file_name.yml",
            "not_yaml_at_all.yml"
        ]
    );
    assert!(findings.iter().any(|finding| finding.check == "file-name"));
}
