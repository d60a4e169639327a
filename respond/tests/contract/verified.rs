//! The check of the audit chain looks at what the journal shows people, too, and names what it cannot read.

use std::path::Path;

use respond::audit::Broken;
use respond::review::{Review, VerifyError};
use rusqlite::Connection;

use crate::house::House;

fn write(journal: &Path, sql: &str) {
    let changed = Connection::open(journal).unwrap().execute(sql, []).unwrap();
    assert!(changed > 0, "{sql}");
}

fn differing(house: &House) -> Vec<String> {
    let found = house.review().differences().unwrap();
    found.into_iter().map(|one| one.what).collect()
}

#[tokio::test]
async fn actions_that_are_not_what_the_chain_says_are_told() {
    let house = House::contained().await;
    assert_eq!(differing(&house), [""; 0]);
    let journal = house.config.journal.clone();
    let whole = std::fs::read(&journal).unwrap();
    let of = |sql: &str| {
        std::fs::write(&journal, &whole).unwrap();
        write(&journal, sql);
        // The chain is as it was.
        house.review().verify(Vec::new()).unwrap();
        differing(&house)
    };
    let rewritten = of(
        "UPDATE actions SET body = replace(body, '\"effective\"', '\"refused\"'), state = 'refused' \
         WHERE number = 1",
    );
    assert_eq!(
        rewritten,
        ["state is effective in the chain, and refused in the journal"]
    );
    let column = of("UPDATE actions SET state = 'refused' WHERE number = 1");
    assert_eq!(column.len(), 1, "{column:?}");
    let approved = of(
        "UPDATE actions SET body = json_set(body, '$.approval', json('{\"person\":\"kim\"}')) WHERE number = 2",
    );
    assert!(
        approved[0].starts_with("approved_by is \"policy\""),
        "{approved:?}"
    );
    let target = of(
        "UPDATE actions SET body = json_set(body, '$.receipt', NULL, '$.target', 'other') WHERE number = 2",
    );
    assert!(target[0].starts_with("target is"), "{target:?}");
    let unreadable = of("UPDATE actions SET body = x'00ff' WHERE number = 3");
    assert_eq!(unreadable, ["its row cannot be read"]);
    let emptied = of("DELETE FROM actions");
    assert_eq!(emptied, vec!["effective in the chain, and not there"; 3]);
    let invented = of(
        "INSERT INTO actions (action_id, case_id, tenant_id, state, body) \
         SELECT 'x', case_id, tenant_id, state, body FROM actions WHERE number = 1",
    );
    assert_eq!(invented, ["the chain has no entry of it"]);
}

#[tokio::test]
async fn an_entry_that_cannot_be_read_is_named() {
    let house = House::contained().await;
    let journal = house.config.journal.clone();
    let whole = std::fs::read(&journal).unwrap();
    for value in [
        "time_us = 'abc'",
        "detail = x'ff00'",
        "dry_run = 1.5",
        "id = x'00'",
    ] {
        std::fs::write(&journal, &whole).unwrap();
        write(
            &journal,
            &format!("UPDATE audit SET {value} WHERE sequence = 3"),
        );
        let verified = Review::open(&journal).unwrap().verify(Vec::new());
        let Err(VerifyError::Broken(Broken::Unreadable { sequence: 3, .. })) = verified else {
            panic!("{value}: {verified:?}")
        };
    }
}
