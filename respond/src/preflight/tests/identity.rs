//! A doubt is for a person, and another account for nobody.

use super::{block, facts, policy, refusals};
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
    for facts in [&doubtful, &other, &unnamed] {
        let refusals = refusals(&block(), facts, &policy());
        assert!(
            matches!(refusals[..], [Refusal::IdentityMismatch { .. }]),
            "{refusals:?}"
        );
    }
    let mut by_person = block();
    by_person.approval = Some(Approval::Person("kim".to_owned()));
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
