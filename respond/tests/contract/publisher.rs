//! What becomes of the stage when its journal cannot be published.

use std::sync::Arc;

use respond::RespondError;
use respond::record::State;
use schemas::limits::MESSAGE_BYTES_MAX;
use schemas::topics::Topic;
use schemas::wire::{AuditRecord, Case, Coverage};

use crate::house::{House, PATIENCE, all};
use crate::memory::{ACCOUNT, MemoryDirectory};
use crate::world::{TENANT, alert};

/// Puts a message into the outbox that no bus takes.
fn spoil_the_outbox(house: &House) {
    rusqlite::Connection::open(&house.config.journal)
        .unwrap()
        .execute(
            "INSERT INTO outgoing (topic, key, payload) VALUES ('audit', 'x', zeroblob(?1))",
            [i64::try_from(MESSAGE_BYTES_MAX).unwrap() + 1],
        )
        .unwrap();
}

#[tokio::test]
async fn a_publisher_that_ends_ends_the_stage_and_says_so() {
    let mut house = House::new().await;
    house.add(TENANT, Arc::new(MemoryDirectory::new()));
    let stage = house.start();
    house.publish(&[alert(TENANT, ACCOUNT, "a1")]).await;
    house.until("contained", all(State::Effective, 3)).await;
    spoil_the_outbox(&house);
    // Nobody asks it to stop: better no response than one that nobody outside of this machine sees.
    let ended = tokio::time::timeout(PATIENCE, stage.running)
        .await
        .expect("the stage ends by itself")
        .unwrap();
    assert!(matches!(ended, Err(RespondError::Bus(_))), "{ended:?}");
    let troubles = house.health.troubles();
    assert!(
        troubles["respond/publisher"].why.contains("published"),
        "{troubles:?}"
    );
}

#[tokio::test]
async fn a_stage_that_is_started_again_and_again_sends_nothing_before_the_outbox_is_out() {
    let mut house = House::new().await;
    let directory = Arc::new(MemoryDirectory::new());
    house.add(TENANT, directory.clone());
    let stage = house.start();
    house.until("its journal is there", |_| true).await;
    stage.end().await;
    spoil_the_outbox(&house);
    house.publish(&[alert(TENANT, ACCOUNT, "a1")]).await;
    for _ in 0..5 {
        let ended = tokio::time::timeout(PATIENCE, house.start().running).await;
        let ended = ended.expect("the stage ends by itself").unwrap();
        assert!(matches!(ended, Err(RespondError::Bus(_))), "{ended:?}");
    }
    assert!(directory.changes().is_empty());
}

#[tokio::test]
async fn an_emptied_or_damaged_journal_is_not_taken_silently() {
    for content in [None, Some("nothing that SQLite knows".repeat(9))] {
        another_journal_is_told(content.as_deref()).await;
    }
}

async fn another_journal_is_told(content: Option<&str>) {
    let house = House::contained().await;
    assert!(!house.health.troubles().contains_key("respond/journal"));
    // Somebody empties it; what was published from it is on the bus.
    for end in ["", "-wal", "-shm"] {
        let path = format!("{}{end}", house.config.journal.display());
        drop(std::fs::remove_file(path));
    }
    if let Some(content) = content {
        std::fs::write(&house.config.journal, content).unwrap();
    }
    let stage = house.start();
    let began = tokio::time::Instant::now();
    while !house.health.troubles().contains_key("respond/journal") {
        assert!(began.elapsed() < PATIENCE, "it says so");
        tokio::time::sleep(std::time::Duration::from_millis(10)).await;
    }
    stage.end().await;
    let audit: Vec<AuditRecord> = house.read(Topic::Audit).await;
    let last = audit.iter().rfind(|entry| entry.action == "journal");
    let last = last.unwrap();
    assert_eq!(
        (last.action.as_str(), last.state.as_str()),
        ("journal", "began_anew")
    );
    assert_eq!(last.sequence, 1, "it is the first entry of the new chain");
    let detail: serde_json::Value = serde_json::from_str(&last.detail).unwrap();
    let aside = detail["damaged"].as_str().map(std::fs::read_to_string);
    assert_eq!(aside.map(Result::unwrap).as_deref(), content, "it is kept");
}

#[tokio::test]
async fn what_a_log_that_was_moved_aside_had_acknowledged_is_published_again_once() {
    let mut house = House::contained().await;
    let before: Vec<AuditRecord> = house.read(Topic::Audit).await;
    let last_case: Case = house.read(Topic::Cases).await.pop().unwrap();
    house.replace_the_log().await;
    // Twice: the second one finds its own log.
    for _ in 0..2 {
        let stage = house.start();
        let began = tokio::time::Instant::now();
        let mut after: Vec<AuditRecord> = Vec::new();
        while after.len() < before.len() {
            assert!(began.elapsed() < PATIENCE, "only {} came", after.len());
            tokio::time::sleep(std::time::Duration::from_millis(10)).await;
            after = house.read(Topic::Audit).await;
        }
        stage.end().await;
        let after: Vec<AuditRecord> = house.read(Topic::Audit).await;
        assert_eq!(after[..before.len()], before, "in their order");
        let again = after[before.len()..]
            .iter()
            .filter(|entry| before.contains(entry));
        assert_eq!(again.count(), 0, "once");
        let cases: Vec<Case> = house.read(Topic::Cases).await;
        assert_eq!(cases, std::slice::from_ref(&last_case));
        let lines: Vec<Coverage> = house.read(Topic::Coverage).await;
        let told: Vec<&str> = lines
            .iter()
            .filter(|line| line.detail.contains("published again"))
            .map(|line| line.subject.as_str())
            .collect();
        assert_eq!(told, ["audit/0", "cases/0"]);
    }
}
