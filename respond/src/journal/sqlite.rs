//! The journal in one SQLite file, in WAL mode with `synchronous=FULL`: what is committed survives a power cut.

use std::path::Path;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use bus::Position;
use rusqlite::{Connection, Transaction, TransactionBehavior, params};

use schemas::environment::{Clock, SystemClock};
use schemas::wire::AuditRecord;

use super::{
    Admitted, Holding, Journal, JournalError, Notice, Outbox, Outgoing, Request, Step, StoredAction,
};
use super::{
    Question, admission, chain, damage, file, heads, holds, outbox, pairs, pins, questions, rows,
};
use crate::accounts::named::Named;
use crate::accounts::{Half, Pair};
use crate::audit::signature::AuditKey;
use crate::cases::{self, Case, Intake, SeenAlert};
use crate::never_act::Pin;
use crate::preflight::Intent;
use crate::record::{ActionRecord, Approval, HoldReason, State, Try, wait_end_us};
use crate::requests::{self, Meaning};
use crate::sighting::Sighting;

/// The journal in one SQLite file.
pub struct SqliteJournal {
    connection: Mutex<Connection>,
    clock: Arc<dyn Clock>,
    key: Option<AuditKey>,
}

impl SqliteJournal {
    /// Opens the file for a stage, and makes it if it is missing.
    ///
    /// # Errors
    /// [`JournalError::Damaged`] if it is damaged, [`JournalError::Version`] if it is of a later version or not ours.
    pub fn open(path: &Path) -> Result<Self, JournalError> {
        file::open(path).map(Self::of)
    }

    /// Opens the file of a stage beside it; it must exist and be of this version.
    ///
    /// # Errors
    /// [`JournalError::Storage`] if there is no such file, [`JournalError::Version`] if it is of another version.
    pub fn open_beside(path: &Path) -> Result<Self, JournalError> {
        file::open_beside(path).map(Self::of)
    }

    /// A journal that is gone with the process.
    ///
    /// # Errors
    /// [`JournalError::Storage`].
    pub fn in_memory() -> Result<Self, JournalError> {
        file::in_memory().map(Self::of)
    }

    fn of(connection: Connection) -> Self {
        Self {
            connection: Mutex::new(connection),
            clock: Arc::new(SystemClock),
            key: None,
        }
    }

    /// The journal by this clock, for what it writes by itself.
    #[must_use]
    pub fn by_clock(mut self, clock: Arc<dyn Clock>) -> Self {
        self.clock = clock;
        self
    }

    /// The journal that signs its audit chain with this key, if there is one.
    #[must_use]
    pub fn signed_with(mut self, key: Option<AuditKey>) -> Self {
        self.key = key;
        self
    }

    /// How many actions of all tenants are held for this reason.
    ///
    /// # Errors
    /// [`JournalError`] if they cannot be counted.
    pub fn held_by(&self, reason: HoldReason) -> Result<u64, JournalError> {
        self.read(|connection| holds::held_by(connection, reason))
    }

    /// Every action as it is stored; nothing is set aside.
    ///
    /// # Errors
    /// [`JournalError`] if they cannot be read.
    pub fn stored_actions(&self) -> Result<Vec<StoredAction>, JournalError> {
        rows::stored_actions(&self.connection())
    }

    fn connection(&self) -> MutexGuard<'_, Connection> {
        // A panic elsewhere has rolled its transaction back; the connection is whole.
        self.connection
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
    }

    /// Does `work` in one transaction; rows that it cannot read are set aside, and it is done without them.
    fn transact<T>(
        &self,
        work: impl Fn(&Transaction<'_>) -> Result<T, JournalError>,
    ) -> Result<T, JournalError> {
        match self.transact_once(&work) {
            Err(error) => self.without_damage(error, || self.transact_once(&work)),
            done => done,
        }
    }

    /// Reads; rows that cannot be read are set aside, and it is read without them.
    fn read<T>(
        &self,
        work: impl Fn(&Connection) -> Result<T, JournalError>,
    ) -> Result<T, JournalError> {
        let read = work(&self.connection());
        match read {
            Err(error) => self.without_damage(error, || work(&self.connection())),
            read => read,
        }
    }

    /// Tries again where a row was the cause and is out of the way now.
    fn without_damage<T>(
        &self,
        error: JournalError,
        again: impl Fn() -> Result<T, JournalError>,
    ) -> Result<T, JournalError> {
        if !matches!(error, JournalError::Row { .. }) {
            return Err(error);
        }
        let now_us = self.clock.now_us();
        if self.transact_once(|transaction| damage::set_aside(transaction, now_us))? == 0 {
            return Err(error);
        }
        again()
    }

    fn transact_once<T>(
        &self,
        work: impl Fn(&Transaction<'_>) -> Result<T, JournalError>,
    ) -> Result<T, JournalError> {
        let mut connection = self.connection();
        let transaction = connection.transaction_with_behavior(TransactionBehavior::Immediate)?;
        let done = work(&transaction)?;
        if let Some(key) = &self.key {
            heads::sign_if_due(&transaction, key, self.clock.now_us())?;
        }
        transaction.commit()?;
        Ok(done)
    }
}

impl Journal for SqliteJournal {
    fn admit(
        &self,
        alerts: &[SeenAlert],
        intake: &Intake,
        now_us: i64,
    ) -> Result<Vec<Admitted>, JournalError> {
        self.transact(|transaction| admission::admit(transaction, alerts, intake, now_us))
    }

    fn halves(&self, alerts: &[SeenAlert], now_us: i64) -> Result<Vec<Half>, JournalError> {
        self.read(|connection| pairs::halves(connection, alerts, now_us))
    }

    fn pairs_of(&self, tenant_id: &str, names: &[String]) -> Result<Vec<Pair>, JournalError> {
        self.read(|connection| pairs::of_names(connection, tenant_id, names))
    }

    fn pin(&self, tenant_id: &str, pins: &[Pin], now_us: i64) -> Result<(), JournalError> {
        self.transact(|transaction| pins::put(transaction, tenant_id, pins, now_us))
    }

    fn pins(&self, tenant_id: &str) -> Result<Vec<Pin>, JournalError> {
        self.read(|connection| pins::of_tenant(connection, tenant_id))
    }

    fn learn(&self, pairs: &[Pair]) -> Result<(), JournalError> {
        self.transact(|transaction| pairs::learn(transaction, pairs))
    }

    fn advance(&self, step: &Step) -> Result<ActionRecord, JournalError> {
        self.transact(|transaction| {
            let mut record = rows::action(transaction, &step.action_id)?.ok_or_else(|| {
                JournalError::NoSuchAction {
                    action_id: step.action_id.clone(),
                }
            })?;
            if !step.from.contains(&record.state) {
                return Err(JournalError::Conflict {
                    action_id: record.action_id,
                    found: record.state,
                });
            }
            if record.dry_run && !matches!(step.to, State::Refused | State::Expired) {
                return Err(JournalError::DryRun {
                    action_id: record.action_id,
                });
            }
            record.state = step.to;
            record.changed_time_us = step.time_us;
            record.attempts = 0;
            record.not_before_us = 0;
            record.hold = None;
            record.detail = step.detail.clone();
            if let Some(receipt) = &step.receipt {
                record.receipt = Some(receipt.clone());
            }
            if let Some(tried) = &step.tried {
                record.keep_try(tried.clone());
            }
            if let Some(approval) = &step.approval {
                record.approval = Some(approval.clone());
                record.approved_time_us = Some(step.time_us);
                record.sighted.clone_from(&step.sighted);
            }
            if step.to == State::Intended {
                record.warnings.clone_from(&step.warnings);
                record.intended_time_us = Some(step.time_us);
                admission::note_progress(transaction, &record)?;
            }
            rows::update_action(transaction, &record)?;
            chain::append(transaction, &record)?;
            Ok(record)
        })
    }

    fn keep_try(&self, action_id: &str, tried: &Try) -> Result<ActionRecord, JournalError> {
        self.transact(|transaction| {
            let mut record = rows::action(transaction, action_id)?.ok_or_else(|| {
                JournalError::NoSuchAction {
                    action_id: action_id.to_owned(),
                }
            })?;
            record.keep_try(tried.clone());
            rows::update_action(transaction, &record)?;
            Ok(record)
        })
    }

    fn postpone(
        &self,
        action_id: &str,
        attempts: u32,
        not_before_us: i64,
    ) -> Result<(), JournalError> {
        self.transact(|transaction| {
            let Some(mut record) = rows::action(transaction, action_id)? else {
                return Err(JournalError::NoSuchAction {
                    action_id: action_id.to_owned(),
                });
            };
            record.attempts = attempts;
            record.not_before_us = not_before_us;
            rows::update_action(transaction, &record)
        })
    }

    fn hold(&self, holdings: &[Holding]) -> Result<Vec<String>, JournalError> {
        self.transact(|transaction| holds::hold(transaction, holdings))
    }

    fn release(&self, tenant_id: &str) -> Result<(), JournalError> {
        self.transact(|transaction| holds::release(transaction, tenant_id))
    }

    fn note(&self, notice: &Notice) -> Result<(), JournalError> {
        self.transact(|transaction| chain::note(transaction, notice))
    }

    fn damaged(&self) -> Result<u64, JournalError> {
        damage::count(&self.connection())
    }

    fn sign(&self) -> Result<bool, JournalError> {
        let Some(key) = &self.key else {
            return Ok(false);
        };
        self.transact(|transaction| heads::sign(transaction, key, self.clock.now_us()))
    }

    fn noted(&self, what: &str) -> Result<Option<AuditRecord>, JournalError> {
        self.read(|connection| chain::latest(connection, what))
    }

    fn held(&self, tenant_id: &str) -> Result<Vec<(HoldReason, u64)>, JournalError> {
        self.read(|connection| holds::held(connection, tenant_id))
    }

    fn outbox(&self) -> Result<Outbox, JournalError> {
        self.read(outbox::outbox)
    }

    fn request(&self, request: &Request) -> Result<ActionRecord, JournalError> {
        self.transact(|transaction| {
            let case = rows::living_case(transaction, &request.case_id)?.ok_or_else(|| {
                JournalError::NoSuchCase {
                    case_id: request.case_id.clone(),
                }
            })?;
            if case.entity().is_empty() {
                return Err(JournalError::NoAccount {
                    case_id: case.case_id,
                });
            }
            let known = rows::actions_of(transaction, &case.case_id, usize::MAX)?;
            let round = match requests::meaning(&known, &request.action, request.time_us) {
                Meaning::Known { action_id } => {
                    return known
                        .into_iter()
                        .find(|record| record.action_id == action_id)
                        .ok_or(JournalError::NoSuchAction { action_id });
                }
                Meaning::New { round } => round,
            };
            let position = u32::try_from(known.len()).unwrap_or(u32::MAX);
            let by = request.by.clone();
            let (action, time_us) = (&request.action, request.time_us);
            let of_round = |round| {
                cases::new_record(&case, action.clone(), round, position, by.clone(), time_us)
            };
            let mut record = of_round(round);
            // One that cannot be read any more may have been done: asked for again, it is another one.
            while damage::has(transaction, damage::ACTIONS, &record.action_id)? {
                record = of_round(record.round.saturating_add(1));
            }
            if let Some(undoes) = &request.undoes {
                record.target = undoes.account.to_string();
                record.evidence = vec![Named {
                    user: String::new(),
                    user_id: undoes.account.to_string(),
                    time_us: request.time_us,
                }];
                record.undoes = Some(undoes.clone());
            }
            if !request.os_user.is_null() {
                record.detail["os_user"] = request.os_user.clone();
            }
            record.dry_run = request.dry_run;
            record.sighted.clone_from(&request.sighted);
            record.approval = (!request.dry_run).then_some(Approval::Person(by));
            rows::add_action(transaction, &record)?;
            let action_id = record.action_id;
            rows::action(transaction, &action_id)?.ok_or(JournalError::NoSuchAction { action_id })
        })
    }

    fn ask_whom(&self, record: &ActionRecord, now_us: i64) -> Result<String, JournalError> {
        self.transact(|transaction| questions::ask(transaction, record, now_us))
    }

    fn questions(&self, tenant_id: &str, now_us: i64) -> Result<Vec<Question>, JournalError> {
        self.read(|connection| questions::open(connection, tenant_id, now_us))
    }

    fn answer(&self, question_id: &str, sighting: &Sighting) -> Result<(), JournalError> {
        self.transact(|transaction| questions::answer(transaction, question_id, sighting))
    }

    fn sighting(&self, question_id: &str) -> Result<Option<Sighting>, JournalError> {
        self.read(|connection| questions::answered(connection, question_id))
    }

    fn action(&self, action_id: &str) -> Result<Option<ActionRecord>, JournalError> {
        self.read(|connection| rows::action(connection, action_id))
    }

    fn runnable(
        &self,
        tenant_id: &str,
        now_us: i64,
        count_max: usize,
    ) -> Result<Vec<ActionRecord>, JournalError> {
        // What waits for its time is not looked at, so that it cannot keep what came later from its turn.
        self.read(|connection| rows::bodies(
            connection,
            "SELECT body FROM actions WHERE tenant_id = ?1 AND state IN ('approved', 'intended', 'applied') \
             AND (not_before_us <= ?2 OR not_before_us > ?3) ORDER BY number LIMIT ?4",
            params![tenant_id, now_us, wait_end_us(now_us), rows::bound(count_max)],
            "an action",
        ))
    }

    fn waiting_elsewhere(
        &self,
        tenants: &[String],
        count_max: usize,
    ) -> Result<Vec<ActionRecord>, JournalError> {
        self.read(|connection| holds::waiting_elsewhere(connection, tenants, count_max))
    }

    fn intents(&self, tenant_id: &str, since_us: i64) -> Result<Vec<Intent>, JournalError> {
        let records: Vec<ActionRecord> = self.read(|connection| {
            rows::bodies(
                connection,
                "SELECT body FROM actions WHERE tenant_id = ?1 AND intended_time_us >= ?2",
                params![tenant_id, since_us],
                "an action",
            )
        })?;
        Ok(records
            .into_iter()
            .filter_map(|record| {
                Some(Intent {
                    account: record.account().to_owned(),
                    kind: record.action.kind(),
                    is_automatic: record.approval == Some(Approval::Policy),
                    time_us: record.intended_time_us?,
                    action_id: record.action_id,
                })
            })
            .collect())
    }

    fn outgoing(&self, count_max: usize) -> Result<Vec<Outgoing>, JournalError> {
        self.read(|connection| outbox::outgoing(connection, count_max))
    }

    fn published(&self, number: i64, placed: &[Position]) -> Result<(), JournalError> {
        self.transact(|transaction| outbox::published(transaction, number, placed))
    }

    fn acknowledged(&self) -> Result<Vec<Position>, JournalError> {
        self.read(outbox::acknowledged)
    }

    fn published_again(&self, placed: &[Position]) -> Result<(), JournalError> {
        self.transact(|transaction| outbox::published_again(transaction, placed))
    }

    fn cases(&self, count_max: usize) -> Result<Vec<Case>, JournalError> {
        let sql = "SELECT body FROM cases ORDER BY changed_time_us DESC, case_id LIMIT ?1";
        self.read(|connection| {
            rows::bodies(connection, sql, params![rows::bound(count_max)], "a case")
        })
    }

    fn cases_after(&self, case_id: &str, count_max: usize) -> Result<Vec<Case>, JournalError> {
        let sql = "SELECT body FROM cases WHERE case_id > ?1 ORDER BY case_id LIMIT ?2";
        let bound = rows::bound(count_max);
        self.read(|connection| rows::bodies(connection, sql, params![case_id, bound], "a case"))
    }

    fn case(&self, case_id: &str) -> Result<Option<Case>, JournalError> {
        self.read(|connection| rows::case(connection, case_id))
    }

    fn actions(
        &self,
        case_id: Option<&str>,
        count_max: usize,
    ) -> Result<Vec<ActionRecord>, JournalError> {
        if let Some(case_id) = case_id {
            return self.read(|connection| rows::actions_of(connection, case_id, count_max));
        }
        self.read(|connection| rows::bodies(
            connection,
            "SELECT body FROM (SELECT number, body FROM actions ORDER BY number DESC LIMIT ?1) ORDER BY number",
            params![rows::bound(count_max)],
            "an action",
        ))
    }

    fn audit(&self, after: u64, count_max: usize) -> Result<Vec<AuditRecord>, JournalError> {
        self.read(|connection| chain::after(connection, after, count_max))
    }
}
