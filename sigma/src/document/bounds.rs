//! Bounds on everything that a file of rules can ask for, checked before anything is made of it.

use yaml_serde::Value;

use super::files::FILE_BYTES_MAX;
use super::lines::Document;
use crate::error::RuleError;

/// Longest condition, in bytes.
const CONDITION_BYTES_MAX: usize = 4096;

/// Deepest nesting of parentheses and negations in a condition.
const CONDITION_DEPTH_MAX: usize = 64;

/// Deepest nesting of a rule's YAML: a list of maps of lists in a detection has five levels.
const YAML_DEPTH_MAX: usize = 32;

/// The text of a file, if it is one and not too large; a byte order mark is left out.
///
/// # Errors
/// [`RuleError`] if it is neither.
pub(crate) fn text(bytes: &[u8]) -> Result<&str, RuleError> {
    if bytes.len() > FILE_BYTES_MAX {
        return Err(RuleError::FileTooLarge {
            bytes: bytes.len(),
            limit: FILE_BYTES_MAX,
        });
    }
    let text = std::str::from_utf8(bytes).map_err(|_| RuleError::NotUtf8)?;
    Ok(text.strip_prefix('\u{feff}').unwrap_or(text))
}

/// The values of a document, if it stays within every bound; none if it is empty.
///
/// # Errors
/// The line and why, if it does not.
pub(crate) fn check(document: &Document<'_>) -> Result<Option<Value>, (usize, RuleError)> {
    let mut found = None;
    for one in yaml_serde::Deserializer::from_str(document.text) {
        // The reader itself refuses recursion beyond 128 levels and aliases that multiply.
        let value: Value =
            serde::Deserialize::deserialize(one).map_err(|cause: yaml_serde::Error| {
                let line = cause.location().map_or(1, |place| place.line());
                (document.line + line - 1, RuleError::Yaml { cause })
            })?;
        if value.is_null() {
            continue;
        }
        let said = check_depth(&value, 0)
            .and_then(|()| check_keys(&value))
            .and_then(|()| check_shapes(&value))
            .and_then(|()| check_conditions(&value));
        said.map_err(|refusal| (document.line_of_refusal(&refusal), refusal))?;
        found = Some(value);
    }
    Ok(found)
}

fn check_depth(value: &Value, depth: usize) -> Result<(), RuleError> {
    if depth > YAML_DEPTH_MAX {
        return Err(RuleError::TooDeep {
            limit: YAML_DEPTH_MAX,
        });
    }
    match value {
        Value::Sequence(items) => items
            .iter()
            .try_for_each(|item| check_depth(item, depth + 1)),
        Value::Mapping(members) => members.iter().try_for_each(|(key, member)| {
            check_depth(key, depth + 1)?;
            check_depth(member, depth + 1)
        }),
        Value::Tagged(_) => Err(RuleError::Tag),
        _ => Ok(()),
    }
}

/// Keys are text; Sigma's own are ASCII, and no field mixes Latin letters with ones that only look like them.
fn check_keys(document: &Value) -> Result<(), RuleError> {
    let Value::Mapping(members) = document else {
        return Err(RuleError::NotAMapping);
    };
    for (key, member) in members {
        let Value::String(key) = key else {
            return Err(RuleError::Shape { key: describe(key) });
        };
        let is_ours = |key: &str| key.is_ascii();
        if !is_ours(key) {
            return Err(RuleError::LookAlike { key: key.clone() });
        }
        match key.as_str() {
            "detection" | "filter" => check_detection_keys(member)?,
            "logsource" | "correlation" => {
                let members = member.as_mapping().into_iter().flatten();
                for key in members.filter_map(|(key, _)| key.as_str()) {
                    if !is_ours(key) {
                        return Err(RuleError::LookAlike {
                            key: key.to_owned(),
                        });
                    }
                }
            }
            _ => {}
        }
    }
    Ok(())
}

fn check_detection_keys(detections: &Value) -> Result<(), RuleError> {
    for (name, detection) in detections.as_mapping().into_iter().flatten() {
        let is_name = name.as_str().is_some_and(|name| {
            let is_part =
                |character: char| character.is_ascii_alphanumeric() || "_-".contains(character);
            !name.is_empty() && name.chars().all(is_part)
        });
        if !is_name {
            return Err(RuleError::DetectionName {
                name: describe(name),
            });
        }
        check_fields(detection)?;
    }
    Ok(())
}

fn check_fields(value: &Value) -> Result<(), RuleError> {
    match value {
        Value::Sequence(items) => items.iter().try_for_each(check_fields),
        Value::Mapping(members) => members.iter().try_for_each(|(key, member)| {
            let Value::String(key) = key else {
                return Err(RuleError::Shape { key: describe(key) });
            };
            let is_latin = key.chars().any(|character| character.is_ascii_alphabetic());
            // Greek and Cyrillic have letters that cannot be told from Latin ones.
            let is_similar = |character: char| matches!(character, '\u{370}'..='\u{52f}');
            if is_latin && key.chars().any(is_similar) {
                return Err(RuleError::LookAlike { key: key.clone() });
            }
            check_fields(member)
        }),
        _ => Ok(()),
    }
}

fn describe(key: &Value) -> String {
    match key {
        Value::String(text) => text.clone(),
        Value::Number(number) => number.to_string(),
        Value::Bool(value) => value.to_string(),
        _ => "null".to_owned(),
    }
}

/// What a correlation may say, by the specification and by rsigma's parser.
const CORRELATION_KEYS: &[&str] = &[
    "type",
    "rules",
    "group-by",
    "timespan",
    "timeframe",
    "condition",
    "aliases",
    "generate",
    "window",
    "gap",
];

/// What the parser would leave out without a word if it had another shape than it needs.
fn check_shapes(document: &Value) -> Result<(), RuleError> {
    let shape = |key: &str| RuleError::Shape {
        key: key.to_owned(),
    };
    let is_texts = |value: &Value| match value {
        Value::Sequence(items) => items.iter().all(Value::is_string),
        other => other.is_string(),
    };
    for (part, key) in [
        ("filter", "rules"),
        ("correlation", "rules"),
        ("correlation", "group-by"),
    ] {
        let member = document.get(part).and_then(|part| part.get(key));
        if member.is_some_and(|member| !is_texts(member)) {
            return Err(shape(key));
        }
    }
    check_filter(document)?;
    let Some(correlation) = document.get("correlation") else {
        return Ok(());
    };
    check_members(correlation)?;
    let is_texts_by_name = |value: &Value| {
        let members = value.as_mapping();
        members.is_some_and(|members| {
            members
                .iter()
                .all(|(key, value)| key.is_string() && value.is_string())
        })
    };
    if let Some(aliases) = correlation.get("aliases") {
        let members = aliases.as_mapping().ok_or_else(|| shape("aliases"))?;
        if !members.iter().all(|(_, fields)| is_texts_by_name(fields)) {
            return Err(shape("aliases"));
        }
    }
    let condition = correlation.get("condition").and_then(Value::as_mapping);
    for (key, value) in condition.into_iter().flatten() {
        let key = describe(key);
        let is_right = match key.as_str() {
            "gt" | "gte" | "lt" | "lte" | "eq" | "neq" | "percentile" => value.is_u64(),
            "field" => is_texts(value),
            _ => false,
        };
        if !is_right {
            return Err(shape(&key));
        }
    }
    Ok(())
}

/// Refuses a filter that does not say which rules it is about: a slip in that key would make it one of all.
fn check_filter(document: &Value) -> Result<(), RuleError> {
    let Some(filter) = document.get("filter").and_then(Value::as_mapping) else {
        return Ok(());
    };
    match filter.get("rules") {
        Some(Value::Sequence(names)) if names.is_empty() => Err(RuleError::FilterOfNothing),
        Some(_) => Ok(()),
        None => Err(RuleError::FilterOfNothing),
    }
}

/// Refuses keys of a correlation that the parser would leave out: a group that is not asked for counts the whole tenant.
fn check_members(correlation: &Value) -> Result<(), RuleError> {
    let members = correlation.as_mapping().into_iter().flatten();
    for (key, _) in members {
        let key = describe(key);
        if !CORRELATION_KEYS.contains(&key.as_str()) {
            return Err(RuleError::UnknownCorrelationKey { key });
        }
    }
    let kind = correlation.get("type").and_then(Value::as_str);
    let is_counted = correlation.get("condition").is_some_and(Value::is_mapping);
    // The parser writes the same where nothing stands, which asks for all of them.
    let is_of_one = || {
        let condition = correlation.get("condition").and_then(Value::as_mapping);
        condition.is_some_and(|condition| {
            condition.len() == 1 && condition.get("gte").and_then(Value::as_u64) == Some(1)
        })
    };
    match kind {
        Some("temporal_ordered") if is_counted => Err(RuleError::Correlation {
            key: "condition",
            reason: "temporal_ordered takes none, or a text over the names of its rules".to_owned(),
        }),
        Some("temporal") if is_of_one() => Err(RuleError::Correlation {
            key: "condition",
            reason: "{gte: 1} cannot be told from none, which asks for all; write \"1 of them\""
                .to_owned(),
        }),
        _ => Ok(()),
    }
}

fn check_conditions(document: &Value) -> Result<(), RuleError> {
    let parts = ["detection", "filter"].map(|part| document.get(part));
    let conditions = parts
        .into_iter()
        .flatten()
        .filter_map(|part| part.get("condition"));
    for condition in conditions {
        match condition {
            Value::String(text) => check_condition(text)?,
            Value::Sequence(items) => items
                .iter()
                .filter_map(Value::as_str)
                .try_for_each(check_condition)?,
            _ => {}
        }
    }
    Ok(())
}

fn check_condition(text: &str) -> Result<(), RuleError> {
    let open = text.bytes().filter(|byte| *byte == b'(').count();
    let not = text
        .split_whitespace()
        .filter(|word| word.eq_ignore_ascii_case("not"))
        .count();
    if text.len() > CONDITION_BYTES_MAX || open + not > CONDITION_DEPTH_MAX {
        return Err(RuleError::ConditionTooLarge {
            limit: CONDITION_BYTES_MAX,
            depth: CONDITION_DEPTH_MAX,
        });
    }
    Ok(())
}
