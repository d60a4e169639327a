//! What the identity platform's error codes mean, and whether waiting helps. Pure.
//!
//! Source: Microsoft identity platform, "Microsoft Entra authentication and authorization error codes".

use std::fmt;
use std::time::Duration;

use serde_json::Value;

/// Whether waiting helps.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Meaning {
    /// It passes by itself.
    Transient,
    /// It passes some minutes after somebody has set things up.
    Settling {
        /// When to look again.
        after: Duration,
    },
    /// A person must mend it: consent, a secret, a licence, the tenant.
    Person,
    /// The request is wrong, which is a fault of ours.
    Bug,
}

const MINUTE: Duration = Duration::from_mins(1);

/// Codes, what they mean for waiting, and for a person.
const CODES: &[(u64, Meaning, &str)] = &[
    (
        700_016,
        Meaning::Settling { after: MINUTE },
        "the app is not in the tenant: consent is missing, or the tenant is the wrong one",
    ),
    (
        7_000_215,
        Meaning::Settling { after: MINUTE },
        "the client secret is wrong (is it the secret's id instead of its value?)",
    ),
    (7_000_222, Meaning::Person, "the client secret is expired"),
    (
        700_027,
        Meaning::Settling { after: MINUTE },
        "the certificate is not registered or expired",
    ),
    (700_030, Meaning::Person, "the assertion is not valid"),
    (50_012, Meaning::Person, "the assertion is not valid"),
    (50_013, Meaning::Person, "the assertion is not valid"),
    (
        500_133,
        Meaning::Person,
        "the assertion is outside its time: check the clock",
    ),
    (50_027, Meaning::Person, "the assertion is not valid"),
    (
        700_211,
        Meaning::Settling { after: MINUTE },
        "the federated credential does not match the issuer",
    ),
    (
        700_212,
        Meaning::Settling { after: MINUTE },
        "the federated credential does not match the audience",
    ),
    (
        700_213,
        Meaning::Settling { after: MINUTE },
        "the federated credential does not match the subject",
    ),
    (7_000_112, Meaning::Person, "the app is disabled"),
    (7_000_218, Meaning::Bug, "no credential was sent"),
    (700_025, Meaning::Bug, "the app is a public client"),
    (70_011, Meaning::Bug, "the scope is not valid"),
    (700_022, Meaning::Bug, "the scope names several resources"),
    (
        500_011,
        Meaning::Person,
        "the resource is not in the tenant: is Microsoft 365 licensed?",
    ),
    (
        650_052,
        Meaning::Person,
        "the resource is not in the tenant: is Microsoft 365 licensed?",
    ),
    (
        650_057,
        Meaning::Person,
        "the app does not ask for this resource",
    ),
    (65_001, Meaning::Person, "nobody has consented"),
    (65_004, Meaning::Person, "consent was declined"),
    (90_002, Meaning::Person, "the tenant is not found"),
    (90_038, Meaning::Person, "the tenant is in another cloud"),
    (900_382, Meaning::Person, "the tenant is in another cloud"),
    (900_432, Meaning::Person, "the tenant is in another cloud"),
    (53_003, Meaning::Person, "conditional access blocks the app"),
    (
        50_196,
        Meaning::Bug,
        "the same token was asked for in a loop",
    ),
    (90_006, Meaning::Transient, "the identity platform is busy"),
    (90_012, Meaning::Transient, "the identity platform is busy"),
    (90_024, Meaning::Transient, "the identity platform is busy"),
    (90_033, Meaning::Transient, "the identity platform is busy"),
    (50_033, Meaning::Transient, "the identity platform is busy"),
    (50_087, Meaning::Transient, "the identity platform is busy"),
    (
        90_055,
        Meaning::Transient,
        "the identity platform is throttling",
    ),
];

/// Why the identity platform gave no token, without its text: that can hold secrets.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Refusal {
    /// HTTP status; 0 if the platform could not be reached.
    pub status: u16,
    /// First of `error_codes`; 0 if there is none.
    pub code: u64,
    /// Whether waiting helps.
    pub meaning: Meaning,
    /// For a person.
    pub explanation: &'static str,
    /// Microsoft's trace id, for its support; or empty.
    pub trace_id: String,
}

impl Refusal {
    /// Reads an error body by its number, never by its text.
    pub(super) fn of_body(status: u16, body: &Value) -> Self {
        let code = body
            .get("error_codes")
            .and_then(|codes| codes.get(0))
            .and_then(Value::as_u64)
            .unwrap_or(0);
        let word = body
            .get("error")
            .and_then(Value::as_str)
            .unwrap_or_default();
        let known = CODES.iter().find(|(known, _, _)| *known == code);
        let (meaning, explanation) = match known {
            Some((_, meaning, explanation)) => (*meaning, *explanation),
            None if status == 429 || status >= 500 || word == "temporarily_unavailable" => {
                (Meaning::Transient, "the identity platform is busy")
            }
            None if (200..300).contains(&status) => (Meaning::Transient, "the answer is no token"),
            None => (
                Meaning::Person,
                "the identity platform refused with a code that is not in our table",
            ),
        };
        let trace_id = body
            .get("trace_id")
            .and_then(Value::as_str)
            .unwrap_or_default();
        Self {
            status,
            code,
            meaning,
            explanation,
            trace_id: trace_id
                .chars()
                .filter(|letter| letter.is_ascii_hexdigit() || *letter == '-')
                .take(64)
                .collect(),
        }
    }

    pub(super) fn unreachable() -> Self {
        Self {
            status: 0,
            code: 0,
            meaning: Meaning::Transient,
            explanation: "the identity platform could not be reached",
            trace_id: String::new(),
        }
    }
}

impl fmt::Display for Refusal {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "{}", self.explanation)?;
        if self.code != 0 {
            write!(formatter, " (AADSTS{})", self.code)?;
        }
        if self.status != 0 {
            write!(formatter, " (status {})", self.status)?;
        }
        if !self.trace_id.is_empty() {
            write!(formatter, " (trace {})", self.trace_id)?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::{CODES, Meaning, Refusal};
    use serde_json::json;

    #[test]
    fn the_number_decides_and_the_text_is_never_shown() {
        let body = json!({"error": "invalid_client", "error_codes": [7_000_222], "trace_id": "0c-1\n<x>",
            "error_description": "AADSTS7000215: canary-secret is wrong"});
        let refusal = Refusal::of_body(401, &body);
        assert_eq!(refusal.meaning, Meaning::Person);
        assert_eq!(
            refusal.to_string(),
            "the client secret is expired (AADSTS7000222) (status 401) (trace 0c-1)"
        );
        assert!(!format!("{refusal:?}").contains("canary"));
    }

    #[test]
    fn what_passes_by_itself_is_transient() {
        for (status, body) in [
            (429, json!({})),
            (503, json!("<html>")),
            (400, json!({"error": "temporarily_unavailable"})),
            (400, json!({"error_codes": [90_033]})),
            (200, json!("<html>")),
        ] {
            assert_eq!(
                Refusal::of_body(status, &body).meaning,
                Meaning::Transient,
                "{body}"
            );
        }
        assert_eq!(
            Refusal::of_body(400, &json!({"error_codes": [1]})).meaning,
            Meaning::Person
        );
    }

    #[test]
    fn a_code_stands_in_the_table_once() {
        for (index, (code, _, _)) in CODES.iter().enumerate() {
            assert!(
                CODES[index + 1..].iter().all(|(other, _, _)| other != code),
                "{code}"
            );
        }
    }
}
