//! Names that rules use for fields of Microsoft's alerts.

use super::{Alias, Source, column};
use schemas::tables::Table;

#[rustfmt::skip]
const ALIASES: &[Alias] = &[
    column(&["AlertName", "DisplayName"], "title"),
    column(&["ProductName"], "product_name"),
    column(&["ProviderName", "ServiceSource"], "service_source"),
];

pub(super) const SOURCE: Source = Source {
    table: Table::GraphAlerts,
    products: &["azure", "entra", "m365", "microsoftgraph"],
    services: &["alerts", "graphalerts", "securityalerts", "alerts_v2"],
    aliases: ALIASES,
    paths: &["{}"],
};
