//! Records as Microsoft writes them, one file per shape; pure functions of facts.
//!
//! | file | shape |
//! |---|---|
//! | [`outcome`] | how a sign-in ends, in the words of each feed |
//! | [`sign_in`] | Entra sign-ins in diagnostic settings |
//! | [`directory_audit`] | Entra directory audits, in diagnostic settings and in the unified audit log |
//! | [`consent`] | the directory audits of a consent to an application |
//! | [`credential`] | the directory audits of an application's secrets |
//! | [`policy`] | the directory audits of a conditional access policy |
//! | [`security_info`] | the directory audits of a second factor that is registered |
//! | [`graph_activity`] | requests to Microsoft Graph in diagnostic settings |
//! | [`risk_event`] | Entra risk detections in diagnostic settings |
//! | [`mail`] | Exchange records of the unified audit log |
//! | [`mail_page`] | messages that an application reads over Microsoft Graph, in both feeds that tell of it |
//! | [`files`] | file and conversation records of the unified audit log |
//! | [`frame`] | what the records of a feed have in common |
//! | [`alert`] | alerts of `alerts_v2` |

pub(crate) mod alert;
pub(crate) mod consent;
pub(crate) mod credential;
pub(crate) mod directory_audit;
pub(crate) mod files;
pub(crate) mod frame;
pub(crate) mod graph_activity;
pub(crate) mod mail;
pub(crate) mod mail_page;
pub(crate) mod outcome;
pub(crate) mod policy;
pub(crate) mod risk_event;
pub(crate) mod security_info;
pub(crate) mod sign_in;
