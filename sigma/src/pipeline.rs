//! Processing pipelines as pySigma reads them: rules changed to fit the fields and log sources of a place.
//!
//! What has a meaning only for queries of another system (`postprocessing`, `finalizers`, query expressions) is
//! refused by its name. Source: pySigma 2.0's documentation of processing pipelines.

mod change;
mod conditions;
mod read;
mod transformation;

use std::collections::BTreeMap;

use rsigma_parser::{DetectionItem, SigmaRule};

use self::conditions::{Conditions, FieldCondition, ItemCondition, RuleCondition, State};
use self::transformation::Transformation;
use crate::error::RuleError;
use crate::expression::rewrite::{self, Rewrite};

/// Most pipelines.
pub(crate) const PIPELINES_MAX: usize = 100;

/// Most transformations in one pipeline.
pub(crate) const TRANSFORMATIONS_MAX: usize = 1_000;

/// A pipeline, read and checked.
#[derive(Debug, Clone)]
pub(crate) struct Pipeline {
    /// Its name.
    pub name: String,
    /// Pipelines with lower ones go first.
    pub priority: i64,
    vars: BTreeMap<String, Vec<String>>,
    steps: Vec<Step>,
}

/// One step of a pipeline, and when it is taken.
#[derive(Debug, Clone)]
struct Step {
    id: Option<String>,
    transformation: Transformation,
    for_rule: Conditions<RuleCondition>,
    for_item: Conditions<ItemCondition>,
    for_field: Conditions<FieldCondition>,
}

impl Pipeline {
    /// The rule as the pipeline leaves it.
    ///
    /// # Errors
    /// [`RuleError`] if the pipeline says so, or if what it does to the rule cannot stand.
    pub(crate) fn apply(&self, mut rule: SigmaRule) -> Result<SigmaRule, RuleError> {
        let mut state = State::default();
        for (number, item) in self.steps.iter().enumerate() {
            if !item
                .for_rule
                .hold(|condition| condition.holds(&rule, &state))
            {
                continue;
            }
            let is_applied = self.step(number, item, &mut rule, &mut state)?;
            if let Some(id) = item.id.as_ref().filter(|_| is_applied) {
                state.applied.insert(id.clone());
            }
        }
        Ok(rule)
    }

    /// Takes one step; true if it met anything in the rule.
    fn step(
        &self,
        number: usize,
        item: &Step,
        rule: &mut SigmaRule,
        state: &mut State,
    ) -> Result<bool, RuleError> {
        match &item.transformation {
            Transformation::AddCondition {
                conditions,
                template,
                negated,
            } => {
                let name = format!("pipeline/{}/{number}", self.name);
                change::add_condition(rule, &name, conditions, *template, *negated)?;
            }
            Transformation::ChangeLogsource {
                category,
                product,
                service,
            } => {
                rule.logsource.category.clone_from(category);
                rule.logsource.product.clone_from(product);
                rule.logsource.service.clone_from(service);
            }
            Transformation::SetState { key, val } => {
                state.values.insert(key.clone(), val.clone());
            }
            Transformation::RuleFailure { message } => return Err(self.failure(message)),
            of_items => return self.change_items(of_items, item, rule, state),
        }
        Ok(true)
    }

    fn change_items(
        &self,
        transformation: &Transformation,
        item: &Step,
        rule: &mut SigmaRule,
        state: &State,
    ) -> Result<bool, RuleError> {
        let mut is_applied = false;
        rewrite::items(&mut rule.detection, &mut |one: DetectionItem| {
            let is_meant = item.for_item.hold(|condition| condition.holds(&one, state))
                && item.for_field.hold(|condition| condition.holds(&one));
            if !is_meant {
                return Ok(Rewrite::Keep(one));
            }
            is_applied = true;
            match transformation {
                Transformation::DetectionItemFailure { message } => {
                    Err(self.failure(message).of_item(&one))
                }
                other => change::item(other, &self.vars, one),
            }
        })?;
        Ok(is_applied)
    }

    fn failure(&self, message: &str) -> RuleError {
        RuleError::Pipeline {
            name: self.name.clone(),
            message: message.to_owned(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::Pipeline;
    use crate::document::bounds;
    use crate::document::lines::Document;
    use crate::error::{LoadDiagnostic, RuleError};
    use rsigma_parser::{Detection, SigmaRule, parse_sigma_yaml};

    fn read(file: &str, bytes: &[u8]) -> Result<Pipeline, LoadDiagnostic> {
        let rejected = |line, reason| LoadDiagnostic {
            file: file.to_owned(),
            line,
            reason,
        };
        let text = bounds::text(bytes).map_err(|reason| rejected(None, reason))?;
        let document = Document { line: 1, text };
        let value = bounds::check(&document)
            .map_err(|(line, reason)| rejected(Some(line), reason))?
            .ok_or_else(|| rejected(None, RuleError::NoDocument))?;
        Pipeline::of(file, &document, &value).map_err(|(line, reason)| rejected(Some(line), reason))
    }

    fn rule(detection: &str) -> SigmaRule {
        let text = format!(
            "title: t\ntags: [attack.t1078]\nlogsource: {{product: azure, service: auditlogs}}\n\
             detection: {{{detection}, condition: s}}\n"
        );
        parse_sigma_yaml(&text).unwrap().rules.remove(0)
    }

    fn apply(steps: &str, detection: &str) -> Result<SigmaRule, RuleError> {
        let text =
            format!("name: p\nvars: {{admins: [ada, eve], one: x}}\ntransformations:\n{steps}");
        read("p.yml", text.as_bytes())
            .unwrap_or_else(|rejected| panic!("{rejected}"))
            .apply(rule(detection))
    }

    /// The items of a detection as `field=value,value`, sorted.
    fn shown(detection: &Detection) -> Vec<String> {
        let mut all = match detection {
            Detection::AllOf(items) => items
                .iter()
                .map(|item| {
                    let values: Vec<String> = item.values.iter().map(ToString::to_string).collect();
                    let name = item.field.name.as_deref().unwrap_or("-");
                    format!("{name}={}", values.join(","))
                })
                .collect(),
            Detection::And(members) => members.iter().flat_map(shown).collect(),
            Detection::AnyOf(members) => {
                let members: Vec<String> = members.iter().flat_map(shown).collect();
                vec![format!("({})", members.join(" or "))]
            }
            other => vec![format!("{other:?}")],
        };
        all.sort();
        all
    }

    #[track_caller]
    fn check(steps: &str, detection: &str, expected: &[&str]) {
        let rule = apply(steps, detection).unwrap();
        assert_eq!(shown(&rule.detection.named["s"]), expected, "{steps}");
    }

    #[test]
    fn renames_fields() {
        check(
            "- {type: field_name_mapping, mapping: {a: x, b: [y, z]}}\n",
            "s: {a: 1, b: 2, c: 3}",
            &["(y=2 or z=2)", "c=3", "x=1"],
        );
        check(
            "- {type: field_name_prefix, prefix: win.}\n",
            "s: {a: 1}",
            &["win.a=1"],
        );
        check(
            "- {type: field_name_suffix, suffix: _s}\n",
            "s: {a: 1}",
            &["a_s=1"],
        );
        check(
            "- {type: field_name_prefix_mapping, mapping: {device.: host.}}\n",
            "s: {device.id: 1, id: 2}",
            &["host.id=1", "id=2"],
        );
        check(
            "- {type: field_name_mapping, mapping: {b: y}}\n",
            "s: {a|fieldref: b}",
            &["a=y"],
        );
    }

    #[test]
    fn changes_values() {
        check(
            "- {type: replace_string, regex: '^(.)da', replacement: '\\1vo'}\n",
            "s: {a: [ada, eve, 7]}",
            &["a=avo,eve,7"],
        );
        check(
            "- {type: map_string, mapping: {one: '1', two: [a, b]}}\n",
            "s: {a: [one, two, three]}",
            &["a=1,a,b,three"],
        );
        check(
            "- {type: value_placeholders, include: [admins]}\n",
            "s: {a|expand: '%admins%'}",
            &["a=ada,eve"],
        );
        check(
            "- {type: wildcard_placeholders}\n",
            "s: {a|expand: 'x%any%'}",
            &["a=x*"],
        );
        let unknown = apply("- {type: value_placeholders}\n", "s: {a|expand: '%who%'}");
        assert!(matches!(unknown, Err(RuleError::Item { .. })));
    }

    #[test]
    fn drops_items_and_adds_conditions() {
        check(
            "- type: drop_detection_item\n  field_name_conditions: [{type: include_fields, fields: [b]}]\n",
            "s: {a: 1, b: 2}",
            &["a=1"],
        );
        let rule = apply(
            "- {type: add_condition, conditions: {'tenant|contains': $product}, template: true}\n",
            "s: {a: 1}",
        )
        .unwrap();
        assert_eq!(
            rule.detection.conditions[0].to_string(),
            "(pipeline/p/0 and s)"
        );
        assert_eq!(
            shown(&rule.detection.named["pipeline/p/0"]),
            ["tenant=azure"]
        );
        let empty = apply("- {type: drop_detection_item}\n", "s: {a: 1}");
        assert!(matches!(empty, Err(RuleError::Empty)));
    }

    #[test]
    fn steps_are_taken_under_conditions() {
        let step =
            |conditions: &str| format!("- {{type: field_name_suffix, suffix: x, {conditions}}}\n");
        for (conditions, expected) in [
            (
                "rule_conditions: [{type: logsource, product: azure}]",
                "ax=1",
            ),
            ("rule_conditions: [{type: logsource, product: aws}]", "a=1"),
            (
                "rule_conditions: [{type: logsource, product: aws}], rule_cond_not: true",
                "ax=1",
            ),
            (
                "rule_conditions: [{type: logsource, product: aws}, {type: tag, tag: attack.t1078}], rule_cond_op: or",
                "ax=1",
            ),
            (
                "rule_conditions: [{type: contains_field, field: a}]",
                "ax=1",
            ),
            (
                "rule_conditions: [{type: contains_detection_item, field: a, value: 2}]",
                "a=1",
            ),
            (
                "rule_conditions: [{type: processing_item_applied, processing_item_id: i}]",
                "a=1",
            ),
            (
                "rule_conditions: [{type: processing_state, key: k, val: v}]",
                "a=1",
            ),
            (
                "field_name_conditions: [{type: exclude_fields, fields: [a]}]",
                "a=1",
            ),
            (
                "field_name_conditions: [{type: include_fields, fields: ['^.$'], mode: re}]",
                "ax=1",
            ),
            (
                "detection_item_conditions: [{type: match_string, cond: any, pattern: '^1$'}]",
                "ax=1",
            ),
            ("detection_item_conditions: [{type: is_null}]", "a=1"),
        ] {
            check(&step(conditions), "s: {a: '1'}", &[expected]);
        }
        let state = "- {id: i, type: set_state, key: k, val: v}\n";
        for conditions in [
            "rule_conditions: [{type: processing_state, key: k, val: v}]",
            "rule_conditions: {one: {type: processing_item_applied, processing_item_id: i}}",
        ] {
            check(
                &format!("{state}{}", step(conditions)),
                "s: {a: 1}",
                &["ax=1"],
            );
        }
    }

    #[test]
    fn refuses_rules_that_it_is_told_to() {
        let failure = apply("- {type: rule_failure, message: not here}\n", "s: {a: 1}");
        assert_eq!(
            failure.unwrap_err().to_string(),
            "pipeline \"p\" refuses: not here"
        );
        let item = "- {type: detection_item_failure, message: no, field_name_conditions: [{type: include_fields, fields: [b]}]}\n";
        assert!(apply(item, "s: {a: 1}").is_ok());
        assert!(apply(item, "s: {b: 1}").is_err());
        let rule = apply(
            "- {type: change_logsource, product: m365, service: audit}\n",
            "s: {a: 1}",
        );
        let logsource = rule.unwrap().logsource;
        assert_eq!(logsource.product.as_deref(), Some("m365"));
        assert_eq!(logsource.service.as_deref(), Some("audit"));
    }

    #[test]
    fn what_is_not_known_is_refused_by_name_and_line() {
        for (text, expected) in [
            (
                "transformations:\n- type: set_state\n  key: k\n  val: v\n- type: nest\n",
                "p.yml:5: transformation \"nest\" is not known",
            ),
            (
                "transformations:\n- type: field_name_prefix\n  prefux: x\n",
                "p.yml:2: cannot read transformation \"field_name_prefix\"",
            ),
            (
                "transformations:\n- type: drop_detection_item\n  rule_conditions: [{type: moon}]\n",
                "p.yml:3: condition \"moon\" is not known",
            ),
            (
                "transformations: []\nfinalizers: [{type: concat}]\n",
                "p.yml:2: key \"finalizers\"",
            ),
            (
                "transformations:\n- {type: replace_string, regex: '(', replacement: x}\n",
                "p.yml:2: cannot compile regular expression",
            ),
            ("transformations: x\n", "p.yml:1: key \"transformations\""),
        ] {
            let rejected = read("p.yml", text.as_bytes()).unwrap_err().to_string();
            assert!(rejected.starts_with(expected), "{rejected}");
        }
    }
}
