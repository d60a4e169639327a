//! The forms in which a notice is written. Pure; text of a tenant is inert in each.
//!
//! | format | for |
//! |---|---|
//! | [`json`] | whoever reads the contract itself |
//! | [`ocsf`] | OCSF 1.8.0: Security Lake, and what reads it |
//! | [`ecs`] | Elastic Common Schema 9.4: Elasticsearch, OpenSearch |
//! | [`cef`] | ArcSight, Sentinel's connector of syslog |
//! | [`leef`] | QRadar |
//! | [`log_analytics`] | a table of Sentinel |
//! | [`otlp`] | receivers of OpenTelemetry |
//! | [`message`] | people: a title and a text, by a template |
//! | [`ticket`] | a bridge to a system of tickets |
//! | [`syslog`] | the frame around any of them: RFC 5424 |
//!
//! Each of OCSF, ECS, CEF and LEEF is one table (`mapping.rs`). What a format can escape reads back as it was; what it
//! cannot, and would steer whoever looks at it, is made visible ([`inert`]).

mod attack;
pub mod cef;
pub mod ecs;
pub mod inert;
pub mod json;
pub mod leef;
pub mod log_analytics;
mod made;
mod mapping;
pub mod message;
pub mod ocsf;
pub mod otlp;
pub mod syslog;
pub mod ticket;

use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::contract::Notice;

/// A form in which a notice is written.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Format {
    /// The contract's own document, as JSON on one line.
    #[default]
    Json,
    /// OCSF 1.8.0, as JSON on one line.
    Ocsf,
    /// Elastic Common Schema, as JSON on one line.
    Ecs,
    /// ArcSight's Common Event Format.
    Cef,
    /// QRadar's Log Event Extended Format 2.0.
    Leef,
    /// The change of a ticket, as JSON on one line.
    Ticket,
}

impl Format {
    /// Every format.
    pub const ALL: [Self; 6] = [
        Self::Json,
        Self::Ocsf,
        Self::Ecs,
        Self::Cef,
        Self::Leef,
        Self::Ticket,
    ];

    /// The media type of a body that is one notice.
    pub const fn media_type(self) -> &'static str {
        match self {
            Self::Json | Self::Ocsf | Self::Ecs | Self::Ticket => "application/json",
            Self::Cef | Self::Leef => "text/plain; charset=utf-8",
        }
    }

    /// The notice as a JSON value: an object, or the text of a format that is none.
    pub fn value(self, notice: &Notice) -> Value {
        match self {
            Self::Json => notice.document.clone(),
            Self::Ocsf => Value::Object(ocsf::event(notice)),
            Self::Ecs => Value::Object(ecs::document(notice)),
            Self::Ticket => Value::Object(ticket::change(notice)),
            Self::Cef | Self::Leef => Value::String(self.render(notice)),
        }
    }

    /// The notice as text without a line break in it, and none at its end.
    pub fn render(self, notice: &Notice) -> String {
        match self {
            Self::Json => json::line(&notice.document),
            Self::Ocsf => json::line(&Value::Object(ocsf::event(notice))),
            Self::Ecs => json::line(&Value::Object(ecs::document(notice))),
            Self::Cef => cef::line(notice),
            Self::Leef => leef::line(notice),
            Self::Ticket => json::line(&Value::Object(ticket::change(notice))),
        }
    }
}
