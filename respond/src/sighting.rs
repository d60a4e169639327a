//! Whom an action is about, as a person is shown it before deciding, and what of that an approval is given for.
//!
//! An approval is of an account. A name can pass to somebody else between the decision and the call, so what the person
//! saw is kept with the approval: the object id, and what spoke against its being the right one. Nothing else is waived.

use serde::{Deserialize, Serialize};

use crate::accounts::named::{Doubt, DoubtKind, Sighted};
use crate::directory::{Role, User};
use crate::preflight::Refusal;

/// What a responder found for a decision that is still to be taken.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Sighting {
    /// When it looked, in microseconds since the Unix epoch, UTC.
    pub time_us: i64,
    /// The account; none if there is none, or if it could not be read.
    pub account: Option<User>,
    /// The directory roles that it holds or can take; none if they could not be read.
    pub roles: Option<Vec<Role>>,
    /// What speaks against the action, the doubts among it.
    pub refusals: Vec<Refusal>,
    /// What could not be read.
    pub problems: Vec<String>,
}

/// Why what a person was shown is no ground for the decision.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum NotSeen {
    /// The account is another one than the person says.
    #[error("the account is {found} now, and you said {said}")]
    Another {
        /// What the person said.
        said: String,
        /// What it is; empty for nobody.
        found: String,
    },
    /// Doubts that the person did not wave.
    #[error(
        "it is not certain that this is whom the evidence names, and nobody has said that it is"
    )]
    Doubted {
        /// The doubts.
        doubts: Vec<Doubt>,
    },
}

impl Sighting {
    /// What speaks against the account's being the one that the evidence names, as far as a person may say that it is.
    pub fn doubts(&self) -> Vec<Doubt> {
        let doubts = self.refusals.iter().filter_map(|refusal| match refusal {
            Refusal::IdentityDoubt { doubt } => Some(doubt.clone()),
            _ => None,
        });
        doubts.collect()
    }

    /// What else speaks against the action.
    pub fn against(&self) -> Vec<String> {
        self.refusals
            .iter()
            .filter(|refusal| !matches!(refusal, Refusal::IdentityDoubt { .. }))
            .map(ToString::to_string)
            .collect()
    }

    /// What a person has seen who names this account, if any, and decides although these kinds of doubt were shown; none
    /// where no account was found.
    ///
    /// # Errors
    /// [`NotSeen`] if it is another account, or if there is another doubt.
    pub fn seen(
        &self,
        account: Option<&str>,
        although: &[DoubtKind],
    ) -> Result<Option<Sighted>, NotSeen> {
        let found = self.account.as_ref().map(|user| &user.id);
        if let Some(said) = account
            && found.is_none_or(|found| !found.as_str().eq_ignore_ascii_case(said.trim()))
        {
            return Err(NotSeen::Another {
                said: said.to_owned(),
                found: found.map(ToString::to_string).unwrap_or_default(),
            });
        }
        let doubts = self.doubts();
        let is_waived = |doubt: &Doubt| account.is_some() && although.contains(&doubt.kind);
        let left: Vec<Doubt> = doubts
            .iter()
            .filter(|doubt| !is_waived(doubt))
            .cloned()
            .collect();
        if !left.is_empty() {
            return Err(NotSeen::Doubted { doubts: left });
        }
        Ok(found.map(|id| Sighted {
            account: id.clone(),
            doubts,
            time_us: self.time_us,
        }))
    }
}

#[cfg(test)]
mod tests {
    use super::{NotSeen, Sighting};
    use crate::accounts::named::{Doubt, DoubtKind};
    use crate::directory::{ObjectId, User};
    use crate::preflight::Refusal;

    const ID: &str = "1f00aaaa-0000-4000-8000-00000000000a";

    fn sighting(doubts: &[DoubtKind]) -> Sighting {
        let doubt = |kind: &DoubtKind| Refusal::IdentityDoubt {
            doubt: Doubt {
                kind: *kind,
                why: "w".to_owned(),
            },
        };
        Sighting {
            time_us: 7,
            account: Some(User {
                id: ObjectId::parse(ID).unwrap(),
                user_principal_name: "ada@b".to_owned(),
                account_enabled: true,
                is_guest: false,
                is_synced: false,
                created_us: None,
                sessions_valid_from_us: None,
            }),
            roles: Some(Vec::new()),
            refusals: doubts
                .iter()
                .map(doubt)
                .chain([Refusal::KillSwitch])
                .collect(),
            problems: Vec::new(),
        }
    }

    #[test]
    fn only_what_was_shown_and_named_is_waived() {
        let (made, renamed) = (DoubtKind::MadeAfter, DoubtKind::Renamed);
        let seen = sighting(&[]).seen(None, &[]).unwrap().unwrap();
        assert_eq!((seen.account.as_str(), seen.doubts.len()), (ID, 0));
        let doubted = sighting(&[made, renamed]);
        for (account, although) in [
            (None, vec![]),
            // The words alone could be about whoever has the name by now.
            (None, vec![made, renamed]),
            (Some(ID), vec![made]),
        ] {
            let refused = doubted.seen(account, &although);
            assert!(
                matches!(refused, Err(NotSeen::Doubted { .. })),
                "{refused:?}"
            );
        }
        let seen = doubted.seen(Some(&ID.to_uppercase()), &[made, renamed]);
        assert_eq!(seen.unwrap().unwrap().doubts.len(), 2);
        let other = doubted.seen(
            Some("1f00aaaa-0000-4000-8000-00000000000b"),
            &[made, renamed],
        );
        assert!(matches!(other, Err(NotSeen::Another { .. })), "{other:?}");
        assert_eq!(doubted.against(), ["the kill switch is set"]);
    }
}
