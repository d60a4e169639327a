//! Which accounts one of Microsoft's alerts is about: those of its evidence that it does not clear.
//!
//! Evidence names people for many reasons: who was attacked, who opened the ticket's mail, whose manager somebody is.
//! Who is cleared, or stands there as context only, is not whom the alert is about. Of several who remain only those
//! whom Microsoft calls compromised, or the evidence malicious, are certainly the victims; the others are named too,
//! so that nobody is left out, and a person decides about them.
//!
//! Source: Microsoft Graph, `microsoft.graph.security.alertEvidence`, `evidenceRole` and `evidenceVerdict`.

use schemas::path;
use serde_json::Value;

/// Most members of an alert's evidence that are looked at.
pub(super) const EVIDENCE_MAX: usize = 1_000;

/// The verdict of evidence that Microsoft looked at and cleared.
const CLEARED: &str = "noThreatsFound";

/// The role of evidence that is there for understanding.
const CONTEXT: &str = "contextual";

/// An account that an alert is about.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct Account {
    /// User principal name, its ASCII letters in lower case, or empty.
    pub(super) user: String,
    /// Object id in lower case, or empty.
    pub(super) user_id: String,
    /// True if the alert says that this account is compromised, or is about no other.
    pub(super) is_certain: bool,
}

/// The accounts that an alert is about, those that are told whole first; none where no evidence names one.
pub(super) fn accounts(alert: &Value) -> Vec<Account> {
    let mut named: Vec<Account> = members(alert).filter_map(affected).collect();
    // Who is told whole knows both halves: the others find theirs in it, in whichever order they stand.
    named.sort_by_key(|account| account.user.is_empty() || account.user_id.is_empty());
    let mut found: Vec<Account> = Vec::new();
    for account in named {
        match found.iter_mut().find(|known| known.is(&account)) {
            Some(known) => known.join(account),
            None => found.push(account),
        }
    }
    if let [only] = found.as_mut_slice() {
        only.is_certain = true;
    }
    found
}

/// The members of an alert's evidence, at most [`EVIDENCE_MAX`].
pub(super) fn members(alert: &Value) -> impl Iterator<Item = &Value> {
    let members = alert.get("evidence").and_then(Value::as_array);
    members.into_iter().flatten().take(EVIDENCE_MAX)
}

/// The text at the first of these paths that has one, or empty.
pub(super) fn text(member: &Value, paths: &[&str]) -> String {
    path::find_first(member, paths)
        .and_then(|value| value.as_str().map(str::to_owned))
        .unwrap_or_default()
}

/// The account of a piece of evidence that is affected; none if it names none, is cleared, or is context alone.
fn affected(member: &Value) -> Option<Account> {
    let is = |text: &str, word: &str| text.eq_ignore_ascii_case(word);
    let verdict = text(member, &["verdict"]);
    let roles = member.get("roles").and_then(Value::as_array);
    let roles: Vec<&str> = roles
        .into_iter()
        .flatten()
        .filter_map(Value::as_str)
        .collect();
    let is_context = !roles.is_empty() && roles.iter().all(|role| is(role, CONTEXT));
    if is(&verdict, CLEARED) || is_context {
        return None;
    }
    let names = ["userAccount.userPrincipalName", "primaryAddress", "upn"];
    let account = Account {
        user: text(member, &names).to_ascii_lowercase(),
        user_id: text(member, &["userAccount.azureAdUserId"]).to_ascii_lowercase(),
        is_certain: is(&verdict, "malicious") || roles.iter().any(|role| is(role, "compromised")),
    };
    (!account.user.is_empty() || !account.user_id.is_empty()).then_some(account)
}

impl Account {
    /// What tells it from others within the alert.
    pub(super) fn key(&self) -> &str {
        if self.user_id.is_empty() {
            &self.user
        } else {
            &self.user_id
        }
    }

    /// Whether it has the name or the object id of the other, and contradicts neither.
    fn is(&self, other: &Self) -> bool {
        let pairs = [(&self.user, &other.user), (&self.user_id, &other.user_id)];
        let told = || {
            pairs
                .iter()
                .filter(|(one, other)| !one.is_empty() && !other.is_empty())
        };
        told().count() > 0 && told().all(|(one, other)| one == other)
    }

    fn join(&mut self, other: Self) {
        self.is_certain |= other.is_certain;
        for (own, told) in [
            (&mut self.user, other.user),
            (&mut self.user_id, other.user_id),
        ] {
            if own.is_empty() {
                *own = told;
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::accounts;

    fn account(name: &str, id: &str) -> Value {
        json!({"userAccount": {"userPrincipalName": name, "azureAdUserId": id}})
    }

    fn judged(name: &str, id: &str, verdict: &str, roles: &[&str]) -> Value {
        let mut member = account(name, id);
        member["verdict"] = json!(verdict);
        member["roles"] = json!(roles);
        member
    }

    #[track_caller]
    fn check(evidence: &Value, expected: &[(&str, &str, bool)]) {
        let found = accounts(&json!({"evidence": evidence}));
        let told: Vec<(&str, &str, bool)> = found
            .iter()
            .map(|one| (one.user.as_str(), one.user_id.as_str(), one.is_certain))
            .collect();
        assert_eq!(told, expected);
    }

    #[test]
    fn name_and_id_are_of_one_account() {
        let nobody = json!({"ipAddress": "192.0.2.7"});
        let ada = account("Ada@contoso.test", "1");
        check(&json!([nobody, ada]), &[("ada@contoso.test", "1", true)]);
        let (half, id_alone) = (account("ada@contoso.test", ""), account("", "2"));
        let apart = [("ada@contoso.test", "", false), ("", "2", false)];
        check(&json!([half, id_alone]), &apart);
        check(
            &json!([half, id_alone, ada]),
            &[("ada@contoso.test", "1", false), ("", "2", false)],
        );
        let again = account("ada@contoso.test", "9");
        check(
            &json!([ada, again]),
            &[
                ("ada@contoso.test", "1", false),
                ("ada@contoso.test", "9", false),
            ],
        );
        let mailbox = json!({"primaryAddress": "bo@contoso.test"});
        check(
            &json!([mailbox, ada]),
            &[
                ("ada@contoso.test", "1", false),
                ("bo@contoso.test", "", false),
            ],
        );
        check(&json!([]), &[]);
    }

    #[test]
    fn who_is_cleared_or_context_is_not_whom_it_is_about() {
        let olga = judged("olga@contoso.test", "2", "malicious", &["compromised"]);
        for nils in [
            judged("nils@contoso.test", "1", "noThreatsFound", &["contextual"]),
            judged("nils@contoso.test", "1", "noThreatsFound", &[]),
            judged("nils@contoso.test", "1", "NoThreatsFound", &["compromised"]),
            judged("nils@contoso.test", "1", "suspicious", &["contextual"]),
        ] {
            check(&json!([nils, olga]), &[("olga@contoso.test", "2", true)]);
            check(&json!([nils]), &[]);
        }
        // Context in one piece of evidence and compromised in another is compromised.
        let context = judged("olga@contoso.test", "2", "unknown", &["contextual"]);
        check(&json!([context, olga]), &[("olga@contoso.test", "2", true)]);
    }

    #[test]
    fn each_of_several_is_named_and_only_the_compromised_are_certain() {
        let nils = judged("nils@contoso.test", "1", "suspicious", &["attacked"]);
        let olga = judged("olga@contoso.test", "2", "suspicious", &["compromised"]);
        let per = judged("per@contoso.test", "3", "malicious", &["destination"]);
        check(
            &json!([nils, olga, per]),
            &[
                ("nils@contoso.test", "1", false),
                ("olga@contoso.test", "2", true),
                ("per@contoso.test", "3", true),
            ],
        );
    }

    #[test]
    fn a_look_alike_is_not_the_account() {
        check(
            &json!([account("\u{212a}eller@contoso.test", "")]),
            &[("\u{212a}eller@contoso.test", "", true)],
        );
    }
}
