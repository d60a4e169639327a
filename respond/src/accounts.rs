//! Pure: an account has an object id and a name, and what is known of one gives the other.
//!
//! A pair is a fact with a time: this object id had this user principal name then. Pairs come from alerts that
//! know both, at the alert's own time, and from the directory, at the time of its answer. Every pair is kept, and
//! the newest pair with a name or with an id answers for it, whatever the order of arrival:
//!
//! - an account with a new name keeps its old one too, so that late records under the old name find it;
//! - a name that has passed to another account means the newer account from then on. A case that knows its object
//!   id does not follow the name: cases of different object ids are never one.
//!
//! What was filled in is never a pair again, so a stale pair cannot make itself newer. A pair joins cases and never
//! decides a target: whom an action is about is what [`named`] says.

pub mod memory;
pub mod named;

use schemas::provenance::Provenance;

use crate::cases::SeenAlert;
use crate::directory::{ObjectId, User};
use crate::graph::NAME_BYTES_MAX;
use schemas::letters;

/// Most pairs of a tenant; the ones that were not seen for longest are forgotten, and asked for again.
///
/// Ten times the accounts of a large organisation's month of alerts, at about 200 bytes each.
pub const PAIRS_MAX: usize = 100_000;

/// How long a pair is believed, in microseconds: a name can pass to another account, so the directory is asked anew.
///
/// A day: names pass on when people come, go or marry, and the directory answers in a fraction of a second.
pub const PAIR_AGE_US: i64 = 24 * 3_600_000_000;

/// The object id that records give to an account that does not exist.
const NOBODY: &str = "00000000-0000-0000-0000-000000000000";

/// An object id and the user principal name that it had, in lower case.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Pair {
    /// The tenant.
    pub tenant_id: String,
    /// Object id.
    pub user_id: String,
    /// User principal name.
    pub user: String,
    /// When they belonged together, in microseconds since the Unix epoch, UTC.
    pub seen_time_us: i64,
}

impl Pair {
    /// What an alert says about an account; none unless it knows both, both have their form, and it is of live evidence:
    /// a file can say anything.
    ///
    /// A time ahead of us counts as now: no pair may win for ever.
    pub fn of(alert: &SeenAlert, now_us: i64) -> Option<Self> {
        let is_live = alert.provenance() == Provenance::Live;
        (is_live && is_id(&alert.user_id) && is_name(&alert.user)).then(|| Self {
            tenant_id: alert.tenant_id.clone(),
            user_id: alert.user_id.clone(),
            user: alert.user.clone(),
            seen_time_us: alert.time_us.min(now_us),
        })
    }

    /// What the directory said when it was asked for `half`.
    ///
    /// None for a guest who was asked for by id, whom records name in two ways, and for an account that is not the one
    /// asked for.
    pub fn answered(half: &Half, user: &User, now_us: i64) -> Option<Self> {
        let name = told_name(&user.user_principal_name);
        let is_asked = half.text == user.id.as_str() || half.text == name;
        let is_told_so = !user.is_guest || half.text == name;
        (is_asked && is_name(&name) && is_told_so).then(|| Self {
            tenant_id: half.tenant_id.clone(),
            user_id: user.id.as_str().to_owned(),
            user: name,
            seen_time_us: now_us,
        })
    }

    /// Whether it says anything about an alert: it was seen at most [`PAIR_AGE_US`] before, or at any time since.
    pub fn is_fresh_for(&self, alert: &SeenAlert, now_us: i64) -> bool {
        self.seen_time_us >= alert.time_us.min(now_us).saturating_sub(PAIR_AGE_US)
    }

    /// Gives an alert the half that it lacks; what it says itself is left as it is.
    pub fn complete(&self, alert: &mut SeenAlert) {
        if alert.user.is_empty() {
            alert.user.clone_from(&self.user);
        } else if alert.user_id.is_empty() {
            alert.user_id.clone_from(&self.user_id);
        }
    }
}

/// What an alert knows of an account whose other half it lacks: an object id or a name.
///
/// No text is both, because a name has an `@`.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Half {
    /// The tenant.
    pub tenant_id: String,
    /// The object id or the name, in lower case.
    pub text: String,
}

impl Half {
    /// The half that an alert knows; none if it knows both or neither, or if it is of no form that can be asked for.
    pub fn of(alert: &SeenAlert) -> Option<Self> {
        let text = match (alert.user.as_str(), alert.user_id.as_str()) {
            (name, "") if is_name(name) => name,
            ("", id) if is_id(id) => id,
            _ => return None,
        };
        Some(Self {
            tenant_id: alert.tenant_id.clone(),
            text: text.to_owned(),
        })
    }
}

/// The object id that an alert tells, in lower case; empty where it tells that there is no account.
pub fn told_id(text: &str) -> String {
    let id = text.trim().to_ascii_lowercase();
    if id == NOBODY { String::new() } else { id }
}

/// The name that an alert or the directory tells, in lower case.
///
/// No letter becomes an ASCII one that is none: the Kelvin sign is not a "k", and such a name is another one.
pub fn told_name(text: &str) -> String {
    letters::folded(text.trim())
}

/// Whether two object ids are certainly those of two accounts.
pub fn are_two(one: &str, other: &str) -> bool {
    one != other && is_id(one) && is_id(other)
}

fn is_id(text: &str) -> bool {
    text != NOBODY && ObjectId::parse(text).is_ok()
}

/// Whether a text can be a user principal name; it is external, and becomes a segment of a path.
fn is_name(text: &str) -> bool {
    text.len() <= NAME_BYTES_MAX
        && text
            .split_once('@')
            .is_some_and(|(account, domain)| !account.is_empty() && !domain.is_empty())
        && !text.chars().any(|character| {
            character.is_control()
                || character.is_whitespace()
                || matches!(character, '/' | '\\' | '?' | '%' | '"' | '<' | '>')
        })
}

#[cfg(test)]
mod tests {
    use super::{Half, NOBODY, Pair, told_id};
    use crate::cases::SeenAlert;
    use crate::directory::{ObjectId, User};
    use crate::graph::NAME_BYTES_MAX;
    use schemas::wire;

    const ID: &str = "1f00aaaa-0000-4000-8000-00000000000a";

    fn alert(user: &str, user_id: &str) -> SeenAlert {
        SeenAlert::of(&wire::Alert {
            tenant_id: "t".to_owned(),
            user: user.to_owned(),
            user_id: user_id.to_owned(),
            first_event_time_us: 7,
            severity: "high".to_owned(),
            state: "raised".to_owned(),
            provenance: "live".to_owned(),
            ..wire::Alert::default()
        })
        .unwrap()
    }

    fn half(text: &str) -> Half {
        Half {
            tenant_id: "t".to_owned(),
            text: text.to_owned(),
        }
    }

    fn user(name: &str, is_guest: bool) -> User {
        User {
            id: ObjectId::parse(ID).unwrap(),
            user_principal_name: name.to_owned(),
            account_enabled: true,
            is_guest,
            is_synced: false,
            created_us: None,
            sessions_valid_from_us: None,
        }
    }

    #[test]
    fn an_alert_that_knows_both_is_a_pair_of_its_own_time() {
        let both = alert("Ada@Contoso.test", &ID.to_uppercase());
        let pair = Pair::of(&both, 9).unwrap();
        assert_eq!(
            (pair.user.as_str(), pair.seen_time_us),
            ("ada@contoso.test", 7)
        );
        assert_eq!(pair.user_id, ID);
        // Nobody has been seen in the future.
        assert_eq!(Pair::of(&both, 5).unwrap().seen_time_us, 5);
        for (name, id) in [
            ("", ID),
            ("a@b", ""),
            ("a@b", "../.."),
            ("system", ID),
            ("a@b", NOBODY),
        ] {
            assert_eq!(Pair::of(&alert(name, id), 9), None, "{name} {id}");
        }
    }

    #[test]
    fn what_an_alert_lacks_is_filled_in_and_nothing_else() {
        let pair = Pair::of(&alert("a@b", ID), 9).unwrap();
        for (name, id) in [("", ID), ("a@b", "")] {
            let mut lacking = alert(name, id);
            pair.complete(&mut lacking);
            assert_eq!(
                (lacking.user.as_str(), lacking.user_id.as_str()),
                ("a@b", ID)
            );
        }
        let mut other = alert("c@d", "1f");
        pair.complete(&mut other);
        assert_eq!(other, alert("c@d", "1f"));
    }

    #[test]
    fn only_what_has_the_form_of_a_name_or_an_id_is_asked_for() {
        assert_eq!(Half::of(&alert("A@b", "")), Some(half("a@b")));
        assert_eq!(Half::of(&alert("", ID)), Some(half(ID)));
        assert_eq!(
            Half::of(&alert("x_y.test#EXT#@b", "")),
            Some(half("x_y.test#ext#@b"))
        );
        assert_eq!(Half::of(&alert("a@b", ID)), None);
        assert_eq!(Half::of(&alert("", "")), None);
        // What has been passed as a user elsewhere, and what records call the system.
        let long = format!("a@{}", "b".repeat(NAME_BYTES_MAX));
        for name in [
            "../",
            "..",
            "../@b",
            "a@b/../users",
            "a\\@b",
            "a\u{0}@b",
            "a@b\r\nx: y",
            "a @b",
            "a?b@c",
            "a%2f@b",
            "@",
            "@b",
            "a@",
            "nt authority\\system",
            r#"["a@b"]"#,
            long.as_str(),
        ] {
            assert_eq!(Half::of(&alert(name, "")), None, "{name}");
        }
        for id in ["../users", "S-1-5-18", "1f00aaaa", NOBODY] {
            assert_eq!(Half::of(&alert("", id)), None, "{id}");
        }
        assert_eq!(told_id(NOBODY), "");
    }

    #[test]
    fn an_answer_about_somebody_else_or_a_guest_is_none() {
        let asked = Pair::answered(&half("ada@b"), &user("Ada@b", false), 5).unwrap();
        assert_eq!(
            (
                asked.user.as_str(),
                asked.user_id.as_str(),
                asked.seen_time_us
            ),
            ("ada@b", ID, 5)
        );
        assert!(Pair::answered(&half(ID), &user("Ada@b", false), 5).is_some());
        assert_eq!(
            Pair::answered(&half("bo@b"), &user("ada@b", false), 5),
            None
        );
        assert_eq!(
            Pair::answered(&half(ID), &user("x_y.test#EXT#@b", true), 5),
            None
        );
        assert_eq!(Pair::answered(&half(ID), &user("no name", false), 5), None);
    }
}
