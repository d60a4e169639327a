//! Names that rules use for fields of requests to Microsoft Graph.

use super::{Alias, Source, column};
use schemas::tables::Table;

#[rustfmt::skip]
const ALIASES: &[Alias] = &[
    column(&["RequestUri", "uri", "url"], "request_uri"),
    column(&["ResponseStatusCode", "status"], "response_status_code"),
];

pub(super) const SOURCE: Source = Source {
    table: Table::GraphActivity,
    products: &["azure", "entra", "m365", "microsoftgraph"],
    services: &[
        "microsoftgraphactivitylogs",
        "graphactivity",
        "graphactivitylogs",
    ],
    aliases: ALIASES,
    paths: &["properties.{}", "{}"],
};
