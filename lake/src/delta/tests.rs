//! Two processes that follow the same table.

use std::path::Path;
use std::sync::Arc;

use schemas::tables::Table;
use schemas::topics::Topic;

use super::{Advance, DataFile, LiveTable, Outcome, Partition, Proposal, Reached};
use crate::disk::LocalDisk;
use crate::error::LakeError;

const PARTITION: Partition = Partition {
    topic: Topic::Alerts,
    partition: 0,
};

async fn follow(location: &Path) -> LiveTable {
    let mut live = LiveTable::keep(location, Table::Alerts, Arc::new(LocalDisk))
        .await
        .unwrap();
    live.create(0).await.unwrap();
    live
}

fn file(name: &str) -> DataFile {
    DataFile {
        path: format!("{name}.parquet"),
        tenant_id: "t".into(),
        day: 1,
        rows: Some(1),
        bytes: 1,
        event_times: None,
        modified_ms: 0,
    }
}

fn adding(name: &str) -> Proposal {
    Proposal {
        added: vec![file(name)],
        ..Proposal::default()
    }
}

fn at(arrival: i64) -> Reached {
    Reached {
        arrival,
        ..Reached::default()
    }
}

fn advancing(from: i64, to: i64) -> Proposal {
    let advances = vec![Advance {
        partition: PARTITION,
        from: at(from),
        to: at(to),
    }];
    Proposal {
        advances,
        ..adding(&format!("{from}-{to}"))
    }
}

#[tokio::test]
async fn appends_of_two_writers_follow_each_other() {
    let folder = tempfile::tempdir().unwrap();
    let mut one = follow(folder.path()).await;
    let mut other = follow(folder.path()).await;
    assert_eq!(
        one.commit(&adding("a"), 0).await.unwrap(),
        Outcome::Committed(1)
    );
    assert_eq!(
        other.commit(&adding("b"), 0).await.unwrap(),
        Outcome::Committed(2)
    );
    one.refresh().await.unwrap();
    assert_eq!(
        one.snapshot().files.keys().collect::<Vec<_>>(),
        ["a.parquet", "b.parquet"]
    );
}

#[tokio::test]
async fn a_writer_that_was_replaced_is_fenced_off() {
    let folder = tempfile::tempdir().unwrap();
    let mut zombie = follow(folder.path()).await;
    zombie.commit(&advancing(0, 10), 0).await.unwrap();
    let mut owner = follow(folder.path()).await;
    assert_eq!(
        owner.transaction(&PARTITION.position_id()).await.unwrap(),
        Some(10)
    );
    owner.commit(&advancing(10, 20), 0).await.unwrap();
    let fenced = zombie.commit(&advancing(10, 15), 0).await.unwrap_err();
    assert!(
        matches!(fenced, LakeError::Fenced { partition: 0, .. }),
        "{fenced:?}"
    );
    assert_eq!(
        owner.snapshot().files.len(),
        2,
        "nothing of the zombie is visible"
    );
}

#[tokio::test]
async fn rows_that_others_may_store_too_wait_until_their_commits_were_looked_at() {
    let folder = tempfile::tempdir().unwrap();
    let mut one = follow(folder.path()).await;
    let mut other = follow(folder.path()).await;
    other.commit(&adding("a"), 0).await.unwrap();
    let seen = one.foreign_commits();
    let careful = |seen| Proposal {
        after_foreign_commits: Some(seen),
        ..adding("b")
    };
    assert_eq!(
        one.commit(&careful(seen), 0).await.unwrap(),
        Outcome::Overtaken
    );
    let seen = one.foreign_commits();
    assert_eq!(
        one.commit(&careful(seen), 0).await.unwrap(),
        Outcome::Committed(2)
    );
}

#[tokio::test]
async fn a_rearrangement_of_files_that_are_gone_fails() {
    let folder = tempfile::tempdir().unwrap();
    let mut one = follow(folder.path()).await;
    one.commit(&adding("a"), 0).await.unwrap();
    let mut other = follow(folder.path()).await;
    let joining = |name| Proposal {
        removed: vec!["a.parquet".into()],
        is_rearrangement: true,
        ..adding(name)
    };
    other.commit(&joining("b"), 0).await.unwrap();
    // An append in between does not disturb.
    other.commit(&adding("c"), 0).await.unwrap();
    let gone = one.commit(&joining("d"), 0).await.unwrap_err();
    assert!(matches!(gone, LakeError::Replaced { .. }), "{gone:?}");
    assert_eq!(
        one.snapshot().files.keys().collect::<Vec<_>>(),
        ["b.parquet", "c.parquet"]
    );
}

#[tokio::test]
async fn positions_and_files_are_read_back_from_a_checkpoint() {
    let folder = tempfile::tempdir().unwrap();
    let mut live = follow(folder.path()).await;
    for at in 0..5 {
        live.commit(&advancing(at, at + 1), 0).await.unwrap();
    }
    deltalake::checkpoints::create_checkpoint_from_table_url_and_cleanup(
        live.url().unwrap(),
        5,
        Some(true),
        None,
    )
    .await
    .unwrap();
    live.commit(&advancing(5, 6), 0).await.unwrap();
    // A reader that slept while entries were cleaned away.
    let mut sleeper = follow(folder.path()).await;
    for version in 0..5 {
        std::fs::remove_file(super::log::entry_path(live.root(), version)).unwrap();
    }
    let mut restarted = follow(folder.path()).await;
    for table in [&mut restarted, &mut sleeper] {
        table.refresh().await.unwrap();
        assert_eq!(table.snapshot().version, Some(6));
        assert_eq!(table.snapshot().files.len(), 6);
        assert_eq!(
            table.transaction(&PARTITION.position_id()).await.unwrap(),
            Some(6)
        );
    }
}

/// Whoever took another log over first has moved the base alone; who still reads the one before is fenced off.
#[tokio::test]
async fn a_reader_of_the_log_before_is_fenced_off() {
    let folder = tempfile::tempdir().unwrap();
    let mut zombie = follow(folder.path()).await;
    let mut owner = follow(folder.path()).await;
    owner.commit(&advancing(0, 5), 0).await.unwrap();
    let another_log = Reached { base: 5, ..at(5) };
    let replaced = Proposal {
        advances: vec![Advance {
            partition: PARTITION,
            from: at(5),
            to: another_log,
        }],
        ..Proposal::default()
    };
    owner.commit(&replaced, 0).await.unwrap();
    assert_eq!(owner.reached(PARTITION).await.unwrap(), another_log);
    let refused = zombie.commit(&advancing(5, 7), 0).await.unwrap_err();
    assert!(matches!(refused, LakeError::Fenced { .. }), "{refused:?}");
    // As a later process finds it.
    assert_eq!(
        follow(folder.path())
            .await
            .reached(PARTITION)
            .await
            .unwrap(),
        another_log
    );
}
