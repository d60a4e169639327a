//! The one way to a call that changes something: every call passes the gates again (P16).
//!
//! The gates are also watched while a call is under way, because the client may wait before it tries again. A
//! call that is cut off may have happened: the executor reads back.

use std::path::{Path, PathBuf};
use std::sync::Mutex;
use std::time::Duration;

use crate::directory::{Directory, DirectoryError, ObjectId, Reply};

/// How often the gates are looked at while a call is under way.
const LOOK_EVERY: Duration = Duration::from_millis(50);

/// What can stop a call at the last moment.
#[derive(Debug, Clone)]
pub struct Gates {
    /// Nothing is sent.
    pub dry_run: bool,
    /// A file that stops every action while it exists.
    pub kill_switch: PathBuf,
}

impl Gates {
    /// Why nothing may be sent now, or none.
    ///
    /// A switch that cannot be read counts as set.
    pub fn shut(&self) -> Option<&'static str> {
        if self.dry_run {
            return Some("dry_run");
        }
        self.is_stopped().then_some("kill_switch")
    }

    /// Whether the kill switch is set.
    pub fn is_stopped(&self) -> bool {
        is_set(&self.kill_switch)
    }
}

/// Whether the kill switch is set, or cannot be read.
pub fn is_set(kill_switch: &Path) -> bool {
    !matches!(kill_switch.try_exists(), Ok(false))
}

/// The changes that one run of one action makes, with the replies in order.
pub struct Effects<'a> {
    directory: &'a dyn Directory,
    gates: &'a Gates,
    replies: Mutex<Vec<Reply>>,
}

impl<'a> Effects<'a> {
    /// Changes through `directory` while `gates` are open.
    pub fn new(directory: &'a dyn Directory, gates: &'a Gates) -> Self {
        Self {
            directory,
            gates,
            replies: Mutex::new(Vec::new()),
        }
    }

    /// The replies so far.
    pub fn replies(&self) -> Vec<Reply> {
        self.replies
            .lock()
            .map(|replies| replies.clone())
            .unwrap_or_default()
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
        let reply = self
            .pass(self.directory.set_account_enabled(id, enabled))
            .await?;
        self.keep(reply);
        Ok(())
    }

    /// Voids every session that began before now.
    ///
    /// # Errors
    /// [`DirectoryError::HeldBack`] if a gate is shut; else what the directory said.
    pub async fn revoke_sessions(&self, id: &ObjectId) -> Result<(), DirectoryError> {
        let reply = self.pass(self.directory.revoke_sessions(id)).await?;
        self.keep(reply);
        Ok(())
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
        match self
            .pass(self.directory.set_rule_enabled(id, rule_id, enabled))
            .await
        {
            Ok(reply) => self.keep(reply),
            Err(DirectoryError::Missing { .. }) => {}
            Err(error) => return Err(error),
        }
        Ok(())
    }

    /// Makes a call unless a gate is shut, and cuts it off if one is shut meanwhile.
    async fn pass<T>(
        &self,
        call: impl Future<Output = Result<T, DirectoryError>>,
    ) -> Result<T, DirectoryError> {
        let shut = async {
            loop {
                if let Some(why) = self.gates.shut() {
                    return why;
                }
                tokio::time::sleep(LOOK_EVERY).await;
            }
        };
        let mut has_begun = false;
        let call = async {
            has_begun = true;
            call.await
        };
        let answer = tokio::select! {
            // The gates first: with one of them shut, the call is never begun.
            biased;
            why = shut => Err(why),
            answer = call => Ok(answer),
        };
        match answer {
            Ok(answer) => answer,
            Err(why) if has_begun => Err(DirectoryError::CutOff { why }),
            Err(why) => Err(DirectoryError::HeldBack { why }),
        }
    }

    fn keep(&self, reply: Reply) {
        if let Ok(mut replies) = self.replies.lock() {
            replies.push(reply);
        }
    }
}
