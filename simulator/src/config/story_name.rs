//! The attacks that the simulator can tell.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

use crate::error::SimulatorError;

/// An attack that can happen on the simulated day.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum StoryName {
    /// A session is phished through a proxy, and the mailbox is misused for payment fraud.
    ///
    /// It alone obeys every response; the others obey the block of the account.
    AdversaryInTheMiddle,
    /// A person consents to a malicious application of another tenant, which then reads the mailbox.
    ConsentPhishing,
    /// Few addresses try few passwords against everybody; one fits, and the mailbox is opened without a second factor.
    PasswordSpray,
    /// The password is known, and prompts are sent until one is accepted; then a new second factor is registered.
    ///
    /// It ends the simulated day, which is night if the day is longer than people work.
    MfaFatigue,
    /// The administrator builds back doors and switches off what would tell of them.
    ///
    /// The unified audit log goes on all the same: Microsoft obeys the switch late.
    RogueAdministrator,
    /// A leaver downloads hundreds of files, shares and forwards, and deletes what is left.
    MassExfiltration,
}

impl StoryName {
    /// Every story.
    pub const ALL: [Self; 6] = [
        Self::AdversaryInTheMiddle,
        Self::ConsentPhishing,
        Self::PasswordSpray,
        Self::MfaFatigue,
        Self::RogueAdministrator,
        Self::MassExfiltration,
    ];

    /// Its name in configuration, on command lines and in answers.
    pub const fn name(self) -> &'static str {
        match self {
            Self::AdversaryInTheMiddle => "adversary_in_the_middle",
            Self::ConsentPhishing => "consent_phishing",
            Self::PasswordSpray => "password_spray",
            Self::MfaFatigue => "mfa_fatigue",
            Self::RogueAdministrator => "rogue_administrator",
            Self::MassExfiltration => "mass_exfiltration",
        }
    }
}

impl fmt::Display for StoryName {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(self.name())
    }
}

impl FromStr for StoryName {
    type Err = SimulatorError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        Self::ALL
            .into_iter()
            .find(|story| story.name() == text)
            .ok_or_else(|| SimulatorError::Story {
                name: text.to_owned(),
            })
    }
}

#[cfg(test)]
mod tests {
    use super::StoryName;

    #[test]
    fn names_are_read_as_they_are_written() {
        for story in StoryName::ALL {
            assert_eq!(story.to_string().parse::<StoryName>().unwrap(), story);
            assert_eq!(serde_json::json!(story), story.name());
        }
        let refusal = "spray".parse::<StoryName>().unwrap_err().to_string();
        assert!(refusal.contains("\"spray\"") && refusal.contains("password_spray"));
    }
}
