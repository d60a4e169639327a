//! Alerts become cases, cases become actions, and an action counts only when its effect was read back.
//!
//! ```text
//! [alerts] ─▶ journal: alert, case, plan ─▶ approval ─▶ one worker per tenant ─▶ preflight ─▶ intent
//!                 │                                                                            │
//!                 └─▶ outbox ─▶ [cases], [audit]      effective ◀─ read back ◀─ apply ◀────────┘
//! ```
//!
//! Never: a call that changes something before its intent is durable, against the never-act list, with the
//! kill switch set, in dry-run, or called done on HTTP 2xx alone. The files that keep this are
//! [`executor`], [`preflight`] and [`effects`].
//!
//! | module | what it is |
//! |---|---|
//! | [`accounts`] | pure: object ids and names that belong together |
//! | [`cases`] | pure: which case an alert belongs to, which actions follow |
//! | [`playbook`] | readable files: when which actions are planned |
//! | [`action`] | the closed set of actions; one file each in `actions/` |
//! | [`never_act`] | pure: whom the never-act list protects, under every name |
//! | [`preflight`] | pure: may this action happen now |
//! | [`directory`] | the calls to Microsoft that actions need; [`graph`] makes them |
//! | [`effects`] | the one way to a call that changes something |
//! | [`executor`] | one action from approval to read-back |
//! | [`audit`] | pure: the hash chain; and the key that signs it |
//! | [`journal`] | what is durable |
//! | [`person`] | pure: who decides, as a decision names one |
//! | [`undo`] | pure: what an action left behind, and whether it is still so |
//! | [`sighting`] | pure: whom an action is about, as a person saw it before deciding |
//! | [`stage`] | the loop |
//!
//! ```
//! use respond::playbook;
//! use schemas::severity::Severity;
//!
//! let playbook = playbook::parse(
//!     "stolen_session.toml",
//!     "name = 'stolen_session'
//!     title = 'Revoke the sessions of an account of which one was stolen'
//!     when = {severity_at_least = 'high', labels = ['SAAS-M365-00008']}
//!     steps = [{action = 'revoke_sessions', target = 'account'}]",
//! )?;
//! assert!(playbook.when.holds(Severity::High, ["SAAS-M365-00008"].into_iter()));
//! assert!(!playbook.when.holds(Severity::High, ["SAAS-M365-00002"].into_iter()));
//!
//! // A playbook plans; whether that is carried out, others decide. The plan is what a person approves.
//! let action = playbook.steps[0].action();
//! assert!(action.plan("ada@contoso.test").starts_with("Revoke every session of ada@contoso.test"));
//! assert_eq!(action.kind().inverse(), None, "sessions cannot be given back");
//! # Ok::<(), respond::playbook::PlaybookError>(())
//! ```

pub mod accounts;
pub mod action;
mod actions;
pub mod audit;
pub mod cases;
pub mod config;
pub mod directory;
pub mod effects;
pub mod error;
pub mod executor;
pub mod graph;
pub mod journal;
pub mod never_act;
pub mod person;
pub mod playbook;
pub mod preflight;
pub mod record;
pub mod requests;
pub mod review;
pub mod sighting;
pub mod stage;
pub mod undo;

pub use crate::config::{RespondConfig, RespondTenant};
pub use crate::error::RespondError;
