//! The names under which detections are known: `SAAS-M365-00001`, `MS-SEC-GRAPH-00001`.

use std::fmt;

/// A detection's label: a namespace and a stable number of five digits.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Label {
    /// One of our rules.
    SaasM365(u32),
    /// One of Microsoft's alerts, by provider.
    MsSecGraph(u32),
}

impl fmt::Display for Label {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::SaasM365(number) => write!(formatter, "SAAS-M365-{number:05}"),
            Self::MsSecGraph(number) => write!(formatter, "MS-SEC-GRAPH-{number:05}"),
        }
    }
}

/// Number of the label for alerts whose provider is not in the table.
pub const MS_SEC_GRAPH_UNKNOWN: u32 = 99;

/// Providers of `alerts_v2`, with the numbers of their labels; numbers are never reused.
///
/// Source: Microsoft Graph, `microsoft.graph.security.serviceSource`.
const PROVIDERS: &[(&str, u32)] = &[
    ("azureadidentityprotection", 1),
    ("microsoft365defender", 2),
    ("microsoftdefenderforcloudapps", 3),
    ("microsoftdefenderforendpoint", 4),
    ("microsoftdefenderforidentity", 5),
    ("microsoftdefenderforoffice365", 6),
    ("datalossprevention", 7),
    ("microsoftinsiderriskmanagement", 8),
    ("microsoftappgovernance", 9),
    ("microsoftdefenderforcloud", 10),
    ("microsoftsentinel", 11),
    ("microsoftthreatintelligence", 12),
];

/// Number of the label for an account that an alert of Microsoft's names among others, without calling it compromised.
pub const MS_SEC_GRAPH_ONE_OF_SEVERAL: u32 = 98;

const SAAS_M365: &str = "SAAS-M365-";
const MS_SEC_GRAPH: &str = "MS-SEC-GRAPH-";

/// The text looks like one of our labels, and is none.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NotALabel;

impl Label {
    /// The label of an alert about an account that stands among others and is not called compromised.
    ///
    /// It is no provider's, so that what acts by itself on a provider's alerts leaves it to a person.
    pub const ONE_OF_SEVERAL: Self = Self::MsSecGraph(MS_SEC_GRAPH_ONE_OF_SEVERAL);

    /// Reads a label; none where the text is in another namespace, as the labels of somebody else's rules are.
    ///
    /// # Errors
    /// [`NotALabel`] if it is in one of these namespaces, however written, and not of the form; or if it is no word at all.
    pub fn parse(text: &str) -> Result<Option<Self>, NotALabel> {
        let is_word = |letter: char| letter.is_ascii_alphanumeric() || "-_.:".contains(letter);
        if text.is_empty() || !text.chars().all(is_word) {
            return Err(NotALabel);
        }
        for namespace in [SAAS_M365, MS_SEC_GRAPH] {
            let family = namespace.trim_end_matches('-');
            if !text.to_ascii_uppercase().starts_with(family) {
                continue;
            }
            let number = text
                .strip_prefix(namespace)
                .filter(|number| number.len() == 5)
                .filter(|number| number.bytes().all(|digit| digit.is_ascii_digit()))
                .and_then(|number| number.parse().ok())
                .ok_or(NotALabel)?;
            return Ok(Some(if namespace == SAAS_M365 {
                Self::SaasM365(number)
            } else {
                Self::MsSecGraph(number)
            }));
        }
        Ok(None)
    }

    /// The label of an alert of Microsoft's by its `serviceSource`, in any letter case.
    pub fn of_provider(service_source: &str) -> Self {
        let wanted = service_source.to_ascii_lowercase();
        let number = PROVIDERS
            .iter()
            .find(|(name, _)| *name == wanted)
            .map_or(MS_SEC_GRAPH_UNKNOWN, |(_, number)| *number);
        Self::MsSecGraph(number)
    }
}

#[cfg(test)]
mod tests {
    use super::{Label, NotALabel};

    #[test]
    fn a_slip_is_no_label() {
        assert_eq!(
            Label::parse("SAAS-M365-00001"),
            Ok(Some(Label::SaasM365(1)))
        );
        assert_eq!(
            Label::parse("MS-SEC-GRAPH-00099"),
            Ok(Some(Label::MsSecGraph(99)))
        );
        assert_eq!(Label::parse("SIGMA-565e27c5"), Ok(None));
        for text in [
            "SAAS-M365-0001",
            "SAAS-M365-000001",
            "saas-m365-00001",
            "SAAS-M36500001",
            "MS-SEC-GRAPH-1",
            "SAAS-M365-+0001",
            "nonsense OR 1=1",
            "",
        ] {
            assert_eq!(Label::parse(text), Err(NotALabel), "{text}");
        }
    }

    #[test]
    fn has_five_digits() {
        assert_eq!(Label::SaasM365(12).to_string(), "SAAS-M365-00012");
    }

    #[test]
    fn knows_providers_in_any_case_and_keeps_unknown_ones() {
        assert_eq!(
            Label::of_provider("azureAdIdentityProtection").to_string(),
            "MS-SEC-GRAPH-00001"
        );
        assert_eq!(
            Label::of_provider("somethingNew").to_string(),
            "MS-SEC-GRAPH-00099"
        );
    }
}
