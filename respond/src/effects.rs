//! The one way to a call that changes something: every call passes the gates again.
//!
//! The gates are also watched while a call is under way, because the client may wait before it tries again; and it goes
//! on only while the lease was confirmed a moment ago, because the process may have stood still since. A call that is
//! cut off may have happened: the executor reads back.

use std::collections::BTreeMap;
use std::fmt;
use std::future::poll_fn;
use std::io::ErrorKind;
use std::path::{Path, PathBuf};
use std::pin::pin;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::task::Poll;
use std::time::Duration;

use async_trait::async_trait;
use bus::{BusError, Confirmed, Lease};
use schemas::invariants::{EffectBegins, EffectRepeats, SentByHolder, SentWhileStopped, check};
use schemas::limits::LEASE_CONFIRMED_FOR;
use tokio::sync::RwLock;

use crate::directory::{Directory, DirectoryError, ObjectId, Reply};
use crate::record::Try;

/// Why a call is not sent, or cut off, where another responder may act.
pub const LEASE_LOST: &str = "lease_lost";

/// How often the gates are looked at while a call is under way.
const LOOK_EVERY: Duration = Duration::from_millis(50);

/// Who may act: one responder.
#[async_trait]
pub trait Tenure: Send + Sync {
    /// What tells this holder from those before and after.
    fn epoch(&self) -> u64;
    /// Makes sure that the lease is still held.
    async fn confirm(&self) -> Result<Confirmed, BusError>;
    /// Waits until it is lost.
    async fn lost(&self) -> String;
}

#[async_trait]
impl Tenure for Lease {
    fn epoch(&self) -> u64 {
        Lease::epoch(self)
    }
    async fn confirm(&self) -> Result<Confirmed, BusError> {
        Lease::confirm(self).await
    }
    async fn lost(&self) -> String {
        Lease::lost(self).await
    }
}

/// What can stop a call at the last moment. Cheap to clone; clones share the passage.
#[derive(Clone)]
pub struct Gates {
    /// Nothing is sent.
    pub dry_run: bool,
    /// A file that stops every action while it exists.
    pub kill_switch: PathBuf,
    passage: Arc<Passage>,
    /// None only where nobody else can act: on a journal of its own without a bus.
    tenure: Option<Arc<dyn Tenure>>,
}

impl fmt::Debug for Gates {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter
            .debug_struct("Gates")
            .field("dry_run", &self.dry_run)
            .field("kill_switch", &self.kill_switch)
            .field("passage", &self.passage)
            .field("epoch", &self.tenure.as_ref().map(|tenure| tenure.epoch()))
            .finish()
    }
}

/// Where every call that changes something passes, so that whoever stops them knows when the last one is over.
#[derive(Debug, Default)]
struct Passage {
    calls: RwLock<()>,
    is_stopped: AtomicBool,
}

impl Gates {
    /// Gates that nobody has shut.
    pub fn new(dry_run: bool, kill_switch: PathBuf) -> Self {
        Self {
            dry_run,
            kill_switch,
            passage: Arc::default(),
            tenure: None,
        }
    }

    /// The same, for the holder of a lease only.
    #[must_use]
    pub fn held_by(mut self, tenure: Arc<dyn Tenure>) -> Self {
        self.tenure = Some(tenure);
        self
    }

    /// Why nothing may be sent now, or none.
    ///
    /// A switch that cannot be read counts as set; so does one whose lifting was not noted yet.
    pub fn shut(&self) -> Option<&'static str> {
        if self.dry_run {
            return Some("dry_run");
        }
        self.is_stopped().then_some("kill_switch")
    }

    /// Whether the kill switch is set, or was set and its lifting was not noted yet.
    pub fn is_stopped(&self) -> bool {
        self.passage.is_stopped.load(Ordering::SeqCst) || is_set(&self.kill_switch)
    }

    /// Waits until the last call that passed is over; from then on none passes until [`Self::start`].
    pub async fn stop(&self) {
        let last_is_over = self.passage.calls.write().await;
        self.passage.is_stopped.store(true, Ordering::SeqCst);
        drop(last_is_over);
    }

    /// Lets calls pass again.
    pub fn start(&self) {
        self.passage.is_stopped.store(false, Ordering::SeqCst);
    }
}

/// Whether the kill switch is set, or cannot be read.
///
/// A link counts whether or not it leads anywhere, and a folder that is not there is a switch that cannot be read.
pub fn is_set(kill_switch: &Path) -> bool {
    let Err(error) = kill_switch.symlink_metadata() else {
        return true;
    };
    let folder = kill_switch
        .parent()
        .filter(|folder| !folder.as_os_str().is_empty());
    error.kind() != ErrorKind::NotFound || folder.is_some_and(|folder| !folder.is_dir())
}

/// The changes that one run of one action makes, with the replies in order.
pub struct Effects<'a> {
    directory: &'a dyn Directory,
    gates: &'a Gates,
    is_intent_durable: bool,
    request_id: String,
    replies: Mutex<Vec<Reply>>,
    /// Whether nobody knows what became of one of the calls.
    is_unknown: AtomicBool,
    /// How often each change was begun in this run, which began with a look.
    begun: Mutex<BTreeMap<String, u32>>,
}

impl<'a> Effects<'a> {
    /// Changes through `directory` while `gates` are open, each sent with `request_id`.
    pub fn new(
        directory: &'a dyn Directory,
        gates: &'a Gates,
        is_intent_durable: bool,
        request_id: &str,
    ) -> Self {
        Self {
            directory,
            gates,
            is_intent_durable,
            request_id: request_id.to_owned(),
            replies: Mutex::new(Vec::new()),
            is_unknown: AtomicBool::new(false),
            begun: Mutex::new(BTreeMap::new()),
        }
    }

    /// What is known of these calls, once they are over.
    pub fn tried(&self) -> Try {
        let replies = self.replies.lock().unwrap_or_else(PoisonError::into_inner);
        Try {
            client_request_id: self.request_id.clone(),
            replies: replies.clone(),
            is_answered: !self.is_unknown.load(Ordering::SeqCst),
        }
    }

    /// Allows or blocks sign-in.
    ///
    /// # Errors
    /// [`DirectoryError::HeldBack`] if a gate is shut; else what the directory said.
    pub async fn set_account_enabled(
        &self,
        id: &ObjectId,
        enabled: bool,
    ) -> Result<(), DirectoryError> {
        let call = self
            .directory
            .set_account_enabled(id, enabled, &self.request_id);
        self.pass(format!("enabled={enabled}"), call).await
    }

    /// Voids every session that began before now.
    ///
    /// # Errors
    /// [`DirectoryError::HeldBack`] if a gate is shut; else what the directory said.
    pub async fn revoke_sessions(&self, id: &ObjectId) -> Result<(), DirectoryError> {
        let call = self.directory.revoke_sessions(id, &self.request_id);
        self.pass("revoke".to_owned(), call).await
    }

    /// Turns an inbox rule on or off; a rule that is gone counts as done.
    ///
    /// # Errors
    /// [`DirectoryError::HeldBack`] if a gate is shut; else what the directory said.
    pub async fn set_rule_enabled(
        &self,
        id: &ObjectId,
        rule_id: &str,
        enabled: bool,
    ) -> Result<(), DirectoryError> {
        let call = self
            .directory
            .set_rule_enabled(id, rule_id, enabled, &self.request_id);
        match self.pass(format!("{rule_id}={enabled}"), call).await {
            Err(DirectoryError::Missing { .. }) => Ok(()),
            passed => passed,
        }
    }

    /// Makes a call unless a gate is shut, and cuts it off if one is shut meanwhile.
    async fn pass(
        &self,
        change: String,
        call: impl Future<Output = Result<Reply, DirectoryError>>,
    ) -> Result<(), DirectoryError> {
        let passed = self.pass_gates(change, call).await;
        let (reply, is_unknown) = match &passed {
            Ok(reply) => (Some(reply.clone()), false),
            Err(error) => (error.reply(), error.may_have_happened()),
        };
        if is_unknown {
            self.is_unknown.store(true, Ordering::SeqCst);
        }
        let mut replies = self.replies.lock().unwrap_or_else(PoisonError::into_inner);
        replies.extend(reply);
        passed.map(|_| ())
    }

    async fn pass_gates(
        &self,
        change: String,
        call: impl Future<Output = Result<Reply, DirectoryError>>,
    ) -> Result<Reply, DirectoryError> {
        let shut = async {
            loop {
                if let Some(why) = self.gates.shut() {
                    return why;
                }
                tokio::time::sleep(LOOK_EVERY).await;
            }
        };
        // Whoever sets the switch waits until this is given back.
        let _passed = self.gates.passage.calls.read().await;
        let has_begun = AtomicBool::new(false);
        let call = self.while_holder(&change, &has_begun, call);
        let answer = tokio::select! {
            // The gates first: with one of them shut, the call is never begun.
            biased;
            why = shut => Err(why),
            answer = call => answer,
        };
        let has_begun = has_begun.into_inner();
        match answer {
            Ok(answer) => answer,
            Err(why) if has_begun => Err(DirectoryError::CutOff { why }),
            Err(why) => Err(DirectoryError::HeldBack { why }),
        }
    }

    /// Makes a call, and lets it go on only while the lease was confirmed a moment ago: between any two steps of it the
    /// process may have stood still, and another may act now.
    async fn while_holder<T>(
        &self,
        change: &str,
        has_begun: &AtomicBool,
        call: impl Future<Output = T>,
    ) -> Result<T, &'static str> {
        let Some(tenure) = &self.gates.tenure else {
            has_begun.store(true, Ordering::SeqCst);
            self.note(change);
            return Ok(call.await);
        };
        let lost = tenure.lost();
        let (mut call, mut lost) = (pin!(call), pin!(lost));
        loop {
            let confirmed = tenure.confirm().await.map_err(|error| {
                tracing::error!(error = %error, change, "a call is not sent, or not followed: another may act");
                LEASE_LOST
            })?;
            // None: it was confirmed too long ago.
            let step = poll_fn(|context| {
                if lost.as_mut().poll(context).is_ready() {
                    return Poll::Ready(Some(Err(LEASE_LOST)));
                }
                let age = confirmed.age();
                if age > LEASE_CONFIRMED_FOR {
                    return Poll::Ready(None);
                }
                if !has_begun.swap(true, Ordering::SeqCst) {
                    self.note(change);
                }
                check(&SentByHolder {
                    own_epoch: tenure.epoch(),
                    epoch_in_force: confirmed.epoch,
                    confirmed_us_ago: u64::try_from(age.as_micros()).unwrap_or(u64::MAX),
                });
                call.as_mut().poll(context).map(|answer| Some(Ok(answer)))
            });
            if let Some(answer) = step.await {
                return answer;
            }
        }
    }

    /// Checks what must hold at the moment of sending.
    fn note(&self, change: &str) {
        let mut begun = self.begun.lock().unwrap_or_else(PoisonError::into_inner);
        let unread = begun.entry(change.to_owned()).or_default();
        check(&EffectBegins {
            intent_durable: self.is_intent_durable,
        });
        check(&EffectRepeats { unread: *unread });
        check(&SentWhileStopped {
            acknowledged: self.gates.passage.is_stopped.load(Ordering::SeqCst),
        });
        *unread += 1;
    }
}

#[cfg(test)]
mod tests {
    use super::is_set;

    #[test]
    fn a_switch_that_cannot_be_read_counts_as_set() {
        let folder = tempfile::tempdir().unwrap();
        let switch = folder.path().join("stop");
        assert!(!is_set(&switch));
        std::os::unix::fs::symlink("/nowhere/at/all", &switch).unwrap();
        assert!(is_set(&switch), "a link that leads nowhere");
        std::fs::remove_file(&switch).unwrap();
        assert!(!is_set(&switch));
        std::fs::create_dir(&switch).unwrap();
        assert!(is_set(&switch), "a folder of that name");
        assert!(is_set(&folder.path().join("unmounted/stop")));
        std::fs::write(folder.path().join("file"), "").unwrap();
        assert!(is_set(&folder.path().join("file/stop")));
        assert!(!is_set(std::path::Path::new(
            "a-switch-that-nobody-has-set"
        )));
    }
}
