//! `vedette rules test`: the cases beside each rule, and for each that fails why.

use std::io::Write;
use std::path::PathBuf;

use clap::Args;
use schemas::wire::Event;
use serde_json::json;
use sigma::collection::cases::{CaseFailure, TENANT, check_cases_with, check_correlation};
use sigma::correlation::Correlation;
use sigma::metadata::Case;
use sigma::tools::explain::explain;
use sigma::{Rule, RuleCollection, Ruleset};

use super::files::{load_for_cases, rule_files};
use crate::config::Config;
use crate::output::junit::{self, Suite};
use crate::output::{self, CheckForm, Printer, Tone, Verdict, inert, plain, write_tree};

pub(crate) const EXAMPLES: &str = "\
A rule brings records that it must find and near misses that it must not, under its key \"cases\":
  cases:
    - {name: forwards outside, alerts: 1, event: {Operation: New-InboxRule, …}}
    - name: ten wrong passwords            # over time: correlations, first_seen, travel, suppress
      alerts: 1
      events: [{table: signins, at: 0s, times: 10, every: 20s, event: {resultType: '50126', … '{n}' …}}]

Examples:
  vedette rules test                          the rules that run
  vedette rules test rules/m365_inbox_rule_forwards.yml
  vedette rules test rules/ --output junit > cases.xml

Exit code 1 if a case does not come out as it says, or a file is refused.";

/// Runs the cases beside each rule.
#[derive(Debug, Args)]
pub(crate) struct Test {
    /// Files and folders; without any, the rules that run.
    #[arg(value_name = "PATH")]
    paths: Vec<PathBuf>,
    /// Form of the report.
    #[arg(long, short, value_enum, default_value_t = CheckForm::Table)]
    output: CheckForm,
}

/// What became of the cases of a rule or correlation.
struct RuleOutcome<'a> {
    file: &'a str,
    label: &'a str,
    title: &'a str,
    /// The rule; none for a correlation.
    rule: Option<&'a Rule>,
    results: Vec<CaseOutcome<'a>>,
}

/// What became of a case.
struct CaseOutcome<'a> {
    name: String,
    expected: u8,
    /// The case; none if the rule lacks one.
    case: Option<&'a Case>,
    /// What was found instead.
    failure: Option<String>,
}

impl Test {
    pub(super) fn run(self, config: &Config) -> anyhow::Result<Verdict> {
        let detect = config.detect();
        let (collection, rules) = load_for_cases(rule_files(&self.paths, &detect)?, &detect);
        let of_rules = collection.loaded.iter();
        let of_rules = of_rules.filter_map(|rule| of_rule(rule, &collection));
        let correlations = rules.correlations().iter();
        let of_correlations = correlations.filter_map(|one| of_correlation(one, &rules));
        let outcomes: Vec<RuleOutcome<'_>> = of_rules.chain(of_correlations).collect();
        match self.output {
            CheckForm::Table => print(&collection, &outcomes)?,
            CheckForm::Json => print_json(&collection, &outcomes)?,
            CheckForm::Junit => {
                let suites = suites(&collection, &outcomes);
                junit::write(&mut output::stdout(), "vedette rules test", &suites)?;
            }
        }
        let failed = outcomes.iter().flat_map(|outcome| &outcome.results);
        let is_clean =
            collection.rejected.is_empty() && failed.clone().all(|case| case.failure.is_none());
        Ok(if is_clean {
            Verdict::Done
        } else {
            Verdict::Findings
        })
    }
}

/// Runs the cases of a rule; none for rules of others, and for those that are only counted, which have none.
fn of_rule<'a>(rule: &'a Rule, collection: &RuleCollection) -> Option<RuleOutcome<'a>> {
    let is_ours = rule.sigma.custom_attributes.contains_key("label");
    if rule.cases.is_empty() && !is_ours {
        return None;
    }
    let failures = check_cases_with(rule, &collection.user_mapping);
    Some(RuleOutcome {
        file: &rule.file,
        label: &rule.label,
        title: &rule.sigma.title,
        rule: Some(rule),
        results: results(&rule.cases, failures),
    })
}

/// Runs the cases of a correlation; none for those of others, which have none.
fn of_correlation<'a>(one: &'a Correlation, rules: &Ruleset) -> Option<RuleOutcome<'a>> {
    let is_ours = one.sigma.custom_attributes.contains_key("label");
    if one.cases.is_empty() && !is_ours {
        return None;
    }
    Some(RuleOutcome {
        file: &one.file,
        label: &one.label,
        title: &one.sigma.title,
        rule: None,
        results: results(&one.cases, check_correlation(one, rules)),
    })
}

fn results(cases: &[Case], mut failures: Vec<CaseFailure>) -> Vec<CaseOutcome<'_>> {
    let mut results = Vec::new();
    for case in cases {
        let at = failures
            .iter()
            .position(|failure| failure.case == case.name && failure.expected == case.alerts);
        results.push(CaseOutcome {
            name: case.name.clone(),
            expected: case.alerts,
            case: Some(case),
            failure: at.map(|at| failures.remove(at).found),
        });
    }
    results.extend(failures.into_iter().map(|failure| CaseOutcome {
        name: failure.case,
        expected: failure.expected,
        case: None,
        failure: Some(failure.found),
    }));
    results
}

fn print(collection: &RuleCollection, outcomes: &[RuleOutcome<'_>]) -> anyhow::Result<()> {
    let mut out = output::stdout();
    let (mut passed, mut failed) = (0, 0);
    for outcome in outcomes {
        let failures = outcome.results.iter().filter(|case| case.failure.is_some());
        let failures: Vec<&CaseOutcome<'_>> = failures.collect();
        failed += failures.len();
        passed += outcome.results.len() - failures.len();
        let (label, title) = (inert(outcome.label), inert(outcome.title));
        out.line(&[
            Tone::mark(failures.is_empty()),
            plain(format!(" {label:<16} {title:<52} ")),
            Tone::Faint.of(format!("{} cases", outcome.results.len())),
        ])?;
        for case in failures {
            print_failure(&mut out, collection, outcome, case)?;
        }
    }
    for rejected in &collection.rejected {
        let why = plain(format!(" {}", inert(&rejected.to_string())));
        out.line(&[Tone::mark(false), why])?;
    }
    let tested = outcomes.iter().filter(|outcome| outcome.rule.is_some());
    let without = collection.loaded.len() - tested.count();
    writeln!(
        out,
        "{} rules: {passed} cases passed, {failed} failed; {} files refused; {without} rules, counted only or of others, have no cases",
        outcomes.len(),
        collection.rejected.len()
    )?;
    Ok(())
}

fn print_failure(
    out: &mut Printer<impl Write>,
    collection: &RuleCollection,
    outcome: &RuleOutcome<'_>,
    case: &CaseOutcome<'_>,
) -> anyhow::Result<()> {
    let found = case.failure.as_deref().unwrap_or_default();
    writeln!(
        out,
        "    {}: case \"{}\" expects {} alerts, {}",
        inert(outcome.file),
        inert(&case.name),
        case.expected,
        inert(found)
    )?;
    // One record explains itself; several are a story that the case tells.
    let (Some(case), Some(rule)) = (case.case, outcome.rule) else {
        return Ok(());
    };
    if !case.events.is_empty() {
        return Ok(());
    }
    let event = Event {
        event_id: case.name.clone(),
        tenant_id: TENANT.to_owned(),
        raw: case.event.to_string().into(),
        ..Event::default()
    };
    // A rule that is refused said so above.
    if let Ok(explanation) = explain(rule, &collection.user_mapping, &event) {
        write_tree(out, "    ", &explanation)?;
    }
    Ok(())
}

fn print_json(collection: &RuleCollection, outcomes: &[RuleOutcome<'_>]) -> anyhow::Result<()> {
    let mut out = output::stdout();
    for outcome in outcomes {
        for case in &outcome.results {
            let line = json!({
                "file": outcome.file,
                "rule": outcome.label,
                "case": case.name,
                "expected": case.expected,
                "passed": case.failure.is_none(),
                "found": case.failure,
            });
            out.json(&line)?;
        }
    }
    for rejected in &collection.rejected {
        let line = json!({"file": rejected.file, "passed": false, "found": rejected.to_string()});
        out.json(&line)?;
    }
    Ok(())
}

fn suites(collection: &RuleCollection, outcomes: &[RuleOutcome<'_>]) -> Vec<Suite> {
    let of_rule = outcomes.iter().map(|outcome| Suite {
        name: outcome.file.to_owned(),
        cases: outcome
            .results
            .iter()
            .map(|case| junit::Case {
                name: case.name.clone(),
                failure: case.failure.as_ref().map(|found| {
                    let message = format!("expects {} alerts, {found}", case.expected);
                    (message.clone(), message)
                }),
            })
            .collect(),
    });
    let refused = collection.rejected.iter().map(|rejected| Suite {
        name: rejected.file.clone(),
        cases: vec![junit::Case {
            name: "loads".to_owned(),
            failure: Some((rejected.reason.to_string(), rejected.to_string())),
        }],
    });
    of_rule.chain(refused).collect()
}
