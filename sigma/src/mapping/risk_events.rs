//! Names that rules use for fields of Entra's risk detections.
//!
//! Rules for alerts of Privileged Identity Management name them by `riskEventType` too.

use super::{Alias, Source, column};
use schemas::tables::Table;

#[rustfmt::skip]
const ALIASES: &[Alias] = &[
    column(&["riskEventType", "riskType"], "risk_event_type"),
    column(&["Username", "UserPrincipalName"], "user_principal_name"),
    column(&["source", "detectionSource"], "detection_source"),
];

pub(super) const SOURCE: Source = Source {
    table: Table::RiskEvents,
    products: &["azure", "entra", "entraid", "azuread"],
    services: &[
        "riskdetection",
        "riskdetections",
        "riskevents",
        "userriskevents",
        "pim",
    ],
    aliases: ALIASES,
    paths: &["properties.{}", "{}"],
};
