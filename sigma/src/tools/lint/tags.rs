//! Tags: their namespaces and forms, with both vocabularies of ATT&CK.
//!
//! Source: Sigma specification 2.1.0, appendix "Tags"; MITRE ATT&CK v18 and v19.

use std::collections::HashSet;

use yaml_serde::Value;

use super::document::LintDocument;
use super::finding::{Level::Error, Level::Notice, Level::Warning, Notes};
use crate::metadata::attack;

/// Kinds of ATT&CK objects beside techniques that a tag may name, by the letters before their number.
const ATTACK_OBJECTS: &[&str] = &["g", "s", "ds", "m", "a"];

const DETECTION: &[&str] = &["dfir", "emerging-threats", "threat-hunting"];

const TLP: &[&str] = &["red", "amber", "amber-strict", "green", "clear"];

const D3FEND_TACTICS: &[&str] = &["model", "harden", "detect", "isolate", "deceive", "evict"];

/// Looks at the tags of a document.
pub(super) fn check(document: &LintDocument<'_>, notes: &mut Notes<'_>) {
    let mut seen = HashSet::new();
    for tag in document.list_of("tags").iter().filter_map(Value::as_str) {
        let line = document.line_with(&["tags"], tag);
        let lower = tag.to_ascii_lowercase();
        if !seen.insert(lower.clone()) {
            notes.add(
                (Warning, "tag-twice"),
                line,
                format!("tag \"{tag}\" stands twice"),
                "take one away",
            );
        }
        if lower != tag || tag.starts_with("attack.") && tag.contains('_') {
            notes.add(
                (Notice, "tag-form"),
                line,
                format!("tag \"{tag}\" is not written as Sigma 2 writes it"),
                format!("write \"{}\"", lower.replace('_', "-")),
            );
        }
        if let Some(expected) = unknown(&lower) {
            notes.add(
                (Error, "tag-unknown"),
                line,
                format!("tag \"{tag}\" is not known"),
                expected,
            );
        }
    }
}

/// What was expected instead, if a tag is not known.
fn unknown(tag: &str) -> Option<&'static str> {
    let (namespace, name) = tag.split_once('.').unwrap_or((tag, ""));
    let (is_known, expected) = match namespace {
        "attack" => (
            is_attack(tag, name),
            "a tactic of ATT&CK v18 or v19 (attack.initial-access), a technique (attack.t1114.003) or g, s, ds, m, a with four digits",
        ),
        "car" => (
            name.split('-').count() == 3
                && name
                    .bytes()
                    .all(|byte| byte.is_ascii_digit() || byte == b'-'),
            "an analytic of CAR: car.2016-04-005",
        ),
        "cve" => (is_cve(name), "a vulnerability: cve.2021-44228"),
        "d3fend" => (
            D3FEND_TACTICS.contains(&name) || name.starts_with("d3-") || name.starts_with("d3f-"),
            "a tactic of D3FEND, d3-… or d3f-…",
        ),
        "detection" => (
            DETECTION.contains(&name),
            "detection.dfir, detection.emerging-threats or detection.threat-hunting",
        ),
        "stp" => (is_stp(name), "a score such as stp.4 or stp.3k"),
        "tlp" => (
            TLP.contains(&name),
            "tlp.red, tlp.amber, tlp.amber-strict, tlp.green or tlp.clear",
        ),
        _ => (
            false,
            "one of the namespaces attack, car, cve, d3fend, detection, stp, tlp",
        ),
    };
    (!is_known).then_some(expected)
}

fn is_attack(tag: &str, name: &str) -> bool {
    let (techniques, tactics) = attack::split(&[tag.to_owned()]);
    if !techniques.is_empty() || !tactics.is_empty() {
        return true;
    }
    ATTACK_OBJECTS.iter().any(|letters| {
        name.strip_prefix(letters).is_some_and(|number| {
            number.len() == 4 && number.bytes().all(|byte| byte.is_ascii_digit())
        })
    })
}

fn is_cve(name: &str) -> bool {
    let is_number = |text: &str| text.len() >= 4 && text.bytes().all(|byte| byte.is_ascii_digit());
    // Older rules write a period.
    name.split_once(['-', '.'])
        .is_some_and(|(year, number)| is_number(year) && is_number(number))
}

fn is_stp(name: &str) -> bool {
    matches!(
        name.as_bytes(),
        [b'1'..=b'5'] | [b'1'..=b'5', b'a' | b'u' | b'k']
    )
}
