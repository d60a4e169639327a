//! Keys that rules, correlations and filters share.

use std::collections::HashMap;

use rsigma_parser::Level;
use schemas::label::Label;
use schemas::severity::Severity;
use serde::Serialize;

use crate::error::RuleError;

/// Sigma's level; a rule without one counts as medium, so that somebody looks.
pub(crate) fn severity(level: Option<Level>) -> Severity {
    level
        .and_then(|level| level.as_str().parse().ok())
        .unwrap_or(Severity::Medium)
}

/// The label that a document gives itself; otherwise one that is made of its id.
pub(crate) fn made_label<V: Serialize>(
    keys: &HashMap<String, V>,
    id: &str,
) -> Result<String, RuleError> {
    let number: Option<u32> = key(keys, "label")?;
    Ok(match number {
        Some(number) => Label::SaasM365(number).to_string(),
        None => format!("SIGMA-{}", id.chars().take(8).collect::<String>()),
    })
}

/// One of our own keys of a document.
pub(crate) fn key<T: serde::de::DeserializeOwned>(
    keys: &HashMap<String, impl Serialize>,
    name: &'static str,
) -> Result<Option<T>, RuleError> {
    keys.get(name)
        .map(|value| serde_json::to_value(value).and_then(serde_json::from_value))
        .transpose()
        .map_err(|cause| RuleError::Key { key: name, cause })
}
