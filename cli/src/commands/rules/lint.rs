//! `vedette rules lint`: what is wrong with rule files, where, and how to mend it.

use std::io::Write as _;
use std::path::PathBuf;

use clap::Args;
use schemas::environment::{Clock as _, SystemClock};
use sigma::metadata::Day;
use sigma::tools::lint::{Finding, Level, Linter};

use super::files;
use super::files::rule_files;
use crate::config::Config;
use crate::output::junit::{self, Case, Suite};
use crate::output::{self, Cell, CheckForm, Table, Tone, Verdict, inert};

pub(crate) const EXAMPLES: &str = "\
Levels: error (the rule does not run, or is not what it must be), warning (it does not do what its author meant),
notice (it could be said more simply). Rules with a label of ours must also say what to check first, what they
cannot see, and bring cases.

Examples:
  vedette rules lint                          the rules that run
  vedette rules lint rules/ other/rule.yml
  vedette rules lint rules/ --output json | jq -r 'select(.level == \"error\") | .file'

Exit code 1 if there is an error, or no rule file at all.";

/// Checks rule files.
#[derive(Debug, Args)]
pub(crate) struct Lint {
    /// Files and folders; without any, the rules that run.
    #[arg(value_name = "PATH")]
    paths: Vec<PathBuf>,
    /// Form of the report.
    #[arg(long, short, value_enum, default_value_t = CheckForm::Table)]
    output: CheckForm,
}

impl Lint {
    pub(super) fn run(self, config: &Config) -> anyhow::Result<Verdict> {
        let files = rule_files(&self.paths, &config.detect())?;
        let names: Vec<String> = files.iter().map(|file| file.name.clone()).collect();
        let findings = lint(files);
        let mut out = output::stdout();
        match self.output {
            CheckForm::Table => {
                if !findings.is_empty() {
                    out.table(&table(&findings))?;
                }
                writeln!(out, "{}", summary(names.len(), &findings))?;
            }
            CheckForm::Json => {
                for finding in &findings {
                    out.json(finding)?;
                }
            }
            CheckForm::Junit => {
                let suites = suites(&names, &findings);
                junit::write(&mut out, "vedette rules lint", &suites)?;
            }
        }
        if names.is_empty() {
            let places: Vec<String> = self
                .paths
                .iter()
                .map(|path| path.display().to_string())
                .collect();
            let place = if places.is_empty() {
                "what detect.rules names".to_owned()
            } else {
                places.join(", ")
            };
            let why = "no rule was checked: there is no rule file (.yml, .yaml) in";
            writeln!(output::stderr(), "{why} {place}")?;
            return Ok(Verdict::Findings);
        }
        let has_error = findings.iter().any(|finding| finding.level == Level::Error);
        Ok(if has_error {
            Verdict::Findings
        } else {
            Verdict::Done
        })
    }
}

fn lint(files: Vec<files::RuleFile>) -> Vec<Finding> {
    let mut linter = Linter::on(Day::of_us(SystemClock.now_us()));
    for file in files {
        match file.bytes {
            Ok(bytes) => linter.file(&file.name, &bytes),
            Err(cause) => linter.unreadable(&file.name, cause),
        }
    }
    linter.finish()
}

fn place(finding: &Finding) -> String {
    match finding.line {
        Some(line) => format!("{}:{line}", finding.file),
        None => finding.file.clone(),
    }
}

fn table(findings: &[Finding]) -> Table {
    let mut table = Table::new(["where", "level", "what", "how to mend it"]);
    for finding in findings {
        let tone = match finding.level {
            Level::Error => Tone::Bad,
            Level::Warning => Tone::Doubtful,
            Level::Notice => Tone::Remark,
        };
        table.row([
            Cell::new(place(finding)),
            Cell::new(finding.level.as_str()).toned(tone),
            Cell::new(format!("{} [{}]", inert(&finding.what), finding.check)),
            Cell::new(&finding.fix),
        ]);
    }
    table
}

fn summary(files: usize, findings: &[Finding]) -> String {
    let count = |level| {
        findings
            .iter()
            .filter(|finding| finding.level == level)
            .count()
    };
    format!(
        "{files} files: {} errors, {} warnings, {} notices",
        count(Level::Error),
        count(Level::Warning),
        count(Level::Notice)
    )
}

/// A file is a suite with one test: that it has no errors.
fn suites(names: &[String], findings: &[Finding]) -> Vec<Suite> {
    let suite = |name: &String| {
        let errors: Vec<String> = findings
            .iter()
            .filter(|finding| finding.file == *name && finding.level == Level::Error)
            .map(|finding| format!("{}: {}; {}", place(finding), finding.what, finding.fix))
            .collect();
        let failure = errors
            .first()
            .map(|first| (first.clone(), errors.join("\n")));
        Suite {
            name: name.clone(),
            cases: vec![Case {
                name: "lint".to_owned(),
                failure,
            }],
        }
    };
    names.iter().map(suite).collect()
}
