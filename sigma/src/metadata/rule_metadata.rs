//! What an alert of a rule or correlation says, whatever it found.

use schemas::severity::Severity;

use super::attack;

/// What an alert says.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RuleMetadata {
    /// Id of the rule or correlation.
    pub id: String,
    /// The name under which its alerts are known.
    pub label: String,
    /// Its title.
    pub title: String,
    /// What it means and what to check first.
    pub description: String,
    /// How grave it is.
    pub severity: Severity,
    /// ATT&CK techniques, for example "T1114.003".
    pub techniques: Vec<String>,
    /// ATT&CK tactics, for example "collection".
    pub tactics: Vec<String>,
    /// What it cannot see, one sentence each.
    pub blind_spots: Vec<String>,
}

impl RuleMetadata {
    pub(crate) fn new(
        id: &str,
        label: &str,
        title: &str,
        description: Option<&str>,
        check_first: &[String],
        severity: Severity,
        tags: &[String],
    ) -> Self {
        let mut text = description.unwrap_or_default().trim().to_owned();
        if !check_first.is_empty() {
            text.push_str("\n\nCheck first:");
            for step in check_first {
                text.push_str("\n- ");
                text.push_str(step);
            }
        }
        let (techniques, tactics) = attack::split(tags);
        Self {
            id: id.to_owned(),
            label: label.to_owned(),
            title: title.to_owned(),
            description: text,
            severity,
            techniques,
            tactics,
            blind_spots: Vec::new(),
        }
    }

    pub(crate) fn blind_to(mut self, blind_spots: &[String]) -> Self {
        self.blind_spots = blind_spots.to_vec();
        self
    }
}
