//! A directory and a journal whose Nth call fails.

use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

use async_trait::async_trait;
use bus::Position;
use respond::accounts::{Half, Pair};
use respond::action::Permission;
use respond::cases::{Case, Intake, SeenAlert};
use respond::directory::{
    Directory, DirectoryError, DirectoryReads, Grant, InboxRule, ObjectId, Reply, Role, User,
};
use respond::journal::{
    Admitted, Holding, Journal, JournalError, Notice, Outbox, Outgoing, Question, Request, Step,
};
use respond::never_act::Pin;
use respond::preflight::Intent;
use respond::record::{ActionRecord, HoldReason, Try};
use respond::sighting::Sighting;
use schemas::wire::AuditRecord;
use tokio::sync::Notify;

/// How a call fails.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Fault {
    /// It never arrives.
    Lost,
    /// It takes effect, and its answer is lost.
    AnswerLost,
    /// It is refused for good.
    Denied,
    /// The process dies before it.
    DiesBefore,
    /// The process dies after it took effect.
    DiesAfter,
    /// It waits until it is let go on.
    Waits,
}

/// Fails the Nth call, from 1, of those that it forwards.
pub(crate) struct FaultyDirectory {
    inner: Arc<dyn Directory>,
    nth: u32,
    fault: Fault,
    calls: AtomicU32,
    /// Told when the process is to die.
    pub(crate) dies: Notify,
    /// Lets a call that waits go on.
    pub(crate) goes_on: Notify,
}

impl FaultyDirectory {
    pub(crate) fn new(inner: Arc<dyn Directory>, nth: u32, fault: Fault) -> Self {
        Self {
            inner,
            nth,
            fault,
            calls: AtomicU32::new(0),
            dies: Notify::new(),
            goes_on: Notify::new(),
        }
    }

    /// Whether the Nth call came.
    pub(crate) fn struck(&self) -> bool {
        self.calls.load(Ordering::SeqCst) >= self.nth
    }

    async fn through<T>(
        &self,
        call: impl Future<Output = Result<T, DirectoryError>> + Send,
    ) -> Result<T, DirectoryError> {
        if self.calls.fetch_add(1, Ordering::SeqCst) + 1 != self.nth {
            return call.await;
        }
        let lost = DirectoryError::Unreachable {
            why: "on purpose".to_owned(),
            reply: None,
            may_have_happened: true,
            after: Duration::from_millis(1),
        };
        match self.fault {
            Fault::Lost => Err(lost),
            Fault::AnswerLost => call.await.and(Err(lost)),
            Fault::Denied => Err(DirectoryError::Denied {
                status: 403,
                code: "Authorization_RequestDenied".to_owned(),
                request_id: String::new(),
            }),
            Fault::DiesBefore => self.die().await,
            Fault::Waits => {
                self.dies.notify_one();
                self.goes_on.notified().await;
                call.await
            }
            Fault::DiesAfter => {
                call.await?;
                self.die().await
            }
        }
    }

    async fn die<T>(&self) -> T {
        self.dies.notify_one();
        std::future::pending().await
    }
}

#[async_trait]
impl DirectoryReads for FaultyDirectory {
    async fn grant(&self, needed: &[Permission]) -> Result<Grant, DirectoryError> {
        self.through(self.inner.grant(needed)).await
    }

    async fn user(&self, name: &str) -> Result<Option<User>, DirectoryError> {
        self.through(self.inner.user(name)).await
    }

    async fn roles(&self, id: &ObjectId) -> Result<Vec<Role>, DirectoryError> {
        self.through(self.inner.roles(id)).await
    }

    async fn inbox_rules(&self, id: &ObjectId) -> Result<Vec<InboxRule>, DirectoryError> {
        self.through(self.inner.inbox_rules(id)).await
    }
}

#[async_trait]
impl Directory for FaultyDirectory {
    async fn set_account_enabled(
        &self,
        id: &ObjectId,
        enabled: bool,
        request_id: &str,
    ) -> Result<Reply, DirectoryError> {
        self.through(self.inner.set_account_enabled(id, enabled, request_id))
            .await
    }

    async fn revoke_sessions(
        &self,
        id: &ObjectId,
        request_id: &str,
    ) -> Result<Reply, DirectoryError> {
        self.through(self.inner.revoke_sessions(id, request_id))
            .await
    }

    async fn set_rule_enabled(
        &self,
        id: &ObjectId,
        rule_id: &str,
        enabled: bool,
        request_id: &str,
    ) -> Result<Reply, DirectoryError> {
        self.through(
            self.inner
                .set_rule_enabled(id, rule_id, enabled, request_id),
        )
        .await
    }
}

/// Fails the Nth write, from 1: before it is durable, or after.
pub(crate) struct FaultyJournal {
    inner: Arc<dyn Journal>,
    nth: u32,
    after: bool,
    writes: AtomicU32,
}

impl FaultyJournal {
    pub(crate) fn new(inner: Arc<dyn Journal>, nth: u32, after: bool) -> Self {
        Self {
            inner,
            nth,
            after,
            writes: AtomicU32::new(0),
        }
    }

    /// Whether the Nth write came.
    pub(crate) fn struck(&self) -> bool {
        self.writes.load(Ordering::SeqCst) >= self.nth
    }

    fn write<T>(
        &self,
        write: impl FnOnce(&dyn Journal) -> Result<T, JournalError>,
    ) -> Result<T, JournalError> {
        if self.writes.fetch_add(1, Ordering::SeqCst) + 1 != self.nth {
            return write(self.inner.as_ref());
        }
        if self.after {
            write(self.inner.as_ref())?;
        }
        Err(JournalError::Closed)
    }
}

impl Journal for FaultyJournal {
    fn admit(
        &self,
        alerts: &[SeenAlert],
        intake: &Intake,
        now_us: i64,
    ) -> Result<Vec<Admitted>, JournalError> {
        self.write(|journal| journal.admit(alerts, intake, now_us))
    }

    fn pin(&self, tenant_id: &str, pins: &[Pin], now_us: i64) -> Result<(), JournalError> {
        self.inner.pin(tenant_id, pins, now_us)
    }
    fn pins(&self, tenant_id: &str) -> Result<Vec<Pin>, JournalError> {
        self.inner.pins(tenant_id)
    }
    fn learn(&self, pairs: &[Pair]) -> Result<(), JournalError> {
        self.write(|journal| journal.learn(pairs))
    }

    fn advance(&self, step: &Step) -> Result<ActionRecord, JournalError> {
        self.write(|journal| journal.advance(step))
    }

    fn keep_try(&self, action_id: &str, tried: &Try) -> Result<ActionRecord, JournalError> {
        self.write(|journal| journal.keep_try(action_id, tried))
    }

    fn postpone(&self, action_id: &str, attempts: u32, at_us: i64) -> Result<(), JournalError> {
        self.write(|journal| journal.postpone(action_id, attempts, at_us))
    }

    fn hold(&self, holdings: &[Holding]) -> Result<Vec<String>, JournalError> {
        self.write(|journal| journal.hold(holdings))
    }

    fn release(&self, tenant_id: &str) -> Result<(), JournalError> {
        self.write(|journal| journal.release(tenant_id))
    }

    fn note(&self, notice: &Notice) -> Result<(), JournalError> {
        self.write(|journal| journal.note(notice))
    }

    fn damaged(&self) -> Result<u64, JournalError> {
        self.inner.damaged()
    }

    fn sign(&self) -> Result<bool, JournalError> {
        self.write(|journal| journal.sign())
    }

    fn noted(&self, what: &str) -> Result<Option<AuditRecord>, JournalError> {
        self.inner.noted(what)
    }

    fn held(&self, tenant_id: &str) -> Result<Vec<(HoldReason, u64)>, JournalError> {
        self.inner.held(tenant_id)
    }

    fn outbox(&self) -> Result<Outbox, JournalError> {
        self.inner.outbox()
    }

    fn request(&self, request: &Request) -> Result<ActionRecord, JournalError> {
        self.write(|journal| journal.request(request))
    }

    fn published(&self, number: i64, placed: &[Position]) -> Result<(), JournalError> {
        self.write(|journal| journal.published(number, placed))
    }

    fn acknowledged(&self) -> Result<Vec<Position>, JournalError> {
        self.inner.acknowledged()
    }

    fn published_again(&self, placed: &[Position]) -> Result<(), JournalError> {
        self.write(|journal| journal.published_again(placed))
    }

    fn halves(&self, alerts: &[SeenAlert], now_us: i64) -> Result<Vec<Half>, JournalError> {
        self.inner.halves(alerts, now_us)
    }
    fn pairs_of(&self, tenant_id: &str, names: &[String]) -> Result<Vec<Pair>, JournalError> {
        self.inner.pairs_of(tenant_id, names)
    }

    fn ask_whom(&self, record: &ActionRecord, now_us: i64) -> Result<String, JournalError> {
        self.write(|journal| journal.ask_whom(record, now_us))
    }
    fn questions(&self, tenant_id: &str, now_us: i64) -> Result<Vec<Question>, JournalError> {
        self.inner.questions(tenant_id, now_us)
    }
    fn answer(&self, question_id: &str, sighting: &Sighting) -> Result<(), JournalError> {
        self.write(|journal| journal.answer(question_id, sighting))
    }
    fn sighting(&self, question_id: &str) -> Result<Option<Sighting>, JournalError> {
        self.inner.sighting(question_id)
    }

    fn action(&self, action_id: &str) -> Result<Option<ActionRecord>, JournalError> {
        self.inner.action(action_id)
    }

    fn runnable(
        &self,
        tenant_id: &str,
        now_us: i64,
        count_max: usize,
    ) -> Result<Vec<ActionRecord>, JournalError> {
        self.inner.runnable(tenant_id, now_us, count_max)
    }

    fn waiting_elsewhere(
        &self,
        tenants: &[String],
        count_max: usize,
    ) -> Result<Vec<ActionRecord>, JournalError> {
        self.inner.waiting_elsewhere(tenants, count_max)
    }

    fn intents(&self, tenant_id: &str, since_us: i64) -> Result<Vec<Intent>, JournalError> {
        self.inner.intents(tenant_id, since_us)
    }

    fn outgoing(&self, count_max: usize) -> Result<Vec<Outgoing>, JournalError> {
        self.inner.outgoing(count_max)
    }

    fn cases(&self, count_max: usize) -> Result<Vec<Case>, JournalError> {
        self.inner.cases(count_max)
    }

    fn cases_after(&self, case_id: &str, count_max: usize) -> Result<Vec<Case>, JournalError> {
        self.inner.cases_after(case_id, count_max)
    }

    fn case(&self, case_id: &str) -> Result<Option<Case>, JournalError> {
        self.inner.case(case_id)
    }

    fn actions(
        &self,
        case_id: Option<&str>,
        count_max: usize,
    ) -> Result<Vec<ActionRecord>, JournalError> {
        self.inner.actions(case_id, count_max)
    }

    fn audit(&self, after: u64, count_max: usize) -> Result<Vec<AuditRecord>, JournalError> {
        self.inner.audit(after, count_max)
    }
}
