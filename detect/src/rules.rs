//! The rules that come with the binary, one file each in `rules/` with its cases, and those that a configuration names.

use std::io;
use std::sync::Arc;

use schemas::environment::{Clock as _, SystemClock};
use schemas::limits::SETTING_BYTES_MAX;
use schemas::small_file;
use sigma::collection::load_folder;
use sigma::error::LoadDiagnostic;
use sigma::mapping::UserMapping;
use sigma::metadata::Day;
use sigma::placeholders::Placeholders;
use sigma::{RuleCollection, RuleError, Ruleset};

use crate::config::DetectConfig;
use crate::error::DetectError;
use crate::ip_database::IpDatabases;

/// The files of `rules/`, as they were when the binary was built.
const BUILTIN: &[(&str, &str)] = include!(concat!(env!("OUT_DIR"), "/rules.rs"));

/// Names and texts of the rule files that come with the binary.
pub fn builtin_files() -> impl Iterator<Item = (&'static str, &'static str)> {
    BUILTIN.iter().copied()
}

/// No rules yet, and the names and values that a configuration gives to rules; a file that cannot be read is refused.
pub fn empty(config: &DetectConfig) -> RuleCollection {
    let mut extension = UserMapping::default();
    let mut rejected = Vec::new();
    for path in &config.mappings {
        let file = path.display().to_string();
        let read = small_file::read_text(path, SETTING_BYTES_MAX).map_err(|cause| LoadDiagnostic {
            file: file.clone(),
            line: None,
            reason: RuleError::Unreadable { cause },
        });
        match read.and_then(|text| UserMapping::parse(&file, &text)) {
            Ok(found) => extension.join(found),
            Err(refused) => rejected.push(refused),
        }
    }
    let mut collection = RuleCollection::extended(extension);
    collection.placeholders = Placeholders {
        values: config.placeholders.clone(),
        tenants: config.tenants.clone(),
    };
    let mut databases = IpDatabases::default();
    for path in &config.ip_databases {
        if let Err(cause) = databases.add(path) {
            rejected.push(LoadDiagnostic {
                file: path.display().to_string(),
                line: None,
                reason: RuleError::Unreadable {
                    cause: io::Error::other(cause),
                },
            });
        }
    }
    if !databases.is_empty() {
        collection.places = Some(Arc::new(databases));
    }
    collection.rejected = rejected;
    // Filters hold through their last day; a collection is read anew when a rule file changes and at each start.
    collection.today = Some(Day::of_us(SystemClock.now_us()));
    collection
}

/// The rules that come with the binary.
pub fn builtin() -> RuleCollection {
    let mut collection = RuleCollection::default();
    add_builtin(&mut collection);
    collection
}

/// Adds the rules that come with the binary.
pub fn add_builtin(collection: &mut RuleCollection) {
    for (file, text) in builtin_files() {
        collection.add(file, text.as_bytes());
    }
}

/// The rules that a configuration names, with what was refused.
pub fn collection(config: &DetectConfig) -> RuleCollection {
    let mut collection = empty(config);
    if config.builtin_rules {
        add_builtin(&mut collection);
    }
    for folder in &config.rules {
        load_folder(&mut collection, folder);
    }
    collection
}

/// The rules that a configuration names, compiled.
///
/// # Errors
/// [`DetectError::Refused`] if the configuration is strict and a rule was refused.
pub fn ruleset(config: &DetectConfig) -> Result<Ruleset, DetectError> {
    let mut collection = collection(config);
    let rules = Ruleset::compile(&mut collection);
    for rejected in &collection.rejected {
        tracing::warn!(%rejected, "rule was refused");
    }
    metrics::gauge!("detect_rules", "state" => "rejected").set(float(collection.rejected.len()));
    match collection.rejected.first() {
        Some(first) if config.strict => Err(DetectError::Refused {
            count: collection.rejected.len(),
            first: first.to_string(),
        }),
        _ => {
            metrics::gauge!("detect_rules", "state" => "loaded").set(float(rules.rules().len()));
            Ok(rules)
        }
    }
}

#[expect(
    clippy::cast_precision_loss,
    reason = "a metric; counts stay far below 2^52"
)]
fn float(count: usize) -> f64 {
    count as f64
}
