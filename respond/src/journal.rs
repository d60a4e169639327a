//! What is durable: alerts seen, cases, actions, the audit chain, and what is still to be published.
//!
//! Every change of an action's state is one transaction with its audit entry and its message, so that none of
//! the three can exist without the others. [`sqlite::SqliteJournal`] is the journal; the trait is the seam at
//! which tests make the Nth write fail.

mod admission;
mod chain;
mod changes;
mod damage;
pub(crate) mod file;
mod heads;
mod holds;
mod ledger;
mod outbox;
mod pairs;
mod pins;
mod questions;
mod rows;
pub mod sqlite;
mod tables;

use std::io;
use std::path::PathBuf;

use bus::Position;
use schemas::wire::AuditRecord;

use crate::accounts::{Half, Pair};
use crate::cases::{Case, Intake, SeenAlert};
use crate::never_act::Pin;
use crate::person::NoName;
use crate::preflight::Intent;
use crate::record::{ActionRecord, HoldReason, State, Try};
use crate::sighting::Sighting;

pub use self::changes::{
    Admitted, Holding, Notice, Outbox, Outgoing, Question, Request, Step, StoredAction,
};
pub use self::ledger::Ledger;

/// Why the journal did not do as asked.
#[derive(Debug, thiserror::Error)]
pub enum JournalError {
    /// The file cannot be read or written; nothing was half-written.
    #[error("could not use the journal")]
    Storage {
        /// What SQLite said.
        #[source]
        cause: rusqlite::Error,
    },
    /// The file is no database, or its pages contradict each other.
    #[error("the journal {path:?} is damaged")]
    Damaged {
        /// The file.
        path: PathBuf,
        /// What SQLite said.
        #[source]
        cause: rusqlite::Error,
    },
    /// A new file cannot be put in its place.
    #[error("cannot make the journal {path:?}")]
    Create {
        /// The file.
        path: PathBuf,
        /// What the system said.
        #[source]
        cause: io::Error,
    },
    /// The file is a journal of another version, or no journal.
    #[error(
        "the journal is of version {found}, and this program writes {expected}: the respond stage of this program \
         brings an older one up to date when it starts, and a newer one needs the newer program"
    )]
    Version {
        /// What the file says.
        found: i64,
        /// What this program writes.
        expected: i64,
    },
    /// A row is not what this program writes.
    #[error("cannot read {what} from the journal")]
    Row {
        /// Which row.
        what: String,
    },
    /// An entry of the audit chain is not what this program writes.
    #[error("cannot read entry {sequence} of the audit chain: {what}")]
    Entry {
        /// Its sequence.
        sequence: u64,
        /// What is wrong.
        what: String,
    },
    /// There is no such action.
    #[error("there is no action \"{action_id}\"")]
    NoSuchAction {
        /// The id.
        action_id: String,
    },
    /// There is no such case.
    #[error("there is no case \"{case_id}\"")]
    NoSuchCase {
        /// The id.
        case_id: String,
    },
    /// The action has another state than the change starts from, because somebody else changed it.
    #[error("action \"{action_id}\" is {found}")]
    Conflict {
        /// The id.
        action_id: String,
        /// Its state.
        found: State,
    },
    /// The action was planned in dry-run, and is never sent.
    #[error("action \"{action_id}\" was planned in dry-run")]
    DryRun {
        /// The id.
        action_id: String,
    },
    /// There is nothing to restore.
    #[error("action \"{action_id}\" left nothing to restore")]
    NothingToUndo {
        /// The id.
        action_id: String,
    },
    /// It was left too long ago, or was not kept, so that nobody can tell whether it is still so.
    #[error("cannot undo action \"{action_id}\": {why}")]
    CannotUndo {
        /// The id.
        action_id: String,
        /// Why, and what to do instead.
        why: String,
    },
    /// The case is about no account.
    #[error("case \"{case_id}\" is about no account")]
    NoAccount {
        /// The id.
        case_id: String,
    },
    /// A decision names nobody as the one who decides.
    #[error("a decision needs the name of a person")]
    NoName(#[from] NoName),
    /// The work was cut off, because the process is ending.
    #[error("the journal was closed")]
    Closed,
}

impl From<rusqlite::Error> for JournalError {
    fn from(cause: rusqlite::Error) -> Self {
        match cause {
            // Of one row; the others can be read.
            rusqlite::Error::FromSqlConversionFailure(..)
            | rusqlite::Error::IntegralValueOutOfRange(..)
            | rusqlite::Error::InvalidColumnType(..)
            | rusqlite::Error::Utf8Error(..) => Self::Row {
                what: cause.to_string(),
            },
            cause => Self::Storage { cause },
        }
    }
}

/// What is durable.
pub trait Journal: Send + Sync {
    /// Keeps alerts with the cases and the plans that follow from them, each once, all in one transaction.
    ///
    /// What the alerts say about accounts is learnt first, and gives those alerts their other half that lack it.
    ///
    /// # Errors
    /// [`JournalError`]; nothing is kept then.
    fn admit(
        &self,
        alerts: &[SeenAlert],
        intake: &Intake,
        now_us: i64,
    ) -> Result<Vec<Admitted>, JournalError>;

    /// What the alerts know of accounts whose other half neither they nor the journal knows of late.
    ///
    /// # Errors
    /// [`JournalError`] if it cannot be read.
    fn halves(&self, alerts: &[SeenAlert], now_us: i64) -> Result<Vec<Half>, JournalError>;

    /// Every pair of a tenant with one of these names, of whatever age.
    ///
    /// # Errors
    /// [`JournalError`] if they cannot be read.
    fn pairs_of(&self, tenant_id: &str, names: &[String]) -> Result<Vec<Pair>, JournalError>;

    /// Keeps for ever whom entries of a tenant's never-act list mean.
    ///
    /// # Errors
    /// [`JournalError`]; nothing is kept then.
    fn pin(&self, tenant_id: &str, pins: &[Pin], now_us: i64) -> Result<(), JournalError>;

    /// Whom entries of a tenant's never-act list ever meant.
    ///
    /// # Errors
    /// [`JournalError`] if it cannot be read.
    fn pins(&self, tenant_id: &str) -> Result<Vec<Pin>, JournalError>;

    /// Keeps which object ids and names belong together.
    ///
    /// # Errors
    /// [`JournalError`]; nothing is kept then.
    fn learn(&self, pairs: &[Pair]) -> Result<(), JournalError>;

    /// Changes the state of an action, with its audit entry.
    ///
    /// # Errors
    /// [`JournalError::Conflict`] if the action is in no state that the change starts from.
    fn advance(&self, step: &Step) -> Result<ActionRecord, JournalError>;

    /// Keeps that a try begins, before its first call, or what is known of it now; gives the action with it.
    ///
    /// # Errors
    /// [`JournalError`]; nothing is kept then.
    fn keep_try(&self, action_id: &str, tried: &Try) -> Result<ActionRecord, JournalError>;

    /// Counts a failed try, and says when the next one is due.
    ///
    /// # Errors
    /// [`JournalError`]; nothing is kept then.
    fn postpone(
        &self,
        action_id: &str,
        attempts: u32,
        not_before_us: i64,
    ) -> Result<(), JournalError>;

    /// Holds actions where they stand, with an audit entry for each reason that was not told yet of that action.
    ///
    /// Actions that have nothing left to do are left alone. Gives those whose reason is new.
    ///
    /// # Errors
    /// [`JournalError`]; nothing is kept then.
    fn hold(&self, holdings: &[Holding]) -> Result<Vec<String>, JournalError>;

    /// Lets the held actions of a tenant be looked at again now, because the configuration may be another one.
    ///
    /// # Errors
    /// [`JournalError`]; nothing is kept then.
    fn release(&self, tenant_id: &str) -> Result<(), JournalError>;

    /// How many actions of a tenant are held, by reason.
    ///
    /// # Errors
    /// [`JournalError`] if they cannot be read.
    fn held(&self, tenant_id: &str) -> Result<Vec<(HoldReason, u64)>, JournalError>;

    /// Appends something to the audit chain that is no change of an action.
    ///
    /// # Errors
    /// [`JournalError`]; nothing is kept then.
    fn note(&self, notice: &Notice) -> Result<(), JournalError>;

    /// How many rows were set aside because they cannot be read.
    ///
    /// # Errors
    /// [`JournalError`] if they cannot be counted.
    fn damaged(&self) -> Result<u64, JournalError>;

    /// Signs what is in the audit chain, if this journal has a key and something has no signature yet; true if it did.
    ///
    /// # Errors
    /// [`JournalError`]; nothing is kept then.
    fn sign(&self) -> Result<bool, JournalError>;

    /// The newest entry of this kind that is no change of an action, or none.
    ///
    /// # Errors
    /// [`JournalError`] if it cannot be read.
    fn noted(&self, what: &str) -> Result<Option<AuditRecord>, JournalError>;

    /// Keeps a person's request; a request for what is on its way already is the same action.
    ///
    /// # Errors
    /// [`JournalError::NoSuchCase`], [`JournalError::NoAccount`].
    fn request(&self, request: &Request) -> Result<ActionRecord, JournalError>;

    /// Asks whom an action would be about; gives the question's id.
    ///
    /// # Errors
    /// [`JournalError`]; nothing is asked then.
    fn ask_whom(&self, record: &ActionRecord, now_us: i64) -> Result<String, JournalError>;

    /// Questions of a tenant that wait for an answer.
    ///
    /// # Errors
    /// [`JournalError`] if they cannot be read.
    fn questions(&self, tenant_id: &str, now_us: i64) -> Result<Vec<Question>, JournalError>;

    /// Keeps what was found.
    ///
    /// # Errors
    /// [`JournalError`]; the question then waits on.
    fn answer(&self, question_id: &str, sighting: &Sighting) -> Result<(), JournalError>;

    /// What was found, or none.
    ///
    /// # Errors
    /// [`JournalError`] if it cannot be read.
    fn sighting(&self, question_id: &str) -> Result<Option<Sighting>, JournalError>;

    /// An action, or none.
    ///
    /// # Errors
    /// [`JournalError`] if it cannot be read.
    fn action(&self, action_id: &str) -> Result<Option<ActionRecord>, JournalError>;

    /// Actions of a tenant that have something left to do and are due, in order.
    ///
    /// # Errors
    /// [`JournalError`] if they cannot be read.
    fn runnable(
        &self,
        tenant_id: &str,
        now_us: i64,
        count_max: usize,
    ) -> Result<Vec<ActionRecord>, JournalError>;

    /// Actions that wait for a person or have something left to do, in other tenants than these, in order.
    ///
    /// # Errors
    /// [`JournalError`] if they cannot be read.
    fn waiting_elsewhere(
        &self,
        tenants: &[String],
        count_max: usize,
    ) -> Result<Vec<ActionRecord>, JournalError>;

    /// Intents of a tenant since a time.
    ///
    /// # Errors
    /// [`JournalError`] if they cannot be read.
    fn intents(&self, tenant_id: &str, since_us: i64) -> Result<Vec<Intent>, JournalError>;

    /// Messages that are still to be published, in order.
    ///
    /// # Errors
    /// [`JournalError`] if they cannot be read.
    fn outgoing(&self, count_max: usize) -> Result<Vec<Outgoing>, JournalError>;

    /// How much is still to be published, and since when.
    ///
    /// # Errors
    /// [`JournalError`] if it cannot be read.
    fn outbox(&self) -> Result<Outbox, JournalError>;

    /// Forgets the messages up to this one, which were published, and notes where the last ones were put.
    ///
    /// # Errors
    /// [`JournalError`]; they are then published again some day.
    fn published(&self, number: i64, placed: &[Position]) -> Result<(), JournalError>;

    /// Where the bus put the last messages of each partition: by them its log is known again.
    ///
    /// # Errors
    /// [`JournalError`] if it cannot be read.
    fn acknowledged(&self) -> Result<Vec<Position>, JournalError>;

    /// Notes that every entry and every case was published again, and where the last ones were put.
    ///
    /// # Errors
    /// [`JournalError`]; they are then published again some day.
    fn published_again(&self, placed: &[Position]) -> Result<(), JournalError>;

    /// Cases, newest change first.
    ///
    /// # Errors
    /// [`JournalError`] if they cannot be read.
    fn cases(&self, count_max: usize) -> Result<Vec<Case>, JournalError>;

    /// Cases after an id, in the order of their ids.
    ///
    /// # Errors
    /// [`JournalError`] if they cannot be read.
    fn cases_after(&self, case_id: &str, count_max: usize) -> Result<Vec<Case>, JournalError>;

    /// A case, or none.
    ///
    /// # Errors
    /// [`JournalError`] if it cannot be read.
    fn case(&self, case_id: &str) -> Result<Option<Case>, JournalError>;

    /// Actions of a case with those of the cases merged into it, or the newest of all actions; in the order of their
    /// planning.
    ///
    /// # Errors
    /// [`JournalError`] if they cannot be read.
    fn actions(
        &self,
        case_id: Option<&str>,
        count_max: usize,
    ) -> Result<Vec<ActionRecord>, JournalError>;

    /// Audit entries after a sequence number, in order.
    ///
    /// # Errors
    /// [`JournalError`] if they cannot be read.
    fn audit(&self, after: u64, count_max: usize) -> Result<Vec<AuditRecord>, JournalError>;
}
