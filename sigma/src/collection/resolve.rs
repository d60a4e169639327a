//! What files mean for each other, worked out when all are read: filters, then pipelines, then placeholders.

use rsigma_parser::SigmaRule;

use super::link::link;
use super::load::RuleCollection;
use super::rule::Rule;
use crate::error::RuleError;
use crate::filter::{self, Expired, Filter};
use crate::mapping::{Mapping, logsource};
use crate::plan::Plan;

impl RuleCollection {
    /// The rules as they are to be compiled, in the order of [`Self::loaded`]; what cannot stand is rejected.
    pub(crate) fn resolve(&mut self) -> Vec<Rule> {
        self.pipelines.sort_by_key(|pipeline| pipeline.priority);
        self.bring_home();
        self.retire_filters();
        self.check_filters();
        let mut resolved = Vec::with_capacity(self.loaded.len());
        let mut refused = Vec::new();
        for rule in &self.loaded {
            match self.resolved(rule) {
                Ok(rule) => resolved.push(rule),
                Err(refusal) => refused.push((rule.clone(), refusal)),
            }
        }
        for (rule, refusal) in refused {
            self.refuse(&rule, refusal);
        }
        for (refused, reason) in link(&mut self.correlations, &self.loaded) {
            let line = refused.source.line_of_refusal(&reason);
            self.reject(&refused.file, line, reason);
        }
        resolved
    }

    fn resolved(&self, rule: &Rule) -> Result<Rule, RuleError> {
        let mut sigma = rule.sigma.clone();
        let filters = self.filters.iter().enumerate();
        for (number, one) in filters.filter(|(_, one)| filter::applies(&one.sigma, &rule.sigma)) {
            filter::add(&one.sigma, number, &mut sigma);
        }
        let sigma = self.finished(sigma)?;
        Ok(Rule {
            table: logsource::table(&self.user_mapping, &sigma.logsource)?,
            sigma,
            ..rule.clone()
        })
    }

    /// A rule as pipelines and placeholders leave it.
    fn finished(&self, mut sigma: SigmaRule) -> Result<SigmaRule, RuleError> {
        for pipeline in &self.pipelines {
            sigma = pipeline.apply(sigma)?;
        }
        sigma.detection = self.placeholders.expand(&sigma.detection)?;
        Ok(sigma)
    }

    /// Rules of log sources that only pipelines know.
    fn bring_home(&mut self) {
        if self.pipelines.is_empty() {
            return;
        }
        for (file, line, sigma, source) in std::mem::take(&mut self.homeless) {
            let Ok(logsource) = self.finished(sigma.clone()).map(|sigma| sigma.logsource) else {
                continue;
            };
            let found = logsource::table(&self.user_mapping, &logsource)
                .and_then(|table| Rule::of_table(&file, sigma, table))
                .and_then(|rule| self.distinct(rule));
            if let Ok(rule) = found {
                self.rejected
                    .retain(|known| known.file != file || known.line != Some(line));
                self.loaded.push(Rule { source, ..rule });
            }
        }
    }

    /// Takes out filters whose last day has passed, and says so: what they left out alerts again from now on.
    fn retire_filters(&mut self) {
        let today = self.today;
        for one in self
            .filters
            .extract_if(.., |one| one.terms.have_ended(today))
        {
            let one = Expired(one);
            tracing::warn!("{one}");
            self.expired.push(one);
        }
    }

    /// Takes out filters that cannot be honoured: a broken exclusion must not silence its rules.
    fn check_filters(&mut self) {
        for one in std::mem::take(&mut self.filters) {
            match self.check_filter(&one) {
                Ok(()) => self.filters.push(one),
                Err(reason) => {
                    let line = one.source.line_of_refusal(&reason).unwrap_or(one.line);
                    self.reject(&one.file, Some(line), reason);
                    continue;
                }
            }
            let Some(one) = self.filters.last() else {
                continue;
            };
            let unknown = filter::wanted(&one.sigma).iter().find(|name| {
                let mut rules = self.loaded.iter();
                !rules.any(|rule| filter::is_called(&rule.sigma, name))
            });
            if let Some(name) = unknown {
                let reason = RuleError::UnknownRule { name: name.clone() };
                let line = one.source.line_of_refusal(&reason).unwrap_or(one.line);
                let file = one.file.clone();
                self.reject(&file, Some(line), reason);
            }
        }
    }

    /// Compiles a filter alone, for a rule of each log source that it is about.
    fn check_filter(&self, one: &Filter) -> Result<(), RuleError> {
        let mut tables = Vec::new();
        for rule in self
            .loaded
            .iter()
            .filter(|rule| filter::applies(&one.sigma, &rule.sigma))
        {
            if tables.contains(&rule.table) {
                continue;
            }
            tables.push(rule.table);
            let alone = self.finished(filter::alone(&one.sigma, &rule.sigma))?;
            let (_, refused) =
                Plan::extended(Mapping::Lake(rule.table), &self.user_mapping, [(0, &alone)]);
            if let Some((_, refusal)) = refused.into_iter().next() {
                return Err(refusal);
            }
        }
        Ok(())
    }
}
