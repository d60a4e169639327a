//! `vedette rules`: what people who write rules need: which run, what is wrong with them, what they find and why.

mod backtest;
mod coverage;
mod egress;
mod explain;
mod files;
mod impact;
mod lint;
mod list;
mod missing;
mod test;
mod tune;

use clap::Subcommand;

use crate::config::Config;
use crate::output::Verdict;

const EXAMPLES: &str = "\
Examples:
  vedette rules list                                  exit code 1 if a rule was refused or a filter has ended, with the file
  vedette rules lint rules/ --output junit > lint.xml
  vedette rules test rules/m365_inbox_rule_forwards.yml
  vedette rules explain event.json SAAS-M365-00002    why it matches, or why not
  vedette rules coverage --navigator layer.json
  vedette rules backtest --days 30                    what each rule finds in the lake, and what it costs
  vedette rules tune f4993d4c                         filters for what an alert is about
  vedette rules egress                                addresses that many people share, for rules about places
  vedette rules impact /tmp/base/rules                what a change of rules would have done to the alerts

Without PATH, commands look at the rules that run: those of the binary and the folders of detect.rules.";

/// Looks at rules.
#[derive(Debug, Subcommand)]
#[command(after_help = EXAMPLES)]
pub(crate) enum Rules {
    /// List the rules that run, and those that were refused.
    List,
    /// Check rule files: syntax, schema, ids, tags, detections.
    #[command(after_help = lint::EXAMPLES)]
    Lint(lint::Lint),
    /// Run the cases beside each rule.
    #[command(after_help = test::EXAMPLES)]
    Test(test::Test),
    /// Show part by part why a rule matches an event, or does not.
    #[command(after_help = explain::EXAMPLES)]
    Explain(explain::Explain),
    /// Say which rules can fire, and which ATT&CK techniques they cover.
    #[command(after_help = coverage::EXAMPLES)]
    Coverage(coverage::Coverage),
    /// Evaluate rules over the lake: hits by day, accounts and addresses, and what each rule costs.
    #[command(after_help = backtest::EXAMPLES)]
    Backtest(backtest::Backtest),
    /// Propose filters that leave out what an alert is about, and say what else each would hide.
    #[command(after_help = tune::EXAMPLES)]
    Tune(tune::Tune),
    /// Propose a tenant's own ways out: addresses from which many accounts have signed in for long.
    #[command(after_help = egress::EXAMPLES)]
    Egress(egress::Egress),
    /// Compare the rules with others over the lake: alerts gained and lost, cases, cost.
    #[command(after_help = impact::EXAMPLES)]
    Impact(impact::Impact),
}

impl Rules {
    /// Does it.
    pub(crate) fn run(self, config: &Config) -> anyhow::Result<Verdict> {
        match self {
            Self::List => list::list(config),
            Self::Lint(lint) => lint.run(config),
            Self::Test(test) => test.run(config),
            Self::Explain(explain) => explain.run(config),
            Self::Coverage(coverage) => coverage.run(config),
            Self::Backtest(backtest) => backtest.run(config),
            Self::Tune(tune) => tune.run(config),
            Self::Egress(egress) => egress.run(config),
            Self::Impact(impact) => impact.run(config),
        }
    }
}
