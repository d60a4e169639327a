//! A chain that is signed cannot be written anew by who can write the journal.

use std::path::Path;
use std::sync::Arc;

use respond::audit::signature::{AuditKey, PublicKey};
use respond::audit::{Anchor, Broken, HEAD, Heads, chain};
use respond::journal::Journal as _;
use respond::journal::sqlite::SqliteJournal;
use respond::record::State;
use respond::review::{Review, VerifyError};
use rusqlite::{Connection, params};
use schemas::limits::AUDIT_UNSIGNED_MAX;
use schemas::topics::Topic;
use schemas::wire::AuditRecord;

use crate::house::{House, all};
use crate::memory::{ACCOUNT, MemoryDirectory};
use crate::world::{TENANT, alert};

/// A house whose responder signs, with the public key, after one account was contained.
async fn contained() -> (House, PublicKey) {
    let mut house = House::new().await;
    house.config.audit_key = house.folder.path().join("key");
    let key = AuditKey::make(&house.config.audit_key).unwrap();
    house.add(TENANT, Arc::new(MemoryDirectory::new()));
    let stage = house.start();
    house.publish(&[alert(TENANT, ACCOUNT, "a1")]).await;
    house.until("contained", all(State::Effective, 3)).await;
    stage.end().await;
    (house, key.public())
}

fn entries(path: &Path) -> Vec<AuditRecord> {
    SqliteJournal::open_beside(path)
        .unwrap()
        .audit(0, 10_000)
        .unwrap()
}

/// What whoever can write the file can do: other entries, each hashed as it should be.
fn write_anew(path: &Path, entries: Vec<AuditRecord>) {
    let journal = Connection::open(path).unwrap();
    journal.execute("DELETE FROM audit", []).unwrap();
    let mut previous: Option<Anchor> = None;
    for entry in entries {
        let entry = chain(entry, previous.as_ref());
        journal
            .execute(
                "INSERT INTO audit (sequence, id, previous_hash, hash, tenant_id, action_id, case_id, action, target, \
                 state, requested_by, dry_run, detail, time_us) \
                 VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12, ?13, ?14)",
                params![
                    i64::try_from(entry.sequence).unwrap(),
                    entry.id,
                    entry.previous_hash,
                    entry.hash,
                    entry.tenant_id,
                    entry.action_id,
                    entry.case_id,
                    entry.action,
                    entry.target,
                    entry.state,
                    entry.requested_by,
                    entry.dry_run,
                    entry.detail,
                    entry.time_us
                ],
            )
            .unwrap();
        previous = Some(Anchor {
            sequence: entry.sequence,
            hash: entry.hash,
        });
    }
}

fn heads(house: &House, keys: Vec<PublicKey>) -> Heads {
    let verified = house.review().verify_with(Vec::new(), keys).unwrap();
    let last = verified.head.unwrap().sequence;
    assert!(verified.heads.last == 0 || verified.heads.last == last);
    verified.heads
}

#[tokio::test]
async fn a_chain_that_was_hashed_anew_does_not_verify() {
    let (house, public) = contained().await;
    let signed = heads(&house, vec![public]);
    assert!(signed.checked > 0 && signed.unchecked == 0, "{signed:?}");
    // Without the key nothing of it was checked, and with another one neither.
    let other = AuditKey::make(&house.folder.path().join("other")).unwrap();
    for keys in [Vec::new(), vec![other.public()]] {
        let unknown = heads(&house, keys);
        assert_eq!((unknown.checked, unknown.last), (0, 0));
        assert_eq!(unknown.unchecked, signed.checked);
    }
    // The signatures leave the machine with the entries.
    let published: Vec<AuditRecord> = house.read(Topic::Audit).await;
    assert!(published.iter().any(|entry| entry.action == HEAD));

    let path = &house.config.journal;
    let whole = entries(path);
    let mut rewritten = whole.clone();
    let changed = rewritten
        .iter()
        .position(|entry| !entry.requested_by.is_empty())
        .unwrap();
    "somebody else".clone_into(&mut rewritten[changed].requested_by);
    write_anew(path, rewritten);
    // By its hashes it is as good as any.
    house.review().verify(Vec::new()).unwrap();
    let verdict = house.review().verify_with(Vec::new(), vec![public]);
    let next_head = whole[changed..]
        .iter()
        .find(|entry| entry.action == HEAD)
        .unwrap()
        .sequence;
    let Err(VerifyError::Broken(Broken::Forged { sequence })) = verdict else {
        panic!("{verdict:?}")
    };
    assert_eq!(sequence, next_head);

    // Without the signatures there is nothing that the key says of it.
    let bare = whole.into_iter().filter(|entry| entry.action != HEAD);
    write_anew(path, bare.collect());
    let verified = house
        .review()
        .verify_with(Vec::new(), vec![public])
        .unwrap();
    assert!(verified.heads.unsigned_since_us.is_some());
    let heads = Heads {
        unsigned_since_us: None,
        ..verified.heads
    };
    assert_eq!(heads, Heads::default());
}

#[tokio::test]
async fn what_comes_in_numbers_and_a_flip_of_the_switch_is_signed_at_once() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("journal");
    let key = AuditKey::make(&folder.path().join("key")).unwrap();
    let public = key.public();
    let journal = SqliteJournal::open(&path).unwrap().signed_with(Some(key));
    let note = |what| {
        journal
            .note(&respond::journal::Notice {
                what,
                state: "set",
                by: "kim".to_owned(),
                detail: serde_json::Value::Null,
                time_us: 1,
            })
            .unwrap();
    };
    let last_signed = || {
        let review = Review::open(&path).unwrap();
        let verified = review.verify_with(Vec::new(), vec![public]).unwrap();
        (verified.heads.last, verified.head.unwrap().sequence)
    };
    note("anything");
    assert_eq!(last_signed(), (0, 1));
    note(respond::journal::Notice::KILL_SWITCH);
    assert_eq!(last_signed(), (3, 3));
    for _ in 0..AUDIT_UNSIGNED_MAX - 1 {
        note("anything");
    }
    assert_eq!(last_signed().0, 3);
    note("anything");
    let (signed, last) = last_signed();
    assert_eq!(signed, last);
    assert!(!journal.sign().unwrap(), "nothing is left to sign");
    note("anything");
    assert!(journal.sign().unwrap());
    let (signed, last) = last_signed();
    assert_eq!(signed, last);
}
