//! A doubt is for a person, and another account for nobody.

use super::{block, facts, policy, refusals};
use crate::accounts::named::{Doubt, Sighted};
use crate::directory::ObjectId;
use crate::preflight::{Refusal, Verdict, check};
use crate::record::Approval;

#[test]
fn a_doubt_about_whom_the_evidence_names_is_for_a_person_and_another_account_for_nobody() {
    let mut doubtful = facts();
    doubtful.named.as_mut().unwrap()[0].named.user = "ada.old@contoso.test".to_owned();
    let mut other = facts();
    other.named.as_mut().unwrap()[0].account = None;
    let mut unnamed = facts();
    unnamed.named = Some(Vec::new());
    let mut by_person = block();
    by_person.approval = Some(Approval::Person("kim".to_owned()));
    for facts in [&other, &unnamed] {
        let refusals = refusals(&block(), facts, &policy());
        assert!(
            matches!(refusals[..], [Refusal::IdentityMismatch { .. }]),
            "{refusals:?}"
        );
    }
    // A person who was not shown the doubt has not decided it.
    let mut doubts = Vec::new();
    for record in [&block(), &by_person] {
        let refusals = refusals(record, &doubtful, &policy());
        let [Refusal::IdentityDoubt { doubt }] = &refusals[..] else {
            panic!("{refusals:?}")
        };
        doubts.push(doubt.clone());
    }
    let sighted = |doubts: &[Doubt], account: &str| {
        Some(Sighted {
            account: ObjectId::parse(account).unwrap(),
            doubts: doubts.to_vec(),
            time_us: super::NOW,
        })
    };
    let account = doubtful.user.clone().flatten().unwrap().id;
    for (doubts, account) in [
        (&[][..], account.as_str()),
        (&doubts[..], "1f00aaaa-0000-4000-8000-0000000000ff"),
    ] {
        by_person.sighted = sighted(doubts, account);
        assert!(!refusals(&by_person, &doubtful, &policy()).is_empty());
    }
    by_person.sighted = sighted(&doubts, account.as_str());
    let Verdict::Go { warnings } = check(&by_person, &doubtful, &policy(), super::NOW) else {
        panic!("a person has decided")
    };
    assert!(warnings[0].contains("ada.old@contoso.test"), "{warnings:?}");
    for facts in [&other, &unnamed] {
        assert!(matches!(
            check(&by_person, facts, &policy(), super::NOW),
            Verdict::Refused(_)
        ));
    }
}
