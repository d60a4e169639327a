//! What detect evaluates, and how.

use std::collections::BTreeMap;
use std::path::PathBuf;

use serde::{Deserialize, Serialize};
use sigma::placeholders::PlaceholderValues;

/// What detect evaluates, and how.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct DetectConfig {
    /// Folders of further rules, beside those that come with the binary.
    pub rules: Vec<PathBuf>,
    /// Files that add names of log sources and fields to ours (YAML, one table each source); later ones come first.
    pub mappings: Vec<PathBuf>,
    /// IP databases (MaxMind DB files), asked in this order for places that records do not tell; each is held in memory.
    pub ip_databases: Vec<PathBuf>,
    /// Whether the rules that come with the binary are evaluated.
    pub builtin_rules: bool,
    /// Whether a rule that is refused stops detect, or keeps changed rules from being taken; otherwise it is logged
    /// and left out.
    pub strict: bool,
    /// Milliseconds between looks at the files of rules and mappings, so that changed ones are loaded; 0 for never.
    pub reload_ms: u64,
    /// Name of the consumer group.
    pub group: String,
    /// Values for `%name%` in rules with the modifier `expand`.
    pub placeholders: PlaceholderValues,
    /// What single tenants have beside them, by their ids; filled from what is configured of each tenant.
    #[serde(skip)]
    pub tenants: BTreeMap<String, PlaceholderValues>,
}

impl Default for DetectConfig {
    fn default() -> Self {
        Self {
            rules: Vec::new(),
            mappings: Vec::new(),
            ip_databases: Vec::new(),
            builtin_rules: true,
            strict: false,
            reload_ms: 5_000,
            group: "detect".to_owned(),
            placeholders: PlaceholderValues::new(),
            tenants: BTreeMap::new(),
        }
    }
}
