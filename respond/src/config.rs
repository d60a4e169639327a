//! What respond may do, and where.

use std::path::PathBuf;

use microsoft::{HttpConfig, Tenant};
use serde::{Deserialize, Serialize};

use schemas::severity::Severity;

use crate::action::ActionKind;
use crate::error::RespondError;

/// A tenant in which respond may act, with the app registration that acts.
///
/// A registration of its own for acting, unable to read logs, keeps either from doing the other's harm.
pub type RespondTenant = Tenant;

/// What respond may do, and where.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct RespondConfig {
    /// Plan only: nothing is ever sent to Microsoft.
    pub dry_run: bool,
    /// Actions that need no person's approval, for example `["block_sign_in", "revoke_sessions"]`.
    pub automatic: Vec<ActionKind>,
    /// Age of an alert's events beyond which no action is automatic, in hours; records can be days late.
    /// An action that is held for so long expires, and a person decides.
    pub automatic_age_hours_max: u64,
    /// Age of a person's approval beyond which it is none, in hours: an action that could not be sent until then
    /// expires.
    pub approval_age_hours_max: u64,
    /// Accounts that are never acted on (break-glass accounts, the sync account): object ids, user principal names or
    /// other addresses; `TENANT/entry` is one of that tenant only. Each must be found, or nothing is sent there.
    pub never_act: Vec<String>,
    /// Says that there is nobody whom the never-act list should name: without it, live mode needs a list.
    pub never_act_none: bool,
    /// Alerts of at least this severity open a case; lower ones join one.
    pub case_severity_min: Severity,
    /// How far from a case's first alert another one of the same account joins it, in hours.
    pub case_window_hours: u64,
    /// Most accounts acted on within an hour in a tenant without a person; what is beyond is held, and a human is
    /// called. What a person has approved is not counted.
    pub targets_per_hour_max: u32,
    /// Shortest time between two runs of one action on one account, in seconds.
    pub cool_down_s: u64,
    /// A file that stops every action while it exists; relative to the data folder.
    pub kill_switch: PathBuf,
    /// The SQLite file of cases, actions and the audit chain; relative to the data folder.
    pub journal: PathBuf,
    /// The file of the key that signs the audit chain, made by `vedette audit key --new PATH`; empty for none: then who can
    /// write the journal can write the chain anew. As it is written, and not in the data folder: who can change what is
    /// there must not be able to read it.
    pub audit_key: PathBuf,
    /// A folder of further playbooks, `*.toml`; empty for none.
    pub playbooks: PathBuf,
    /// Most times that an effect is looked for before it counts as absent.
    pub read_backs_max: u32,
    /// Wait between two looks, in milliseconds; the directory is only eventually consistent.
    pub read_back_wait_ms: u64,
    /// Tries to read back a change that was sent, after which it is told that the action is held.
    pub attempts_max: u32,
    /// Age of the oldest case or audit entry that could not be published beyond which nothing is sent, in minutes.
    pub outbox_age_minutes_max: u64,
    /// Wait before the second try, in milliseconds; it doubles with each one, up to a minute, or to five where the
    /// cause is a person's to mend.
    pub retry_wait_ms: u64,
    /// How Microsoft is reached; given by the caller, who uses one for everything.
    #[serde(skip)]
    pub http: HttpConfig,
    /// The tenants in which respond may act; in all others plans stay plans. Secrets are resolved by the caller.
    #[serde(skip)]
    pub tenants: Vec<RespondTenant>,
}

impl RespondConfig {
    /// Whether it can be used.
    ///
    /// # Errors
    /// [`RespondError::NobodyProtected`] in live mode without a never-act list.
    pub fn check(&self) -> Result<(), RespondError> {
        let names_nobody = self.never_act.iter().all(|entry| entry.trim().is_empty());
        if !self.dry_run && names_nobody && !self.never_act_none {
            return Err(RespondError::NobodyProtected);
        }
        Ok(())
    }
}

impl Default for RespondConfig {
    fn default() -> Self {
        Self {
            dry_run: true,
            automatic: Vec::new(),
            automatic_age_hours_max: 72,
            approval_age_hours_max: 24,
            never_act: Vec::new(),
            never_act_none: false,
            case_severity_min: Severity::High,
            case_window_hours: 24,
            targets_per_hour_max: 5,
            cool_down_s: 60,
            kill_switch: PathBuf::from("respond.stop"),
            journal: PathBuf::from("respond.sqlite"),
            audit_key: PathBuf::new(),
            playbooks: PathBuf::new(),
            read_backs_max: 10,
            read_back_wait_ms: 1_000,
            attempts_max: 8,
            outbox_age_minutes_max: 15,
            retry_wait_ms: 1_000,
            http: HttpConfig::default(),
            tenants: Vec::new(),
        }
    }
}
