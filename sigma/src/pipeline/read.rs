//! Pipelines from YAML, within the same bounds as rules.

use std::collections::BTreeMap;

use serde::de::DeserializeOwned;
use yaml_serde::{Mapping, Value};

use super::conditions::{Conditions, OF_FIELD, OF_ITEM, OF_RULE};
use super::transformation::{TRANSFORMATIONS, Transformation};
use super::{Pipeline, Step, TRANSFORMATIONS_MAX};
use crate::document::lines::Document;
use crate::error::RuleError;
use crate::expression::regex_text::compiled;

impl Pipeline {
    /// A pipeline from a document of a file.
    pub(crate) fn of(
        file: &str,
        document: &Document<'_>,
        value: &Value,
    ) -> Result<Self, (usize, RuleError)> {
        let shape = |key: &str| {
            let key = key.to_owned();
            let line = document.line_of(&[&key]).unwrap_or(document.first());
            (line, RuleError::Shape { key })
        };
        let members = value.as_mapping().ok_or_else(|| shape("transformations"))?;
        for (key, value) in members {
            let key = key.as_str().unwrap_or_default();
            let is_known = [
                "name",
                "priority",
                "vars",
                "transformations",
                "allowed_backends",
            ]
            .contains(&key);
            let is_empty = value.as_sequence().is_some_and(Vec::is_empty) || value.is_null();
            if !is_known && !is_empty {
                return Err(shape(key));
            }
        }
        let steps = value
            .get("transformations")
            .and_then(Value::as_sequence)
            .filter(|steps| steps.len() <= TRANSFORMATIONS_MAX)
            .ok_or_else(|| shape("transformations"))?;
        let items = steps.iter().map(|step| {
            step_of(step).map_err(|refusal| (line_of(document, step, &refusal), refusal))
        });
        Ok(Self {
            name: member(value, "name").unwrap_or_else(|| file.to_owned()),
            priority: value.get("priority").and_then(Value::as_i64).unwrap_or(0),
            vars: vars(value).ok_or_else(|| shape("vars"))?,
            steps: items.collect::<Result<_, _>>()?,
        })
    }
}

fn member(value: &Value, key: &str) -> Option<String> {
    value.get(key).and_then(Value::as_str).map(str::to_owned)
}

/// The line of a step: that of what is not known, its id, or its type.
fn line_of(document: &Document<'_>, step: &Value, refusal: &RuleError) -> usize {
    let named = match refusal {
        RuleError::PipelineCondition { name } => Some(format!("type: {name}")),
        _ => None,
    };
    let by = |key: &str| member(step, key).map(|word| format!("{key}: {word}"));
    [named, by("id"), by("type")]
        .into_iter()
        .flatten()
        .find_map(|words| document.line_of(&[&words]))
        .unwrap_or(document.first())
}

fn vars(value: &Value) -> Option<BTreeMap<String, Vec<String>>> {
    let text = |value: &Value| match value {
        Value::String(text) => Some(text.clone()),
        Value::Number(number) => Some(number.to_string()),
        Value::Bool(value) => Some(value.to_string()),
        _ => None,
    };
    let Some(vars) = value.get("vars") else {
        return Some(BTreeMap::new());
    };
    let of_one = |(name, given): (&Value, &Value)| {
        let values = match given {
            Value::Sequence(list) => list.iter().map(text).collect::<Option<_>>()?,
            one => vec![text(one)?],
        };
        Some((name.as_str()?.to_owned(), values))
    };
    vars.as_mapping()?.iter().map(of_one).collect()
}

fn step_of(step: &Value) -> Result<Step, RuleError> {
    let shape = |key: &str| RuleError::Shape {
        key: key.to_owned(),
    };
    let mut members = step
        .as_mapping()
        .cloned()
        .ok_or_else(|| shape("transformations"))?;
    let kind = member(step, "type").ok_or_else(|| shape("type"))?;
    if !TRANSFORMATIONS.contains(&kind.as_str()) {
        return Err(RuleError::Transformation { name: kind });
    }
    let id = member(step, "id");
    members.remove("id");
    let for_rule = conditions(&mut members, "rule_conditions", "rule_cond", OF_RULE)?;
    let for_item = conditions(
        &mut members,
        "detection_item_conditions",
        "detection_item_cond",
        OF_ITEM,
    )?;
    let for_field: Conditions<super::FieldCondition> = conditions(
        &mut members,
        "field_name_conditions",
        "field_name_cond",
        OF_FIELD,
    )?;
    for pattern in for_field
        .members
        .iter()
        .flat_map(super::FieldCondition::expressions)
    {
        compiled(pattern)?;
    }
    let transformation: Transformation = yaml_serde::from_value(Value::Mapping(members))
        .map_err(|cause| RuleError::PipelineStep { name: kind, cause })?;
    if let Transformation::ReplaceString { regex: pattern, .. } = &transformation {
        compiled(pattern)?;
    }
    Ok(Step {
        id,
        transformation,
        for_rule,
        for_item,
        for_field,
    })
}

/// Takes the conditions of one kind out of a step: a list or a map of them, and how they are joined.
fn conditions<C: DeserializeOwned>(
    members: &mut Mapping,
    key: &str,
    prefix: &str,
    known: &[&str],
) -> Result<Conditions<C>, RuleError> {
    let given = match members.remove(key) {
        None | Some(Value::Null) => Vec::new(),
        Some(Value::Sequence(list)) => list,
        Some(Value::Mapping(map)) => map.into_iter().map(|(_, value)| value).collect(),
        Some(_) => {
            return Err(RuleError::Shape {
                key: key.to_owned(),
            });
        }
    };
    let operator_key = format!("{prefix}_op");
    let is_any = match members.remove(&operator_key) {
        None => false,
        Some(value) => match value.as_str() {
            Some("or") => true,
            Some("and") => false,
            _ => return Err(RuleError::Shape { key: operator_key }),
        },
    };
    let negation_key = format!("{prefix}_not");
    let is_negated = match members.remove(&negation_key) {
        None => false,
        Some(Value::Bool(value)) => value,
        Some(_) => return Err(RuleError::Shape { key: negation_key }),
    };
    let read = |value: Value| {
        let name = member(&value, "type").unwrap_or_default();
        if !known.contains(&name.as_str()) {
            return Err(RuleError::PipelineCondition { name });
        }
        yaml_serde::from_value(value).map_err(|cause| RuleError::PipelineStep { name, cause })
    };
    Ok(Conditions {
        members: given.into_iter().map(read).collect::<Result<_, _>>()?,
        is_any,
        is_negated,
    })
}
