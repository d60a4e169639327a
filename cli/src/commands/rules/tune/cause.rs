//! What an alert rests on that a filter can leave out: an event, and the rule that it matches.
//!
//! A filter changes rules about events. An alert of a correlation is tuned by one of the rules that it counts.

use std::collections::BTreeSet;

use anyhow::Context as _;
use detect::reproduce::reproduce;
use lake::Lake;
use schemas::wire::{Alert, Event};
use sigma::correlation::{Correlation, Referred};
use sigma::filter::terms::Terms;
use sigma::tools::tuning::{TuneError, Tuning, propose};
use sigma::{Rule, RuleCollection, Ruleset};

use crate::output::inert;

/// A rule, and what can be proposed for an event that it matches.
pub(super) struct Cause {
    /// The rule as it runs, with filters, pipelines and placeholders in it.
    pub(super) rule: Rule,
    /// What a filter of it can leave out.
    pub(super) tuning: Tuning,
    /// True if one event is not an alert by itself: the rule's matches are counted.
    pub(super) is_counted: bool,
    /// What a person must know of a correlation's rule, inert; none where the alert is the rule's own.
    pub(super) told: Option<String>,
}

/// The rules and correlations that run.
pub(super) struct Running<'a> {
    pub(super) collection: &'a RuleCollection,
    pub(super) rules: &'a Ruleset,
}

impl Running<'_> {
    /// The rule behind an alert, and the first of its events that the lake still has and that the rule matches.
    pub(super) async fn cause(
        &self,
        lake: &Lake,
        alert: &mut Alert,
        terms: &Terms,
        now_us: i64,
    ) -> anyhow::Result<Cause> {
        let correlations = &self.collection.correlations;
        let correlation = correlations.iter().find(|one| one.id == alert.rule_id);
        let bases = match (self.rule(&alert.rule_id), correlation) {
            (Some(rule), _) => vec![rule],
            (None, Some(correlation)) => self.bases(correlation),
            (None, None) => anyhow::bail!(
                "no rule that runs has raised alert {}: it is Microsoft's own, or its rule was taken away or refused; \
                 `vedette rules list` shows what runs",
                inert(&alert.alert_id)
            ),
        };
        let evidence = std::mem::take(&mut alert.evidence);
        let names = (alert.alert_id.as_str(), alert.tenant_id.as_str());
        let all = reproduce(self.rules, lake, names, evidence, now_us).await?;
        let events: Vec<(String, Event)> = all
            .into_iter()
            .filter_map(|one| Some((one.evidence.table, one.event?)))
            .collect();
        anyhow::ensure!(
            !events.is_empty(),
            "the lake no longer has an event of alert {}",
            inert(&alert.alert_id)
        );
        for (table, event) in &events {
            for rule in bases.iter().filter(|rule| rule.table.name() == table) {
                match propose(rule, event, &self.collection.user_mapping, terms) {
                    Err(TuneError::NoMatch) => {}
                    tuning => {
                        let tuning =
                            tuning.with_context(|| format!("cannot tune {}", inert(&rule.file)))?;
                        return Ok(Cause {
                            is_counted: correlation.is_some() || rule.own_correlation.is_some(),
                            told: correlation.map(|correlation| of_rule(correlation, rule)),
                            tuning,
                            rule: rule.clone(),
                        });
                    }
                }
            }
        }
        match correlation {
            None => anyhow::bail!(
                "{} as it runs now does not match the event: it has changed, or a filter leaves it out already",
                inert(&alert.label)
            ),
            Some(_) => anyhow::bail!(
                "{} is a correlation, and a filter can only leave out events of the rules that it counts: none of \
                 them as they run now matches an event of the alert that the lake still has",
                inert(&alert.label)
            ),
        }
    }

    /// A rule as it runs; none if it does not.
    fn rule(&self, id: &str) -> Option<Rule> {
        let is_it = |rule: &&Rule| rule.id == id;
        let mut rule = self.rules.rules().iter().find(is_it)?.clone();
        let as_written = self.collection.loaded.iter().find(is_it)?;
        // Filters are compared with the log source that a rule was written for, before pipelines change it.
        rule.sigma.logsource = as_written.sigma.logsource.clone();
        Some(rule)
    }

    /// The rules that a correlation counts, by itself and by the correlations that it refers to.
    fn bases(&self, correlation: &Correlation) -> Vec<Rule> {
        let mut known: BTreeSet<&str> = BTreeSet::new();
        let mut waiting: Vec<&Referred> = correlation.rules.iter().rev().collect();
        let mut bases = Vec::new();
        while let Some(referred) = waiting.pop() {
            match referred {
                Referred::Rule(id) if known.insert(id) => bases.extend(self.rule(id)),
                Referred::Correlation(id) if known.insert(id) => {
                    let mut all = self.collection.correlations.iter();
                    let found = all.find(|one| {
                        one.id == *id
                            || one.sigma.name.as_ref() == Some(id)
                            || one.sigma.title == *id
                    });
                    waiting.extend(found.into_iter().flat_map(|one| one.rules.iter().rev()));
                }
                _ => {}
            }
        }
        bases
    }
}

fn of_rule(correlation: &Correlation, rule: &Rule) -> String {
    format!(
        "{} is a correlation, and filters are for rules: these leave out events of {} \"{}\", one of the rules that it \
         counts",
        inert(&correlation.label),
        inert(&rule.label),
        inert(&rule.sigma.title)
    )
}
