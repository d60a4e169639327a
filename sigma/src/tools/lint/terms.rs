//! The terms of filters: who answers for each, why it is there, and whether its last day has passed.

use yaml_serde::Value;

use super::document::LintDocument;
use super::finding::Level::Warning;
use super::finding::Notes;
use crate::metadata::Day;

/// What a filter should say of itself.
const WANTED: &[(&str, &str)] = &[
    (
        "owner",
        "say who answers for it: owner: somebody@example.test",
    ),
    ("reason", "say why what it leaves out is harmless"),
    (
        "expires",
        "give its last day, for example three months from now: expires: YYYY-MM-DD",
    ),
];

/// Looks at the terms of a filter; no filter comes with the binary, so each is a tenant's own.
pub(super) fn check(document: &LintDocument<'_>, today: Option<Day>, notes: &mut Notes<'_>) {
    if document.value.get("filter").is_none() {
        return;
    }
    for (key, fix) in WANTED {
        let is_said = match document.value.get(key) {
            None | Some(Value::Null) => false,
            Some(Value::String(text)) => !text.trim().is_empty(),
            // What has another form was refused.
            Some(_) => true,
        };
        if !is_said {
            notes.add(
                (Warning, "filter-terms"),
                document.line_of(&[key]).or(document.line_of(&["title"])),
                format!("filter has no {key}"),
                *fix,
            );
        }
    }
    let last = document.text_of("expires").and_then(Day::parse);
    if let (Some(last), Some(today)) = (last, today)
        && last < today
    {
        notes.add(
            (Warning, "filter-expired"),
            document.line_of(&["expires"]),
            format!("filter ended with {last} and is no longer applied"),
            "look again at what it left out: give it a new day, or take the filter away",
        );
    }
}

#[cfg(test)]
mod tests {
    use crate::metadata::Day;
    use crate::tools::lint::{Finding, Level, Linter};

    const GOOD: &str = "\
title: Backups read mail
id: 0b1c9f3e-52a7-4f6e-8a2b-7f8f8a3f9d10
logsource:
    product: m365
filter:
    rules:
        - 5c4a0c1e-0000-4000-8000-000000000001
    selection:
        UserId: backup@contoso.test
    condition: not selection
owner: ada@contoso.test
reason: the backup signs in from the same address every night
expires: 2026-11-21
";

    fn lint(text: &str, today: Option<&str>) -> Vec<Finding> {
        let today = today.and_then(Day::parse);
        let mut linter = today.map_or_else(Linter::new, Linter::on);
        linter.file("tuning/backups_read_mail.yml", text.as_bytes());
        linter.finish()
    }

    #[track_caller]
    fn check(from: &str, to: &str, expected: (Level, &str, Option<usize>)) {
        assert!(GOOD.contains(from), "{from}");
        let findings = lint(&GOOD.replacen(from, to, 1), Some("2026-11-21"));
        let found: Vec<_> = findings
            .iter()
            .map(|finding| (finding.level, finding.check, finding.line))
            .collect();
        assert_eq!(found, [expected], "{to}: {findings:#?}");
    }

    #[test]
    fn a_filter_says_who_answers_for_it_and_until_when() {
        use Level::{Error, Warning};
        assert_eq!(lint(GOOD, Some("2026-11-21")), []);
        assert_eq!(lint(GOOD, None), []);
        check(
            "owner: ada@contoso.test\n",
            "",
            (Warning, "filter-terms", Some(1)),
        );
        check(
            "the backup signs in from the same address every night",
            "''",
            (Warning, "filter-terms", Some(12)),
        );
        check(
            "expires: 2026-11-21\n",
            "",
            (Warning, "filter-terms", Some(1)),
        );
        check(
            "2026-11-21",
            "2026-11-20",
            (Warning, "filter-expired", Some(13)),
        );
        for wrong in [
            "2026-11-31",
            "21.11.2026",
            "soon",
            "20261121",
            "[2026-11-21]",
        ] {
            check("2026-11-21", wrong, (Error, "refused", Some(13)));
        }
        check(
            "ada@contoso.test",
            "[ada, eve]",
            (Error, "refused", Some(11)),
        );
        let slip = lint(&GOOD.replace("expires:", "expire:"), None);
        assert!(slip.iter().any(|one| one.fix.contains("\"expires\"")));
    }

    #[test]
    fn a_rules_suppression_is_a_known_key() {
        let rule = "\
title: Mail is read
id: 0b1c9f3e-52a7-4f6e-8a2b-7f8f8a3f9d10
status: test
description: Somebody reads mail.
level: low
logsource:
    product: m365
detection:
    s:
        UserId: x
    condition: s
suppress:
    by:
        - UserId
    for: 1h
";
        assert_eq!(lint(rule, None), []);
        let findings = lint(&rule.replace("1h", "1 hour"), None);
        assert_eq!(findings.len(), 1, "{findings:#?}");
        assert_eq!(findings[0].line, Some(12));
        assert!(findings[0].fix.contains("by"), "{findings:#?}");
    }
}
