//! What vedette finds leaves it here: to SIEMs, files, chats and tickets, each at its own pace.
//!
//! ```text
//! [alerts] ┐                 ┌─ own group ─▶ routes ─▶ window ─▶ file
//! [cases]  ┼─ notices ───────┼─ own group ─▶ routes ─▶ window ─▶ webhook
//! [audit]  │                 └─ own group ─▶ routes ─▶ window ─▶ …
//! [coverage]┘                       refused for good: [dead-letters], which `vedette forward replay` sends again
//! ```
//!
//! Delivery: at least once to each destination; every notice carries an id and a version by which the second one is
//! known. The topics are the spool: a destination reads them at an offset of its own, so one that is away delays
//! nobody else, and nothing new can be lost.
//!
//! | module | what it is |
//! |---|---|
//! | [`contract`] | pure: what is sent, whatever the form |
//! | [`formats`] | pure: the forms in which it is written |
//! | [`destination`] | what a destination answers, and promises |
//! | [`destinations`] | the closed set of destinations; one file each |
//! | [`http`], [`tls`] | the one HTTP door and its TLS: guarded ([`guard`]), verified, bounded |
//! | [`said`] | pure: what the other side said, fit to be shown |
//! | [`config`] | which destinations there are |
//! | [`routes`] | pure: what goes where |
//! | [`window`] | pure: what a destination has in hand, and how far its position may move |
//! | [`pace`] | pure: when a destination is tried again |
//! | [`feed`] | notices that are on the bus, for a look beside the destinations |
//! | [`replay`] | sends notices once more, or a test |
//! | [`surroundings`] | how a destination gets at its secrets |
//! | [`stage`] | the loop |
//!
//! ```
//! use forward::contract::Notice;
//! use forward::formats::Format;
//! use schemas::wire::Alert;
//!
//! let notice = Notice::of_alert(&Alert {
//!     alert_id: "f4993d4c".to_owned(),
//!     label: "SAAS-M365-00002".to_owned(),
//!     title: "Inbox rule forwards mail\nto the outside".to_owned(),
//!     severity: "high".to_owned(),
//!     state: "raised".to_owned(),
//!     ..Alert::default()
//! });
//! // One document, in every form; text of a tenant breaks no line of any.
//! assert_eq!(Format::Json.value(&notice)["kind"], "alert");
//! assert_eq!(Format::Ocsf.value(&notice)["class_uid"], 2004);
//! assert!(Format::Cef.render(&notice).starts_with("CEF:"));
//! assert!(Format::ALL.iter().all(|format| !format.render(&notice).contains('\n')));
//! ```

pub mod config;
pub mod contract;
pub mod destination;
pub mod destinations;
pub mod error;
pub mod feed;
pub mod formats;
pub mod guard;
pub mod http;
pub mod pace;
pub mod replay;
pub mod routes;
pub mod said;
pub mod stage;
pub mod surroundings;
pub mod tls;
pub mod window;

pub use crate::config::{DestinationConfig, ForwardConfig};
pub use crate::error::ForwardError;
pub use crate::surroundings::{ReadSecret, Surroundings};
