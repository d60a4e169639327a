//! Playbooks: readable files that say when which actions are planned.
//!
//! A playbook plans; whether a plan is carried out is decided by approval and [`crate::preflight`].

use serde::{Deserialize, Serialize};

use schemas::severity::Severity;

use crate::action::{
    Action, AllowSignIn, BlockSignIn, DisableInboxRules, RevokeSessions, RuleChoice,
};

/// The playbooks that are part of the program, by file name.
const EMBEDDED: [(&str, &str); 1] = [(
    "contain_account.toml",
    include_str!("../playbooks/contain_account.toml"),
)];

/// When which actions are planned, in order.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Playbook {
    /// Its name, which audit entries carry as `playbook:NAME`.
    pub name: String,
    /// What it is for, for a person.
    pub title: String,
    /// When it runs.
    pub when: Condition,
    /// What it plans, in order.
    pub steps: Vec<Step>,
}

/// When a playbook runs: all of what is given must hold for the case.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Condition {
    /// The case's severity is at least this.
    pub severity_at_least: Severity,
    /// The case has an alert with one of these labels; empty for any label.
    #[serde(default)]
    pub labels: Vec<String>,
}

/// One action of a playbook.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Step {
    /// Which action.
    pub action: StepAction,
    /// On whom.
    pub target: StepTarget,
    /// Which rules, for `disable_inbox_rules`.
    #[serde(default)]
    pub rules: Option<RuleChoice>,
    /// Whether it is planned again for activity that was accepted after it ran.
    #[serde(default)]
    pub again: bool,
}

/// The actions that a playbook can plan. Turning rules on again needs their ids, which only an undo has.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum StepAction {
    /// Block sign-in.
    BlockSignIn,
    /// Allow sign-in.
    AllowSignIn,
    /// Void every session.
    RevokeSessions,
    /// Turn inbox rules off.
    DisableInboxRules,
}

/// On whom a step acts.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum StepTarget {
    /// The account that the case is about.
    Account,
}

/// Why a file is no playbook.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum PlaybookError {
    /// Not of the shape of a playbook; an unknown key among others.
    #[error("cannot read playbook \"{file}\": {what}")]
    Shape {
        /// The file.
        file: String,
        /// What is wrong and where.
        what: String,
    },
    /// A key that the step's action does not have.
    #[error("playbook \"{file}\" gives rules to step {step}, which has none")]
    RulesOfAnotherAction {
        /// The file.
        file: String,
        /// Number of the step, from 1.
        step: usize,
    },
    /// A name that is taken.
    #[error("playbook \"{file}\" has the name of another, \"{name}\"")]
    NameTaken {
        /// The file.
        file: String,
        /// The name.
        name: String,
    },
}

impl Step {
    /// The action with its parameters.
    pub fn action(&self) -> Action {
        match self.action {
            StepAction::BlockSignIn => Action::BlockSignIn(BlockSignIn {}),
            StepAction::AllowSignIn => Action::AllowSignIn(AllowSignIn {}),
            StepAction::RevokeSessions => Action::RevokeSessions(RevokeSessions {}),
            StepAction::DisableInboxRules => Action::DisableInboxRules(DisableInboxRules {
                rules: self.rules.clone().unwrap_or_default(),
            }),
        }
    }
}

impl Playbook {
    /// Whether it is part of the program.
    pub fn is_embedded(&self) -> bool {
        let embedded = |(file, _): &(&str, &str)| file.strip_suffix(".toml") == Some(&self.name);
        EMBEDDED.iter().any(embedded)
    }
}

impl Condition {
    /// Whether it holds for a case of this severity and these labels.
    pub fn holds<'a>(&self, severity: Severity, mut labels: impl Iterator<Item = &'a str>) -> bool {
        severity >= self.severity_at_least
            && (self.labels.is_empty()
                || labels.any(|label| self.labels.iter().any(|wanted| wanted == label)))
    }
}

/// Reads one playbook; `file` is for messages.
///
/// # Errors
/// [`PlaybookError`] says what is wrong and where.
pub fn parse(file: &str, text: &str) -> Result<Playbook, PlaybookError> {
    let playbook: Playbook = toml::from_str(text).map_err(|error| PlaybookError::Shape {
        file: file.to_owned(),
        what: error.to_string(),
    })?;
    let misplaced = playbook
        .steps
        .iter()
        .position(|step| step.rules.is_some() && step.action != StepAction::DisableInboxRules);
    match misplaced {
        Some(place) => Err(PlaybookError::RulesOfAnotherAction {
            file: file.to_owned(),
            step: place + 1,
        }),
        None => Ok(playbook),
    }
}

/// The playbooks of the program and those of `files` (name and text), in this order.
///
/// # Errors
/// [`PlaybookError`] for the first file that is no playbook or takes another's name.
pub fn load(files: &[(String, String)]) -> Result<Vec<Playbook>, PlaybookError> {
    let embedded = EMBEDDED.iter().copied();
    let added = files
        .iter()
        .map(|(file, text)| (file.as_str(), text.as_str()));
    let mut playbooks: Vec<Playbook> = Vec::new();
    for (file, text) in embedded.chain(added) {
        let playbook = parse(file, text)?;
        if playbooks.iter().any(|other| other.name == playbook.name) {
            return Err(PlaybookError::NameTaken {
                file: file.to_owned(),
                name: playbook.name,
            });
        }
        playbooks.push(playbook);
    }
    Ok(playbooks)
}

#[cfg(test)]
mod tests {
    use super::{PlaybookError, load, parse};
    use crate::action::ActionKind;
    use schemas::severity::Severity;

    const SMALL: &str = "name = 'n'\ntitle = 't'\nwhen = {severity_at_least = 'low', labels = ['SAAS-M365-00001']}\n\
                         steps = [{action = 'revoke_sessions', target = 'account'}]\n";

    #[test]
    fn the_embedded_playbook_contains_an_account_in_order() {
        // Sign-in first, sessions next, rules last.
        let playbooks = load(&[]).unwrap();
        let kinds: Vec<ActionKind> = playbooks[0]
            .steps
            .iter()
            .map(|step| step.action().kind())
            .collect();
        assert_eq!(playbooks[0].name, "contain_account");
        assert!(playbooks[0].is_embedded());
        assert_eq!(
            kinds,
            [
                ActionKind::BlockSignIn,
                ActionKind::RevokeSessions,
                ActionKind::DisableInboxRules
            ]
        );
    }

    #[test]
    fn the_embedded_playbook_acts_on_evidence_of_a_taken_account_only() {
        let when = load(&[]).unwrap().remove(0).when;
        let holds = |label: &str| when.holds(Severity::Critical, [label].into_iter());
        assert!(holds("SAAS-M365-00078") && holds("MS-SEC-GRAPH-00001"));
        // What wrong passwords, or prompts, of somebody else do to the owner who signs in after them; a developer's new
        // secret, mail forwarded by its owner, the audit log switched off, another product's alert,
        // and one that names several without calling them compromised.
        for label in [
            "SAAS-M365-00066",
            "SAAS-M365-00068",
            "SAAS-M365-00070",
            "SAAS-M365-00072",
            "SAAS-M365-00087",
            "SAAS-M365-00002",
            "SAAS-M365-00012",
            "MS-SEC-GRAPH-00002",
            "MS-SEC-GRAPH-00098",
        ] {
            assert!(!holds(label), "{label}");
        }
    }

    #[test]
    fn it_is_written_down_why_no_outsider_brings_a_label_about() {
        let written = include_str!("../../docs/what-acts-by-itself.md");
        let (ours, _) = written.split_once("\nWhat somebody outside can").unwrap();
        let labels = load(&[]).unwrap().remove(0).when.labels;
        for label in &labels {
            assert!(ours.contains(&format!("| {label} |")), "{label}");
        }
        assert_eq!(ours.matches("\n| SAAS-M365-").count() + 1, labels.len());
    }

    #[test]
    fn an_unknown_key_is_an_error_that_names_it() {
        let error = parse("mine.toml", &format!("{SMALL}severty = 'high'\n")).unwrap_err();
        assert!(
            error.to_string().contains("severty") && error.to_string().contains("mine.toml"),
            "{error}"
        );
        assert!(
            parse(
                "mine.toml",
                &SMALL.replace("revoke_sessions", "delete_user")
            )
            .is_err()
        );
        assert!(
            parse(
                "mine.toml",
                &SMALL.replace("target = 'account'", "target = 'everyone'")
            )
            .is_err()
        );
    }

    #[test]
    fn rules_belong_to_the_action_that_has_rules() {
        let text = SMALL.replace("target = 'account'", "target = 'account', rules = 'all'");
        let expected = PlaybookError::RulesOfAnotherAction {
            file: "mine.toml".to_owned(),
            step: 1,
        };
        assert_eq!(parse("mine.toml", &text), Err(expected));
    }

    #[test]
    fn a_name_is_taken_once() {
        let text = SMALL.replace("'n'", "'contain_account'");
        assert!(matches!(
            load(&[("mine.toml".to_owned(), text)]),
            Err(PlaybookError::NameTaken { .. })
        ));
    }

    #[test]
    fn severity_and_label_must_both_hold() {
        let when = parse("mine.toml", SMALL).unwrap().when;
        assert!(when.holds(Severity::Low, ["x", "SAAS-M365-00001"].into_iter()));
        assert!(!when.holds(Severity::Informational, ["SAAS-M365-00001"].into_iter()));
        assert!(!when.holds(Severity::Critical, ["x"].into_iter()));
    }
}
