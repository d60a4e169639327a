//! What the settings name: rules, mappings, databases and playbooks, read as the stages would read them.

use detect::rules::collection;
use respond::stage::load_playbooks;
use sigma::Ruleset;

use super::Findings;
use crate::config::Config;

/// Most refused rules that are told one by one; `vedette rules lint` has all of them.
const REFUSED_TOLD_MAX: usize = 20;

pub(super) fn check(config: &Config, findings: &mut Findings) {
    for folder in &config.detect.rules {
        if !folder.exists() {
            findings.fault(
                "detect.rules",
                format!("there is no {}", folder.display()),
                "none of its rules would run",
                "name a folder that is there; a relative path begins where vedette is started",
            );
        }
    }
    let mut rules = collection(&config.detect());
    // Some rules are refused only when they are compiled.
    Ruleset::compile(&mut rules);
    for rejected in rules.rejected.iter().take(REFUSED_TOLD_MAX) {
        findings.fault(
            "detect",
            rejected.to_string(),
            "it is left out, and what it looks for is not found",
            "mend the file; `vedette rules lint` says more",
        );
    }
    let more = rules.rejected.len().saturating_sub(REFUSED_TOLD_MAX);
    if more > 0 {
        findings.fault(
            "detect",
            format!("{more} more are refused"),
            "they are left out, and what they look for is not found",
            "`vedette rules lint` lists them all",
        );
    }
    let folder = &config.respond.playbooks;
    if !folder.as_os_str().is_empty()
        && let Err(error) = load_playbooks(&config.data.join(folder))
    {
        findings.fault(
            "respond.playbooks",
            crate::exit::chain(&anyhow::Error::from(error)),
            "respond would not start",
            "mend the file, or the folder's name, which is relative to the data folder",
        );
    }
}
