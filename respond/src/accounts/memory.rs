//! Pure: what a directory need not be asked again, and when a directory is left alone.
//!
//! A flood of alerts about unknown accounts asks for each once in [`NOBODY_US`], at most [`ASKS_PER_MINUTE_MAX`]
//! times a minute; a directory that does not answer is asked one round of questions in [`SILENCE_US`], and a slow
//! one is waited for [`WAIT_PER_MINUTE_US`] in a minute.

use std::collections::{BTreeMap, BTreeSet};

use super::{Half, Pair};
use crate::directory::{DirectoryError, User};

/// How long "there is no such account" is believed, in microseconds: a new account shows late.
pub const NOBODY_US: i64 = NOBODY_MINUTES as i64 * MINUTE_US;

const NOBODY_MINUTES: u32 = 15;

/// How long a directory that did not answer is left alone, in microseconds.
pub const SILENCE_US: i64 = MINUTE_US;

/// Most questions a minute and tenant, of the 1,800 requests that the client allows: the rest is for actions.
pub const ASKS_PER_MINUTE_MAX: u32 = 120;

/// Longest wait for one tenant's directory in a minute, in microseconds: other tenants' alerts wait with it.
pub const WAIT_PER_MINUTE_US: i64 = 5_000_000;

/// Most accounts of a tenant that are remembered as unknown: what is asked within [`NOBODY_US`], and some more.
pub const NOBODIES_MAX: usize = 10_000;

const MINUTE_US: i64 = 60_000_000;

// An account is remembered until it may be asked for again.
const _: () = assert!((ASKS_PER_MINUTE_MAX * NOBODY_MINUTES) as usize <= NOBODIES_MAX);

/// What came of a question.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Answer {
    /// The account.
    Account(User),
    /// There is no such account, or nothing can be said about this one.
    Nobody,
    /// The directory does not answer; another question would fare no better.
    Silence {
        /// Why.
        why: String,
    },
}

impl Answer {
    /// What the directory's answer means.
    pub fn of(answered: Result<Option<User>, DirectoryError>) -> Self {
        match answered {
            Ok(Some(user)) => Self::Account(user),
            // A refusal of this one question, which a hostile name can cause, says nothing about others.
            Ok(None)
            | Err(
                DirectoryError::Missing { .. }
                | DirectoryError::Rejected { .. }
                | DirectoryError::Malformed { .. },
            ) => Self::Nobody,
            Err(
                error @ (DirectoryError::Unreachable { .. }
                | DirectoryError::Denied { .. }
                | DirectoryError::HeldBack { .. }
                | DirectoryError::CutOff { .. }),
            ) => Self::Silence {
                why: error.to_string(),
            },
        }
    }

    /// The word in metrics.
    pub const fn as_str(&self) -> &'static str {
        match self {
            Self::Account(_) => "account",
            Self::Nobody => "nobody",
            Self::Silence { .. } => "silence",
        }
    }
}

/// What an answer changed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Noted {
    /// The halves of an account belong together.
    Pair(Pair),
    /// Nothing is known now that was not before.
    Nothing,
    /// The directory has just fallen silent: a person is told, once.
    FellSilent,
}

/// What was asked, for each tenant.
#[derive(Debug, Clone, Default)]
pub struct Memory {
    tenants: BTreeMap<String, Tenant>,
}

#[derive(Debug, Clone, Default)]
struct Tenant {
    /// Until when an account counts as unknown.
    nobodies: BTreeMap<String, i64>,
    silent_until_us: i64,
    is_silent: bool,
    minute_us: i64,
    asked: u32,
    waited_us: i64,
}

impl Memory {
    /// Those halves that a directory is to be asked for now, each once; they count as asked.
    pub fn due(&mut self, halves: Vec<Half>, now_us: i64) -> Vec<Half> {
        let each: BTreeSet<Half> = halves.into_iter().collect();
        each.into_iter()
            .filter(|half| {
                let tenant = self.tenants.entry(half.tenant_id.clone()).or_default();
                tenant.may_ask(&half.text, now_us)
            })
            .collect()
    }

    /// Notes how long a tenant's directory was waited for.
    pub fn waited(&mut self, tenant_id: &str, waited_us: i64) {
        if let Some(tenant) = self.tenants.get_mut(tenant_id) {
            tenant.waited_us = tenant.waited_us.saturating_add(waited_us);
        }
    }

    /// Notes an answer.
    pub fn note(&mut self, half: &Half, answer: &Answer, now_us: i64) -> Noted {
        let tenant = self.tenants.entry(half.tenant_id.clone()).or_default();
        let pair = match answer {
            Answer::Silence { .. } => {
                tenant.silent_until_us = now_us.saturating_add(SILENCE_US);
                let fell_silent = !std::mem::replace(&mut tenant.is_silent, true);
                return if fell_silent {
                    Noted::FellSilent
                } else {
                    Noted::Nothing
                };
            }
            Answer::Account(user) => Pair::answered(half, user, now_us),
            Answer::Nobody => None,
        };
        tenant.is_silent = false;
        if let Some(pair) = pair {
            return Noted::Pair(pair);
        }
        tenant.remember(&half.text, now_us);
        Noted::Nothing
    }
}

/// Whether a time up to which something counts is still to come. One further off than it can be was set by a clock that
/// has been set back since, and is over.
fn is_to_come(until_us: i64, now_us: i64, longest_us: i64) -> bool {
    until_us > now_us && until_us <= now_us.saturating_add(longest_us)
}

impl Tenant {
    fn may_ask(&mut self, text: &str, now_us: i64) -> bool {
        let is_nobody = self
            .nobodies
            .get(text)
            .is_some_and(|until_us| is_to_come(*until_us, now_us, NOBODY_US));
        if is_nobody || is_to_come(self.silent_until_us, now_us, SILENCE_US) {
            return false;
        }
        if now_us.abs_diff(self.minute_us) >= MINUTE_US.unsigned_abs() {
            self.minute_us = now_us;
            self.asked = 0;
            self.waited_us = 0;
        }
        let may_ask = self.asked < ASKS_PER_MINUTE_MAX && self.waited_us < WAIT_PER_MINUTE_US;
        self.asked += u32::from(may_ask);
        may_ask
    }

    fn remember(&mut self, text: &str, now_us: i64) {
        if self.nobodies.len() >= NOBODIES_MAX {
            self.nobodies
                .retain(|_, until_us| is_to_come(*until_us, now_us, NOBODY_US));
        }
        if self.nobodies.len() < NOBODIES_MAX {
            let until_us = now_us.saturating_add(NOBODY_US);
            self.nobodies.insert(text.to_owned(), until_us);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::{
        ASKS_PER_MINUTE_MAX, Answer, Half, MINUTE_US, Memory, NOBODY_US, Noted, SILENCE_US,
        WAIT_PER_MINUTE_US,
    };
    use crate::directory::DirectoryError;
    use std::time::Duration;

    const T0: i64 = 1_789_000_000_000_000;

    fn half(tenant_id: &str, text: &str) -> Half {
        Half {
            tenant_id: tenant_id.to_owned(),
            text: text.to_owned(),
        }
    }

    fn silence() -> Answer {
        Answer::of(Err(DirectoryError::Unreachable {
            why: "on purpose".to_owned(),
            reply: None,
            may_have_happened: false,
            after: Duration::ZERO,
        }))
    }

    #[test]
    fn nobody_is_asked_for_once_in_a_while() {
        let mut memory = Memory::default();
        let asked = half("t", "a@b");
        assert_eq!(
            memory.due(vec![asked.clone(); 256], T0),
            vec![asked.clone()]
        );
        assert_eq!(memory.note(&asked, &Answer::Nobody, T0), Noted::Nothing);
        assert_eq!(memory.due(vec![asked.clone()], T0 + NOBODY_US - 1), []);
        assert_eq!(memory.due(vec![asked.clone()], T0 + NOBODY_US), [asked]);
    }

    #[test]
    fn a_silent_directory_is_left_alone_and_told_once() {
        let mut memory = Memory::default();
        let (one, other) = (half("t", "a@b"), half("u", "a@b"));
        assert_eq!(memory.note(&one, &silence(), T0), Noted::FellSilent);
        assert_eq!(memory.note(&one, &silence(), T0), Noted::Nothing);
        // Another tenant's is asked, and so is this one after a while.
        assert_eq!(
            memory.due(vec![one.clone(), other.clone()], T0 + 1),
            [other]
        );
        assert_eq!(
            memory.due(vec![one.clone()], T0 + SILENCE_US),
            vec![one.clone()]
        );
        assert_eq!(
            memory.note(&one, &silence(), T0 + SILENCE_US),
            Noted::Nothing
        );
        memory.note(&one, &Answer::Nobody, T0 + 3 * SILENCE_US);
        assert_eq!(
            memory.note(&one, &silence(), T0 + 4 * SILENCE_US),
            Noted::FellSilent
        );
    }

    #[test]
    fn a_flood_of_unknown_accounts_is_asked_for_in_part() {
        let mut memory = Memory::default();
        let flood = |first: u32| -> Vec<Half> {
            let names = (first..first + 1_000).map(|number| half("t", &format!("{number:05}@b")));
            names.collect()
        };
        assert_eq!(memory.due(flood(0), T0).len(), ASKS_PER_MINUTE_MAX as usize);
        assert_eq!(memory.due(flood(1_000), T0 + MINUTE_US - 1), []);
        assert_eq!(
            memory.due(flood(1_000), T0 + MINUTE_US).len(),
            ASKS_PER_MINUTE_MAX as usize
        );
    }

    #[test]
    fn a_slow_directory_is_waited_for_a_little_in_a_minute() {
        let mut memory = Memory::default();
        let asked = vec![half("t", "a@b")];
        assert_eq!(memory.due(asked.clone(), T0), asked);
        memory.waited("t", WAIT_PER_MINUTE_US - 1);
        assert_eq!(memory.due(asked.clone(), T0), asked);
        memory.waited("t", 1);
        assert_eq!(memory.due(asked.clone(), T0), []);
        assert_eq!(memory.due(asked.clone(), T0 + MINUTE_US), asked);
    }

    #[test]
    fn what_is_refused_for_one_name_says_nothing_about_others() {
        let refused = Answer::of(Err(DirectoryError::Rejected {
            status: 400,
            code: "Request_BadRequest".to_owned(),
            message: String::new(),
            request_id: String::new(),
        }));
        assert_eq!(refused, Answer::Nobody);
        let denied = Answer::of(Err(DirectoryError::Denied {
            status: 403,
            code: String::new(),
            request_id: String::new(),
        }));
        assert_eq!(denied.as_str(), "silence");
    }
}
