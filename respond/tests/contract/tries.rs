//! Every call is found again by its ids, and a call without an answer is remembered until the action ends.

use std::collections::VecDeque;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use async_trait::async_trait;
use respond::action::{Action, BlockSignIn, Permission};
use respond::directory::{
    Directory, DirectoryError, DirectoryReads, Grant, InboxRule, ObjectId, Reply, Role, User,
};
use respond::record::State;
use respond::review::Review;
use serde_json::{Value, json};

use crate::world::World;

const BLOCK: Action = Action::BlockSignIn(BlockSignIn {});

/// What becomes of a call; nothing of any is carried out.
#[derive(Debug, Clone, Copy)]
enum Fate {
    /// No answer comes.
    Silence,
    /// Refused for now: it was surely not carried out.
    Busy,
    /// Refused for good.
    Denied,
    /// Refused, and perhaps carried out.
    Failed,
}

/// Answers to changes as they are scripted, and keeps what they were sent with.
struct Scripted {
    inner: Arc<dyn Directory>,
    fates: Mutex<VecDeque<Fate>>,
    sent: Mutex<Vec<String>>,
}

impl Scripted {
    fn answer(&self, request_id: &str) -> Result<Reply, DirectoryError> {
        self.sent.lock().unwrap().push(request_id.to_owned());
        let fate = self.fates.lock().unwrap().pop_front().unwrap();
        let unreachable = |status: Option<u16>, may_have_happened| DirectoryError::Unreachable {
            why: format!("{fate:?}"),
            reply: status.map(|status| Reply {
                status,
                request_id: format!("reply {status}"),
            }),
            may_have_happened,
            after: Duration::from_millis(1),
        };
        Err(match fate {
            Fate::Silence => unreachable(None, true),
            Fate::Failed => unreachable(Some(500), true),
            Fate::Busy => unreachable(Some(429), false),
            Fate::Denied => DirectoryError::Denied {
                status: 403,
                code: "Authorization_RequestDenied".to_owned(),
                request_id: "reply 403".to_owned(),
            },
        })
    }
}

#[async_trait]
impl DirectoryReads for Scripted {
    async fn grant(&self, needed: &[Permission]) -> Result<Grant, DirectoryError> {
        self.inner.grant(needed).await
    }
    async fn user(&self, name: &str) -> Result<Option<User>, DirectoryError> {
        self.inner.user(name).await
    }
    async fn roles(&self, id: &ObjectId) -> Result<Vec<Role>, DirectoryError> {
        self.inner.roles(id).await
    }
    async fn inbox_rules(&self, id: &ObjectId) -> Result<Vec<InboxRule>, DirectoryError> {
        self.inner.inbox_rules(id).await
    }
}

#[async_trait]
impl Directory for Scripted {
    async fn set_account_enabled(
        &self,
        _id: &ObjectId,
        _on: bool,
        request_id: &str,
    ) -> Result<Reply, DirectoryError> {
        self.answer(request_id)
    }
    async fn revoke_sessions(
        &self,
        _id: &ObjectId,
        request_id: &str,
    ) -> Result<Reply, DirectoryError> {
        self.answer(request_id)
    }
    async fn set_rule_enabled(
        &self,
        _id: &ObjectId,
        _rule: &str,
        _on: bool,
        request_id: &str,
    ) -> Result<Reply, DirectoryError> {
        self.answer(request_id)
    }
}

#[tokio::test]
async fn an_action_of_which_one_call_had_no_answer_never_ends_as_failed() {
    for (fates, ends) in [
        (vec![Fate::Denied], State::Failed),
        (vec![Fate::Busy, Fate::Denied], State::Failed),
        (vec![Fate::Silence, Fate::Denied], State::Unknown),
        (vec![Fate::Failed, Fate::Denied], State::Unknown),
        (
            vec![Fate::Silence, Fate::Busy, Fate::Busy, Fate::Denied],
            State::Unknown,
        ),
    ] {
        let world = World::in_memory();
        let scripted = Arc::new(Scripted {
            inner: Arc::clone(&world.directory),
            fates: Mutex::new(fates.iter().copied().collect()),
            sent: Mutex::default(),
        });
        let record = world.request(&BLOCK);
        let executor = world.executor_with(scripted.clone(), world.journal.clone());
        let state = world.finish(&executor, &record.action_id).await;
        assert_eq!(state, ends, "{fates:?}");

        // The id of each call was durable before it was sent, and all are told at the end, with every answer.
        let sent = scripted.sent.lock().unwrap().clone();
        assert_eq!(sent.len(), fates.len(), "{fates:?}");
        let review = Review::open(&world.journal_path()).unwrap();
        let entries = review.entries(&record.action_id, 100).unwrap();
        let detail_at = |state: &str| -> Value {
            let entry = entries.iter().find(|entry| entry.state == state).unwrap();
            serde_json::from_str(&entry.detail).unwrap()
        };
        let intent = detail_at("intended");
        assert_eq!(intent["client_request_id"], json!(sent[0]));
        assert_eq!(sent[0].len(), 36, "a GUID");
        let outcome = detail_at(ends.as_str());
        let tries = outcome["tries"].as_array().unwrap();
        let told: Vec<&Value> = tries.iter().map(|one| &one["client_request_id"]).collect();
        assert_eq!(told, sent.iter().collect::<Vec<_>>());
        let statuses: Vec<Value> = tries
            .iter()
            .map(|one| one["replies"][0]["status"].clone())
            .collect();
        let expected: Vec<Value> = fates
            .iter()
            .map(|fate| match fate {
                Fate::Silence => Value::Null,
                Fate::Busy => json!(429),
                Fate::Denied => json!(403),
                Fate::Failed => json!(500),
            })
            .collect();
        assert_eq!(statuses, expected);
        assert_eq!(
            tries[tries.len() - 1]["replies"][0]["request_id"],
            "reply 403"
        );
    }
}

#[tokio::test]
async fn graph_is_sent_the_id_that_the_intent_has_and_its_answer_is_kept() {
    let world = World::simulated().await;
    let record = world.perform(&BLOCK).await;
    assert_eq!(record.state, State::Effective, "{}", record.detail);
    let tried = &record.tries[0];
    assert!(tried.is_answered);
    let calls = world.calls().await;
    let sent = calls.iter().find(|call| call["method"] == "PATCH").unwrap();
    assert_eq!(sent["client_request_id"], json!(tried.client_request_id));
    assert_eq!(tried.replies.len(), 1);
    assert_eq!(tried.replies[0].status, 204);
    assert!(!tried.replies[0].request_id.is_empty());
    assert_eq!(record.detail["tries"], json!(record.tries));
}
