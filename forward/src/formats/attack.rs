//! ATT&CK's techniques and tactics in the forms that OCSF and ECS want. Pure.
//!
//! Source: <https://attack.mitre.org/>, version 19.

use serde_json::{Value, json};

/// The framework's name, as ECS expects it.
pub(super) const FRAMEWORK: &str = "MITRE ATT&CK";

/// Whether a text is of a technique's form: `T1114` or `T1114.003`.
fn is_technique(text: &str) -> bool {
    let digits =
        |text: &str, count| text.len() == count && text.bytes().all(|b| b.is_ascii_digit());
    let Some(rest) = text.strip_prefix('T') else {
        return false;
    };
    match rest.split_once('.') {
        None => digits(rest, 4),
        Some((technique, sub)) => digits(technique, 4) && digits(sub, 3),
    }
}

fn known(techniques: &Value) -> impl Iterator<Item = &str> {
    let all = techniques.as_array().into_iter().flatten();
    all.filter_map(Value::as_str)
        .filter(|text| is_technique(text))
}

fn technique(text: &str) -> &str {
    text.split_once('.')
        .map_or(text, |(technique, _)| technique)
}

fn reference(text: &str) -> String {
    format!(
        "https://attack.mitre.org/techniques/{}/",
        text.replace('.', "/")
    )
}

/// Ids of the techniques, those of which a sub-technique is named too, each once.
pub(super) fn techniques(value: &Value) -> Option<Value> {
    let mut ids: Vec<&str> = known(value).map(technique).collect();
    ids.sort_unstable();
    ids.dedup();
    (!ids.is_empty()).then(|| json!(ids))
}

/// Pages of what is named.
pub(super) fn references(value: &Value) -> Option<Value> {
    let pages: Vec<String> = known(value).map(reference).collect();
    (!pages.is_empty()).then(|| json!(pages))
}

/// Ids of the sub-techniques.
pub(super) fn subtechniques(value: &Value) -> Option<Value> {
    let ids: Vec<&str> = known(value).filter(|text| text.contains('.')).collect();
    (!ids.is_empty()).then(|| json!(ids))
}

/// Names of the tactics: `credential-access` is `Credential Access`.
pub(super) fn tactic_names(value: &Value) -> Option<Value> {
    let names: Vec<String> = value
        .as_array()?
        .iter()
        .filter_map(Value::as_str)
        .map(name)
        .collect();
    (!names.is_empty()).then(|| json!(names))
}

fn name(slug: &str) -> String {
    let words = slug.split(['-', '_']).map(|word| {
        if word == "and" {
            return word.to_owned();
        }
        let mut characters = word.chars();
        let first = characters.next().map(|first| first.to_ascii_uppercase());
        first.into_iter().chain(characters).collect()
    });
    words.collect::<Vec<String>>().join(" ")
}

/// OCSF's list of attacks: one for each technique, and one for each tactic where no technique is named.
pub(super) fn attacks(document: &Value) -> Option<Value> {
    let of_technique = |text: &str| {
        let page = reference(text);
        if text.contains('.') {
            json!({
                "technique": {"uid": technique(text), "src_url": reference(technique(text))},
                "sub_technique": {"uid": text, "src_url": page},
            })
        } else {
            json!({"technique": {"uid": text, "src_url": page}})
        }
    };
    let mut attacks: Vec<Value> = known(&document["techniques"]).map(of_technique).collect();
    if attacks.is_empty() {
        let names = tactic_names(&document["tactics"]);
        let names = names
            .as_ref()
            .and_then(Value::as_array)
            .into_iter()
            .flatten();
        attacks = names
            .map(|name| json!({"tactic": {"name": name}}))
            .collect();
    }
    (!attacks.is_empty()).then(|| attacks.into())
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::{attacks, references, subtechniques, tactic_names, techniques};

    #[test]
    fn sub_techniques_stand_under_their_technique() {
        let named = json!(["T1114.003", "T1114", "T1078.004", "T1 OR 1=1", "T1114.3", 7]);
        assert_eq!(techniques(&named), Some(json!(["T1078", "T1114"])));
        assert_eq!(
            subtechniques(&named),
            Some(json!(["T1114.003", "T1078.004"]))
        );
        assert_eq!(
            references(&json!(["T1114.003"])),
            Some(json!(["https://attack.mitre.org/techniques/T1114/003/"]))
        );
        assert_eq!(
            tactic_names(&json!(["command-and-control", "stealth"])),
            Some(json!(["Command and Control", "Stealth"]))
        );
        assert_eq!(attacks(&json!({"techniques": [], "tactics": []})), None);
    }
}
