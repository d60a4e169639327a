//! A notice: one thing to be told, in one version.

use schemas::severity::Severity;
use schemas::topics::Topic;
use serde::{Deserialize, Serialize};
use serde_json::Value;

/// Version of the contract, which every document carries: a new field keeps it, another meaning raises it.
pub const CONTRACT_VERSION: &str = "1.0";

/// What a notice is about; a route chooses by it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum NoticeKind {
    /// An alert was raised, amended or withdrawn.
    Alert,
    /// A case was opened or has changed.
    Case,
    /// An action was planned, or something came of it.
    Action,
    /// Something was not read, or is lost.
    Gap,
    /// A source cannot be read at the moment.
    SourceFailure,
    /// A secret or certificate ends soon.
    ExpiringSecret,
}

impl NoticeKind {
    /// Every kind.
    pub const ALL: [Self; 6] = [
        Self::Alert,
        Self::Case,
        Self::Action,
        Self::Gap,
        Self::SourceFailure,
        Self::ExpiringSecret,
    ];

    /// The word in documents, routes and metrics.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Alert => "alert",
            Self::Case => "case",
            Self::Action => "action",
            Self::Gap => "gap",
            Self::SourceFailure => "source_failure",
            Self::ExpiringSecret => "expiring_secret",
        }
    }

    /// The topic that it is read from.
    pub const fn topic(self) -> Topic {
        match self {
            Self::Alert => Topic::Alerts,
            Self::Case => Topic::Cases,
            Self::Action => Topic::Audit,
            Self::Gap | Self::SourceFailure | Self::ExpiringSecret => Topic::Coverage,
        }
    }
}

/// By what a route chooses, beside kind, tenant and severity; empty where the kind has none.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Subject {
    /// For example `SAAS-M365-00001`.
    pub label: String,
    /// The rule's id.
    pub rule_id: String,
    /// For example `Platform`.
    pub category: String,
    /// ATT&CK techniques, for example `T1114.003`.
    pub techniques: Vec<String>,
}

/// One thing to be told, in one version.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Notice {
    /// What it is about.
    pub kind: NoticeKind,
    /// Identity of what it is about: every version of an alert has the same one.
    pub id: String,
    /// Tells this version from every other one of the same id.
    pub version: String,
    /// The tenant; empty where it is nobody's alone.
    pub tenant_id: String,
    /// How much it weighs.
    pub severity: Severity,
    /// When it happened, in microseconds since the Unix epoch, UTC.
    pub time_us: i64,
    /// By what a route chooses.
    pub subject: Subject,
    /// The whole of it, as the contract has it.
    pub document: Value,
}

impl Notice {
    /// What makes a second delivery known as such: the same for the same version of the same thing, for ever.
    pub fn idempotency_key(&self) -> String {
        format!("{}-{}-{}", self.kind.as_str(), self.id, self.version)
    }
}
