//! What the settings name: rules, mappings, databases and playbooks, read as the stages would read them.

use std::collections::BTreeSet;

use detect::rules::collection;
use respond::stage::load_playbooks;
use schemas::label::Label;
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
    let ruleset = Ruleset::compile(&mut rules);
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
    let known: BTreeSet<&str> = ruleset
        .rules()
        .iter()
        .map(|rule| rule.label.as_str())
        .chain(ruleset.correlations().iter().map(|one| one.label.as_str()))
        .collect();
    playbooks(config, &known, findings);
}

/// Playbooks of the user's: whether they can be read, and whether what they wait for ever comes, or always.
fn playbooks(config: &Config, known: &BTreeSet<&str>, findings: &mut Findings) {
    let at = "respond.playbooks";
    let folder = &config.respond.playbooks;
    if folder.as_os_str().is_empty() {
        return;
    }
    let all = match load_playbooks(&config.data.join(folder)) {
        Ok(all) => all,
        Err(error) => {
            findings.fault(
                at,
                crate::output::exit::chain(&anyhow::Error::from(error)),
                "respond would not start",
                "mend the file, or the folder's name, which is relative to the data folder",
            );
            return;
        }
    };
    for playbook in all.iter().filter(|playbook| !playbook.is_embedded()) {
        let name = &playbook.name;
        if playbook.when.labels.is_empty() {
            findings.note(
                at,
                format!(
                    "playbook {name:?} has no labels: it plans for everybody with an alert of severity {} or more",
                    playbook.when.severity_at_least
                ),
                "what is automatic is done to whoever does something unusual, and not only to whom an attacker has taken over",
                "name the labels that are evidence of it, `vedette rules list` shows them; or nothing, if that is meant",
            );
        }
        for label in &playbook.when.labels {
            match Label::parse(label) {
                Err(_) => findings.fault(
                    at,
                    format!("playbook {name:?} waits for {label:?}, which is no label"),
                    "no alert ever has it, and nothing is planned",
                    "write it as `vedette rules list` shows it: SAAS-M365-00001, five digits",
                ),
                Ok(Some(Label::MsSecGraph(_))) => {}
                Ok(_) if known.contains(label.as_str()) => {}
                Ok(_) => findings.note(
                    at,
                    format!("playbook {name:?} waits for {label:?}, which no rule has that runs"),
                    "nothing is planned before a rule has it",
                    "write it as `vedette rules list` shows it, or name the rule's folder in detect.rules",
                ),
            }
        }
    }
}
