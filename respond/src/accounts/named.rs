//! Pure: whom evidence names in its own words, and whether an account of the directory is certainly that one.
//!
//! A remembered pair of a name and an object id joins cases, and is never a target: before anything is sent, the
//! words of the evidence itself are resolved in the directory. An object id is one account for ever. A name is an
//! account's for a time: it was whom it names now only if nothing speaks against it.

use serde::{Deserialize, Serialize};

use super::{PAIR_AGE_US, Pair, told_name};
use crate::cases::SeenAlert;
use crate::directory::{ObjectId, User};

/// Most different accounts' words that are resolved for one action: more than a case of one account has.
pub const NAMED_MAX: usize = 8;

/// Longest part of a name in a sentence for a person, in characters.
const SHOWN_MAX: usize = 120;

/// Whom a piece of evidence names in its own words, before anything was filled in.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Default, Serialize, Deserialize)]
pub struct Named {
    /// User principal name in lower case, or empty.
    pub user: String,
    /// Object id in lower case, or empty.
    pub user_id: String,
    /// When the evidence happened, in microseconds since the Unix epoch, UTC.
    pub time_us: i64,
}

/// What the directory says about the words of a piece of evidence.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Resolved {
    /// The words.
    pub named: Named,
    /// The account of the object id, or of the name where no id is told; none if there is no such account.
    pub account: Option<User>,
}

/// Why an account is not certainly the one that the evidence names.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Mismatch {
    /// It is another one, or nobody: nobody may act.
    Other(String),
    /// It may be another one: a person who sees that may say that it is this one.
    Doubt(Doubt),
}

/// A kind of doubt, as a person names it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum DoubtKind {
    /// The account was made after what the evidence tells.
    MadeAfter,
    /// The account has another name now than in the evidence.
    Renamed,
    /// The name was another account's about that time.
    NameOfAnother,
    /// The evidence tells a name only, and that long ago.
    NameOnlyLongAgo,
}

/// Something that speaks against an account's being the one that the evidence names, and is no proof.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Doubt {
    /// Which kind.
    pub kind: DoubtKind,
    /// The same for a person, with what was seen.
    pub why: String,
}

/// What the person who approved an action had seen.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Sighted {
    /// Object id of the account.
    pub account: ObjectId,
    /// What spoke against its being the one that the evidence names: only this is waived.
    pub doubts: Vec<Doubt>,
    /// When it was looked up, in microseconds since the Unix epoch, UTC.
    pub time_us: i64,
}

impl DoubtKind {
    /// Every kind.
    pub const ALL: [Self; 4] = [
        Self::MadeAfter,
        Self::Renamed,
        Self::NameOfAnother,
        Self::NameOnlyLongAgo,
    ];

    /// The word in audit entries and on the command line.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::MadeAfter => "made_after",
            Self::Renamed => "renamed",
            Self::NameOfAnother => "name_of_another",
            Self::NameOnlyLongAgo => "name_only_long_ago",
        }
    }

    /// The kind of a word.
    pub fn of_str(text: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|kind| kind.as_str() == text)
    }

    fn because(self, why: String) -> Mismatch {
        Mismatch::Doubt(Doubt { kind: self, why })
    }
}

impl Named {
    /// What the directory is asked for: the object id where one is told, else the name; empty if neither is.
    pub fn question(&self) -> &str {
        if self.user_id.is_empty() {
            &self.user
        } else {
            &self.user_id
        }
    }

    fn has_words_of(&self, other: &Self) -> bool {
        self.user == other.user && self.user_id == other.user_id
    }
}

/// The words of these alerts, each once as they were first and last told; one more than [`NAMED_MAX`] if there are
/// more.
pub fn words<'a>(alerts: impl Iterator<Item = &'a SeenAlert>) -> Vec<Named> {
    let mut all: Vec<Named> = alerts.map(SeenAlert::named).collect();
    all.retain(|named| !named.question().is_empty());
    all.sort();
    all.dedup();
    let mut kept: Vec<Named> = Vec::new();
    for named in all {
        // Sorted: of the same words the first stays, and the last replaces the one before it.
        let same = kept
            .iter()
            .filter(|known| known.has_words_of(&named))
            .count();
        if same > 1 {
            kept.pop();
        }
        kept.push(named);
    }
    kept.truncate(NAMED_MAX + 1);
    kept
}

/// Whether `account` is certainly whom all of the evidence names; every reason against it.
///
/// `pairs` are what is known of the names in the evidence.
pub fn mismatches(
    resolved: &[Resolved],
    account: &User,
    pairs: &[Pair],
    now_us: i64,
) -> Vec<Mismatch> {
    if resolved.is_empty() {
        let why = "it does not say whom its evidence names".to_owned();
        return vec![Mismatch::Other(why)];
    }
    if resolved.len() > NAMED_MAX {
        let why = format!("its evidence names more than {NAMED_MAX} accounts");
        return vec![Mismatch::Other(why)];
    }
    let mut found: Vec<Mismatch> = Vec::new();
    for one in resolved {
        let newest_us = resolved
            .iter()
            .filter(|other| other.named.has_words_of(&one.named))
            .map(|other| other.named.time_us)
            .max()
            .unwrap_or(one.named.time_us);
        if let Err(mismatch) = one.is_about(account, pairs, now_us.saturating_sub(newest_us))
            && !found.contains(&mismatch)
        {
            found.push(mismatch);
        }
    }
    found
}

impl Resolved {
    fn is_about(&self, account: &User, pairs: &[Pair], age_us: i64) -> Result<(), Mismatch> {
        let named = &self.named;
        let asked = shown(named.question());
        let Some(found) = &self.account else {
            return Err(Mismatch::Other(format!("nobody is \"{asked}\" now")));
        };
        if found.id != account.id {
            let (other, ours) = (&found.id, &account.id);
            let why = format!("\"{asked}\" is {other} now, and the case is about {ours}");
            return Err(Mismatch::Other(why));
        }
        if found
            .created_us
            .is_some_and(|made_us| made_us > named.time_us)
        {
            let why = format!("the account \"{asked}\" was made after what the evidence tells");
            return Err(DoubtKind::MadeAfter.because(why));
        }
        let now_named = shown(&found.user_principal_name);
        if !named.user_id.is_empty() {
            return if is_name_of(&named.user, found) {
                Ok(())
            } else {
                let told = shown(&named.user);
                let why = format!("{asked} is \"{now_named}\" now, and \"{told}\" in the evidence");
                Err(DoubtKind::Renamed.because(why))
            };
        }
        if told_name(&found.user_principal_name) != named.user {
            let why = format!("the directory answers \"{now_named}\" for \"{asked}\"");
            return Err(Mismatch::Other(why));
        }
        self.was_so_then(account, pairs, age_us)
    }

    /// Whether the name was this account's when the evidence happened, as far as anything speaks against it.
    fn was_so_then(&self, account: &User, pairs: &[Pair], age_us: i64) -> Result<(), Mismatch> {
        let Named { user, time_us, .. } = &self.named;
        let name = shown(user);
        let of_name = |pair: &&Pair| pair.user == *user;
        let own_us = pairs
            .iter()
            .filter(of_name)
            .filter(|pair| pair.user_id == account.id.as_str() && pair.seen_time_us <= *time_us)
            .map(|pair| pair.seen_time_us)
            .max();
        let since_us = time_us.saturating_sub(PAIR_AGE_US);
        let other = pairs
            .iter()
            .filter(of_name)
            .filter(|pair| pair.user_id != account.id.as_str() && pair.seen_time_us >= since_us)
            .find(|pair| own_us.is_none_or(|own_us| own_us < pair.seen_time_us));
        if let Some(other) = other {
            let why = format!("\"{name}\" was {} about that time", shown(&other.user_id));
            return Err(DoubtKind::NameOfAnother.because(why));
        }
        if age_us > PAIR_AGE_US {
            let hours = PAIR_AGE_US / 3_600_000_000;
            let why =
                format!("the evidence tells the name \"{name}\" only, and that {hours} h ago");
            return Err(DoubtKind::NameOnlyLongAgo.because(why));
        }
        Ok(())
    }
}

/// Whether evidence that tells the account's own object id may call it so.
///
/// Records name a guest by the address at home or by the name here, which is made of it.
fn is_name_of(told: &str, account: &User) -> bool {
    if told.is_empty() {
        return true;
    }
    let name = told_name(&account.user_principal_name);
    if told == name {
        return true;
    }
    let at_home = name.rsplit_once("#ext#").map(|(home, _)| home);
    account.is_guest && at_home.is_some_and(|home| told.replace('@', "_") == home)
}

fn shown(text: &str) -> String {
    text.chars().take(SHOWN_MAX).collect()
}

#[cfg(test)]
mod tests {
    use super::{Mismatch, NAMED_MAX, Named, Resolved, mismatches, words};
    use crate::accounts::{PAIR_AGE_US, Pair, told_name};
    use crate::cases::SeenAlert;
    use crate::directory::{ObjectId, User};
    use schemas::wire;

    const ONE: &str = "1f00aaaa-0000-4000-8000-000000000001";
    const TWO: &str = "1f00aaaa-0000-4000-8000-000000000002";
    const HOUR: i64 = 3_600_000_000;
    const T: i64 = 1_000 * HOUR;

    fn user(id: &str, name: &str) -> User {
        User {
            id: ObjectId::parse(id).unwrap(),
            user_principal_name: name.to_owned(),
            account_enabled: true,
            is_guest: name.contains("#EXT#"),
            is_synced: false,
            created_us: Some(0),
            sessions_valid_from_us: None,
        }
    }

    fn pair(user_id: &str, user: &str, seen_time_us: i64) -> Pair {
        Pair {
            tenant_id: "t".to_owned(),
            user_id: user_id.to_owned(),
            user: user.to_owned(),
            seen_time_us,
        }
    }

    fn evidence(name: &str, id: &str, account: Option<User>) -> Resolved {
        Resolved {
            named: Named {
                user: told_name(name),
                user_id: id.to_owned(),
                time_us: T,
            },
            account,
        }
    }

    /// "" where it is certain, "doubt" where a person may say so, "other" where nobody may.
    #[track_caller]
    fn check(one: Resolved, account: &User, pairs: &[Pair], expected: &str) {
        let found = mismatches(&[one], account, pairs, T + HOUR);
        let word = match found.as_slice() {
            [] => "",
            [Mismatch::Doubt(_)] => "doubt",
            _ => "other",
        };
        assert_eq!(word, expected, "{found:?}");
    }

    #[test]
    fn an_id_that_the_evidence_tells_is_that_account_under_its_name_or_without_one() {
        let ada = user(ONE, "Ada@b");
        check(evidence("ada@b", ONE, Some(ada.clone())), &ada, &[], "");
        check(evidence("", ONE, Some(ada.clone())), &ada, &[], "");
        // Renamed since, or somebody else's id: a machine cannot tell.
        check(evidence("bo@b", ONE, Some(ada.clone())), &ada, &[], "doubt");
        let bo = user(TWO, "bo@b");
        check(evidence("bo@b", TWO, Some(bo)), &ada, &[], "other");
        check(evidence("ada@b", ONE, None), &ada, &[], "other");
    }

    #[test]
    fn a_name_is_whom_the_directory_says_and_never_whom_a_pair_says() {
        let (ada, adam) = (user(ONE, "a.jones@b"), user(TWO, "a.smith@b"));
        let told = || evidence("a.smith@b", "", Some(adam.clone()));
        // Ada was a.smith until she married; the name is Adam's now.
        let pairs = [pair(ONE, "a.smith@b", T - 90 * 24 * HOUR)];
        check(told(), &ada, &pairs, "other");
        check(told(), &adam, &pairs, "");
        // Lately it was still hers, or it was hers after what the evidence tells.
        for seen in [T - PAIR_AGE_US, T - HOUR, T + HOUR] {
            check(told(), &adam, &[pair(ONE, "a.smith@b", seen)], "doubt");
        }
        // It was his before, and after it had been hers.
        let passed = [
            pair(ONE, "a.smith@b", T - 2 * HOUR),
            pair(TWO, "a.smith@b", T - HOUR),
        ];
        check(told(), &adam, &passed, "");
    }

    #[test]
    fn a_name_alone_says_less_the_older_it_is() {
        let ada = user(ONE, "ada@b");
        let mut one = evidence("ada@b", "", Some(ada.clone()));
        one.named.time_us = T - 2 * PAIR_AGE_US;
        let found = mismatches(std::slice::from_ref(&one), &ada, &[], T);
        assert!(
            matches!(found.as_slice(), [Mismatch::Doubt(_)]),
            "{found:?}"
        );
        // The same words, told again lately.
        let again = evidence("ada@b", "", Some(ada.clone()));
        assert_eq!(mismatches(&[one, again], &ada, &[], T), []);
        let mut young = ada;
        young.created_us = Some(T + 1);
        check(
            evidence("ada@b", "", Some(young.clone())),
            &young,
            &[],
            "doubt",
        );
    }

    #[test]
    fn look_alikes_are_not_the_same() {
        // A directory that answers for a look-alike does not make it the same name.
        for (told, name) in [
            ("аda@b", "ada@b"),
            ("\u{212a}im@b", "kim@b"),
            ("zoe\u{308}@b", "zo\u{eb}@b"),
            ("İda@b", "ida@b"),
        ] {
            let account = user(ONE, name);
            check(
                evidence(told, "", Some(account.clone())),
                &account,
                &[],
                "other",
            );
        }
        let account = user(ONE, "ADA@b");
        check(
            evidence("Ada@B", "", Some(account.clone())),
            &account,
            &[],
            "",
        );
    }

    #[test]
    fn a_guest_has_a_name_here_and_one_at_home() {
        let guest = user(ONE, "x_y.test#EXT#@b");
        for (name, expected) in [
            ("x@y.test", ""),
            ("X_Y.test#EXT#@b", ""),
            ("z@y.test", "doubt"),
        ] {
            check(
                evidence(name, ONE, Some(guest.clone())),
                &guest,
                &[],
                expected,
            );
        }
        // Somebody who is no guest has one name.
        let mut member = guest;
        member.is_guest = false;
        check(
            evidence("x@y.test", ONE, Some(member.clone())),
            &member,
            &[],
            "doubt",
        );
    }

    #[test]
    fn evidence_that_names_nobody_or_a_crowd_is_about_nobody() {
        let ada = user(ONE, "ada@b");
        assert!(!mismatches(&[], &ada, &[], T).is_empty());
        let alerts: Vec<SeenAlert> = (0..20)
            .map(|number| {
                SeenAlert::of(&wire::Alert {
                    user: format!("u{number}@b"),
                    severity: "high".to_owned(),
                    state: "raised".to_owned(),
                    ..wire::Alert::default()
                })
                .unwrap()
            })
            .collect();
        assert_eq!(words(alerts.iter()).len(), NAMED_MAX + 1);
        let crowd = vec![evidence("ada@b", ONE, Some(ada.clone())); NAMED_MAX + 1];
        assert!(!mismatches(&crowd, &ada, &[], T).is_empty());
    }

    #[test]
    fn words_are_kept_as_first_and_last_told() {
        let alert = |user: &str, user_id: &str, time_us: i64| {
            SeenAlert::of(&wire::Alert {
                user: user.to_owned(),
                user_id: user_id.to_owned(),
                first_event_time_us: time_us,
                severity: "high".to_owned(),
                state: "raised".to_owned(),
                ..wire::Alert::default()
            })
            .unwrap()
        };
        let mut filled_in = alert("a@b", "", 5);
        filled_in.user_id = ONE.to_owned();
        let alerts = [
            alert("a@b", "", 3),
            filled_in,
            alert("a@b", "", 1),
            alert("", TWO, 2),
            alert("", "", 9),
        ];
        let kept: Vec<(String, String, i64)> = words(alerts.iter())
            .into_iter()
            .map(|named| (named.user, named.user_id, named.time_us))
            .collect();
        let of = |user: &str, id: &str, time: i64| (user.to_owned(), id.to_owned(), time);
        assert_eq!(kept, [of("", TWO, 2), of("a@b", "", 1), of("a@b", "", 5)]);
    }
}
