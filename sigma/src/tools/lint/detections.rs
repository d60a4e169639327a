//! Detections: names that no condition asks for, values that say nothing, expressions that cost more than they must.

use std::collections::{BTreeSet, HashSet};

use rsigma_parser::{
    ConditionExpr, Detection, DetectionItem, Modifier, SelectorPattern, SigmaValue,
    detection_name_matches,
};

use super::document::{LintDocument, documents};
use super::finding::{Level::Notice, Level::Warning, Notes};
use crate::collection::Rule;

/// Most values of a list that are compared with each other.
const COMPARED_MAX: usize = 256;

/// Looks at the detections of a rule that was loaded.
pub(super) fn check(rule: &Rule, text: &str, notes: &mut Notes<'_>) {
    let documents = documents(text);
    let own = documents
        .iter()
        .find(|document| document.text_of("id") == Some(&rule.id));
    let Some(document) = own.or(documents.first()) else {
        return;
    };
    let detections = &rule.sigma.detection;
    let mut asked = BTreeSet::new();
    let names: BTreeSet<&str> = detections.named.keys().map(String::as_str).collect();
    for condition in &detections.conditions {
        collect(condition, &names, &mut asked);
    }
    for name in names.difference(&asked) {
        notes.add(
            (Warning, "detection-unused"),
            document.line_of(&["detection", name]),
            format!("no condition asks for detection \"{name}\""),
            "name it in the condition, or take it away",
        );
    }
    for name in names {
        let place = SourceSpan { document, name };
        check_detection(&detections.named[name], &place, notes);
    }
}

/// The detection that is looked at.
struct SourceSpan<'a> {
    document: &'a LintDocument<'a>,
    name: &'a str,
}

impl SourceSpan<'_> {
    fn line(&self, word: &str) -> Option<usize> {
        self.document.line_with(&["detection", self.name], word)
    }
}

fn collect<'a>(
    condition: &ConditionExpr,
    names: &BTreeSet<&'a str>,
    asked: &mut BTreeSet<&'a str>,
) {
    match condition {
        ConditionExpr::And(members) | ConditionExpr::Or(members) => {
            for member in members {
                collect(member, names, asked);
            }
        }
        ConditionExpr::Not(inner) => collect(inner, names, asked),
        ConditionExpr::Identifier(name) => asked.extend(names.get(name.as_str())),
        ConditionExpr::Selector { pattern, .. } => {
            asked.extend(names.iter().filter(|name| match pattern {
                SelectorPattern::Them => !name.starts_with('_'),
                SelectorPattern::Pattern(pattern) => detection_name_matches(pattern, name),
            }));
        }
    }
}

fn check_detection(detection: &Detection, place: &SourceSpan<'_>, notes: &mut Notes<'_>) {
    match detection {
        Detection::AllOf(items) => {
            for item in items {
                check_item(item, place, notes);
            }
        }
        Detection::AnyOf(members) | Detection::And(members) => {
            for member in members {
                check_detection(member, place, notes);
            }
        }
        Detection::Keywords(values) => check_twice(values, false, place, notes),
        Detection::ArrayMatch { body, .. } => check_detection(body, place, notes),
        Detection::Conditional { .. } => {}
    }
}

fn check_item(item: &DetectionItem, place: &SourceSpan<'_>, notes: &mut Notes<'_>) {
    let has = |modifier| item.field.has_modifier(modifier);
    let is_exact = has(Modifier::Cased) || has(Modifier::Re);
    check_twice(&item.values, is_exact, place, notes);
    if has(Modifier::Re) {
        for value in &item.values {
            check_expression(&value.to_string(), place, notes);
        }
        return;
    }
    let encodes = has(Modifier::Base64) || has(Modifier::Base64Offset);
    if has(Modifier::Contains) && !encodes {
        check_contains(item, place, notes);
    }
}

fn check_twice(
    values: &[SigmaValue],
    is_exact: bool,
    place: &SourceSpan<'_>,
    notes: &mut Notes<'_>,
) {
    let mut seen = HashSet::new();
    for value in values {
        let text = value.to_string();
        let folded = if is_exact {
            text.clone()
        } else {
            text.to_lowercase()
        };
        if !seen.insert(folded) {
            notes.add(
                (Warning, "value-twice"),
                place.line(&text),
                format!("value \"{text}\" stands twice in its list"),
                "take one away; values are compared without letter case unless |cased says otherwise",
            );
        }
    }
}

fn check_contains(item: &DetectionItem, place: &SourceSpan<'_>, notes: &mut Notes<'_>) {
    let values = item.values.iter().take(COMPARED_MAX);
    let texts: Vec<String> = values.map(ToString::to_string).collect();
    for text in &texts {
        let is_wild = text.len() > 1
            && (text.starts_with('*') || (text.ends_with('*') && !text.ends_with("\\*")));
        if is_wild {
            notes.add(
                (Notice, "wildcard-needless"),
                place.line(text),
                format!("\"{text}\" has a wildcard at its end, which |contains adds itself"),
                "leave the * out",
            );
        }
    }
    if item.field.has_modifier(Modifier::All) {
        return;
    }
    let folded: Vec<String> = texts.iter().map(|text| text.to_lowercase()).collect();
    for (text, lower) in texts.iter().zip(&folded) {
        let is_shorter = |other: &&String| {
            !other.is_empty()
                && other.len() < lower.len()
                && !other.contains(['*', '?', '\\'])
                && lower.contains(other.as_str())
        };
        if let Some(shorter) = folded.iter().find(is_shorter) {
            notes.add(
                (Notice, "value-covered"),
                place.line(text),
                format!("\"{text}\" is found already by \"{shorter}\""),
                "take the longer value away, or make the shorter one more precise",
            );
        }
    }
}

fn check_expression(pattern: &str, place: &SourceSpan<'_>, notes: &mut Notes<'_>) {
    let start = pattern.strip_prefix('^').unwrap_or(pattern);
    let end = pattern.strip_suffix('$').unwrap_or(pattern);
    if start.starts_with(".*") || (end.ends_with(".*") && !end.ends_with("\\.*")) {
        notes.add(
            (Notice, "regex-anchored"),
            place.line(pattern),
            format!("expression \"{pattern}\" begins or ends with \".*\", which matches anything"),
            "leave it out, with its ^ or $: an expression is searched for anywhere in the value",
        );
    }
    if regex::escape(pattern) == pattern {
        notes.add(
            (Notice, "regex-plain"),
            place.line(pattern),
            format!("expression \"{pattern}\" is plain text"),
            "use |contains|cased, or |contains if letter case does not matter",
        );
    }
}
