//! What the steps of a pipeline do to a rule.

use std::collections::BTreeMap;

use rsigma_parser::{
    ConditionExpr, Detection, DetectionItem, Modifier, SigmaRule, SigmaString, SigmaValue,
    StringPart, parse_field_spec,
};

use super::transformation::{Texts, Transformation};
use crate::error::RuleError;
use crate::expression::rewrite::Rewrite;
use crate::placeholders::{Piece, Placeholders, expanded, pieces};

/// Adds a detection under `name`, and asks for it in every condition.
pub(super) fn add_condition(
    rule: &mut SigmaRule,
    name: &str,
    conditions: &BTreeMap<String, serde_json::Value>,
    is_template: bool,
    is_negated: bool,
) -> Result<(), RuleError> {
    let logsource = rule.logsource.clone();
    let filled = |text: &str| {
        let mut text = text.to_owned();
        for (word, value) in [
            ("category", &logsource.category),
            ("product", &logsource.product),
            ("service", &logsource.service),
        ] {
            let value = value.as_deref().unwrap_or_default();
            text = text.replace(&format!("${{{word}}}"), value);
            text = text.replace(&format!("${word}"), value);
        }
        text
    };
    let value = |value: &serde_json::Value| match value {
        serde_json::Value::String(text) if is_template => {
            SigmaValue::String(SigmaString::new(&filled(text)))
        }
        serde_json::Value::String(text) => SigmaValue::String(SigmaString::new(text)),
        serde_json::Value::Bool(value) => SigmaValue::Bool(*value),
        serde_json::Value::Number(number) => number.as_i64().map_or_else(
            || SigmaValue::Float(number.as_f64().unwrap_or(f64::NAN)),
            SigmaValue::Integer,
        ),
        _ => SigmaValue::Null,
    };
    let mut items = Vec::new();
    for (key, given) in conditions {
        let field = parse_field_spec(key).map_err(|error| RuleError::NotARule {
            reason: error.to_string(),
        })?;
        let values = match given {
            serde_json::Value::Array(list) => list.iter().map(value).collect(),
            one => vec![value(one)],
        };
        items.push(DetectionItem { field, values });
    }
    rule.detection
        .named
        .insert(name.to_owned(), Detection::AllOf(items));
    let added = ConditionExpr::Identifier(name.to_owned());
    let added = if is_negated {
        ConditionExpr::Not(Box::new(added))
    } else {
        added
    };
    for condition in &mut rule.detection.conditions {
        *condition = ConditionExpr::And(vec![added.clone(), condition.clone()]);
    }
    Ok(())
}

/// What becomes of an item; transformations of whole rules leave it as it is.
pub(super) fn item(
    transformation: &Transformation,
    vars: &BTreeMap<String, Vec<String>>,
    mut item: DetectionItem,
) -> Result<Rewrite, RuleError> {
    match transformation {
        Transformation::FieldNameMapping { mapping } => {
            return Ok(renamed(item, &|name| {
                mapping.get(name).map(|texts| texts.as_slice().to_vec())
            }));
        }
        Transformation::FieldNamePrefixMapping { mapping } => {
            return Ok(renamed(item, &|name| by_prefix(mapping, name)));
        }
        Transformation::FieldNamePrefix { prefix } => {
            return Ok(renamed(item, &|name| Some(vec![format!("{prefix}{name}")])));
        }
        Transformation::FieldNameSuffix { suffix } => {
            return Ok(renamed(item, &|name| Some(vec![format!("{name}{suffix}")])));
        }
        Transformation::DropDetectionItem {} => return Ok(Rewrite::Drop),
        Transformation::ReplaceString {
            regex,
            replacement,
            skip_special,
        } => replace(&mut item, regex, replacement, *skip_special)?,
        Transformation::MapString { mapping } => map(&mut item, mapping),
        Transformation::ValuePlaceholders { include, exclude } => {
            let values = |name: &str| vars.get(name).cloned().unwrap_or_default();
            item = fill(item, include.as_ref(), exclude.as_ref(), &values)?;
        }
        Transformation::WildcardPlaceholders { include, exclude } => {
            let any = |_: &str| vec!["*".to_owned()];
            item = fill(item, include.as_ref(), exclude.as_ref(), &any)?;
        }
        _ => {}
    }
    Ok(Rewrite::Keep(item))
}

fn by_prefix(mapping: &BTreeMap<String, Texts>, name: &str) -> Option<Vec<String>> {
    let (prefix, texts) = mapping
        .iter()
        .find(|(prefix, _)| name.starts_with(prefix.as_str()))?;
    let rest = &name[prefix.len()..];
    Some(
        texts
            .as_slice()
            .iter()
            .map(|text| format!("{text}{rest}"))
            .collect(),
    )
}

/// The item under its field's new names: one of them is enough. Fields that it refers to are renamed as well.
fn renamed(mut item: DetectionItem, names: &dyn Fn(&str) -> Option<Vec<String>>) -> Rewrite {
    if item.field.modifiers.contains(&Modifier::FieldRef) {
        for value in &mut item.values {
            let SigmaValue::String(text) = value else {
                continue;
            };
            if let Some([only]) = names(&text.original).as_deref() {
                *text = SigmaString::new(only);
            }
        }
    }
    let Some(found) = item.field.name.as_deref().and_then(names) else {
        return Rewrite::Keep(item);
    };
    let mut renamed: Vec<DetectionItem> = found
        .into_iter()
        .map(|name| {
            let mut item = item.clone();
            item.field.name = Some(name);
            item
        })
        .collect();
    match renamed.len() {
        0 => Rewrite::Keep(item),
        1 => Rewrite::Keep(renamed.remove(0)),
        _ => Rewrite::Into(Detection::AnyOf(
            renamed
                .into_iter()
                .map(|item| Detection::AllOf(vec![item]))
                .collect(),
        )),
    }
}

fn replace(
    item: &mut DetectionItem,
    pattern: &str,
    replacement: &str,
    skip_special: bool,
) -> Result<(), RuleError> {
    if item.field.modifiers.contains(&Modifier::Re) {
        return Ok(());
    }
    let regex = crate::expression::regex_text::compiled(pattern)?;
    let replacement = python_groups(replacement);
    for value in &mut item.values {
        let SigmaValue::String(text) = value else {
            continue;
        };
        if skip_special {
            for part in &mut text.parts {
                if let StringPart::Plain(plain) = part {
                    *plain = regex.replace_all(plain, replacement.as_str()).into_owned();
                }
            }
        } else {
            let replaced = regex.replace_all(&text.original, replacement.as_str());
            *text = SigmaString::new(&replaced);
        }
    }
    Ok(())
}

/// `\1` and `\g<1>` as they are written here: `${1}`.
fn python_groups(replacement: &str) -> String {
    let mut out = String::with_capacity(replacement.len());
    let mut rest = replacement;
    while let Some(at) = rest.find(['\\', '$']) {
        out.push_str(&rest[..at]);
        let (mark, after) = (&rest[at..=at], &rest[at + 1..]);
        let digits = after.len()
            - after
                .trim_start_matches(|digit: char| digit.is_ascii_digit())
                .len();
        let named = after
            .strip_prefix("g<")
            .and_then(|named| named.split_once('>'));
        if mark == "$" {
            out.push_str("$$");
            rest = after;
        } else if digits > 0 {
            out.extend(["${", &after[..digits], "}"]);
            rest = &after[digits..];
        } else if let Some((name, behind)) = named {
            out.extend(["${", name, "}"]);
            rest = behind;
        } else {
            out.push('\\');
            rest = after.strip_prefix('\\').unwrap_or(after);
        }
    }
    out.push_str(rest);
    out
}

fn map(item: &mut DetectionItem, mapping: &BTreeMap<String, Texts>) {
    let values = std::mem::take(&mut item.values);
    for value in values {
        let mapped = match &value {
            SigmaValue::String(text) => mapping.get(&text.original),
            _ => None,
        };
        match mapped {
            Some(texts) => item.values.extend(
                texts
                    .as_slice()
                    .iter()
                    .map(|text| SigmaValue::String(SigmaString::new(text))),
            ),
            None => item.values.push(value),
        }
    }
}

/// Fills the chosen placeholders of an item; the others stay for a later step or the caller.
fn fill(
    item: DetectionItem,
    include: Option<&Vec<String>>,
    exclude: Option<&Vec<String>>,
    values: &dyn Fn(&str) -> Vec<String>,
) -> Result<DetectionItem, RuleError> {
    if !item.field.modifiers.contains(&Modifier::Expand) {
        return Ok(item);
    }
    let mut known = Placeholders::default();
    let mut is_open = false;
    for value in &item.values {
        let SigmaValue::String(text) = value else {
            continue;
        };
        for piece in pieces(&text.original) {
            let Piece::Name(name) = piece else { continue };
            let has = |list: &Vec<String>| list.iter().any(|known| known == name);
            let is_chosen = include.is_none_or(has) && !exclude.is_some_and(has);
            is_open |= !is_chosen;
            let values = if is_chosen {
                values(name)
            } else {
                vec![format!("%{name}%")]
            };
            known.values.insert(name.to_owned(), values);
        }
    }
    let mut filled =
        expanded(&item, &|name| known.values_of(name)).map_err(|refusal| refusal.of_item(&item))?;
    if is_open {
        filled.field.modifiers.push(Modifier::Expand);
    }
    Ok(filled)
}
