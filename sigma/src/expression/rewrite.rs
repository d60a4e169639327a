//! Rules changed before they are compiled: every item of every detection, kept, replaced or dropped.

use rsigma_parser::{
    ConditionExpr, Detection, DetectionItem, Detections, FieldSpec, SelectorPattern,
    detection_name_matches,
};

use crate::error::RuleError;

/// What becomes of an item.
#[derive(Debug)]
pub(crate) enum Rewrite {
    /// This item stands in its place.
    Keep(DetectionItem),
    /// This stands in its place.
    Into(Detection),
    /// Nothing does.
    Drop,
}

/// Changes every item; a detection that loses all of them leaves the condition as well.
///
/// # Errors
/// Whatever `change` refuses, and [`RuleError::Empty`] if nothing is left of a condition.
pub(crate) fn items(
    detections: &mut Detections,
    change: &mut dyn FnMut(DetectionItem) -> Result<Rewrite, RuleError>,
) -> Result<(), RuleError> {
    let mut names: Vec<String> = detections.named.keys().cloned().collect();
    names.sort_unstable();
    let mut dropped = Vec::new();
    for name in names {
        let Some(detection) = detections.named.remove(&name) else {
            continue;
        };
        match of_detection(detection, change)? {
            Some(detection) => {
                detections.named.insert(name, detection);
            }
            None => dropped.push(name),
        }
    }
    if dropped.is_empty() {
        return Ok(());
    }
    for condition in &mut detections.conditions {
        *condition =
            without(condition, &dropped, detections.named.keys()).ok_or(RuleError::Empty)?;
    }
    Ok(())
}

fn of_detection(
    detection: Detection,
    change: &mut dyn FnMut(DetectionItem) -> Result<Rewrite, RuleError>,
) -> Result<Option<Detection>, RuleError> {
    let mut all = |members: Vec<Detection>| {
        let mut kept = Vec::new();
        for member in members {
            kept.extend(of_detection(member, change)?);
        }
        Ok(kept)
    };
    match detection {
        Detection::AllOf(items) => of_items(items, change),
        Detection::AnyOf(members) => {
            let kept = all(members)?;
            Ok((!kept.is_empty()).then_some(Detection::AnyOf(kept)))
        }
        Detection::And(members) => {
            let kept = all(members)?;
            Ok((!kept.is_empty()).then_some(Detection::And(kept)))
        }
        Detection::Keywords(values) => {
            let field = FieldSpec::new(None, Vec::new());
            Ok(match change(DetectionItem { field, values })? {
                Rewrite::Keep(item) => Some(Detection::AllOf(vec![item])),
                Rewrite::Into(detection) => Some(detection),
                Rewrite::Drop => None,
            })
        }
        // Not of Sigma 2.1: refused when it is compiled.
        other @ (Detection::ArrayMatch { .. } | Detection::Conditional { .. }) => Ok(Some(other)),
    }
}

fn of_items(
    items: Vec<DetectionItem>,
    change: &mut dyn FnMut(DetectionItem) -> Result<Rewrite, RuleError>,
) -> Result<Option<Detection>, RuleError> {
    if items.is_empty() {
        return Ok(Some(Detection::AllOf(items)));
    }
    let mut kept = Vec::new();
    let mut others = Vec::new();
    for item in items {
        match change(item)? {
            Rewrite::Keep(item) => kept.push(item),
            Rewrite::Into(detection) => others.push(detection),
            Rewrite::Drop => {}
        }
    }
    if others.is_empty() {
        return Ok((!kept.is_empty()).then_some(Detection::AllOf(kept)));
    }
    if !kept.is_empty() {
        others.push(Detection::AllOf(kept));
    }
    Ok(Some(Detection::And(others)))
}

/// A condition without the detections that were dropped; none if it named no others.
fn without<'a>(
    condition: &ConditionExpr,
    dropped: &[String],
    left: impl Iterator<Item = &'a String> + Clone,
) -> Option<ConditionExpr> {
    let all = |members: &[ConditionExpr]| {
        let kept: Vec<ConditionExpr> = members
            .iter()
            .filter_map(|member| without(member, dropped, left.clone()))
            .collect();
        (!kept.is_empty()).then_some(kept)
    };
    match condition {
        ConditionExpr::And(members) => all(members).map(ConditionExpr::And),
        ConditionExpr::Or(members) => all(members).map(ConditionExpr::Or),
        ConditionExpr::Not(inner) => {
            without(inner, dropped, left).map(|inner| ConditionExpr::Not(Box::new(inner)))
        }
        ConditionExpr::Identifier(name) => (!dropped.contains(name)).then(|| condition.clone()),
        ConditionExpr::Selector { pattern, .. } => {
            let selects = |name: &String| match pattern {
                SelectorPattern::Them => !name.starts_with('_'),
                SelectorPattern::Pattern(pattern) => detection_name_matches(pattern, name),
            };
            let is_lost = dropped.iter().any(&selects) && !left.clone().any(selects);
            (!is_lost).then(|| condition.clone())
        }
    }
}
