//! Names that rules use for fields of Entra's sign-ins.

use super::{Alias, Meaning, Means, Source, column};
use schemas::tables::Table;

/// Entra writes the result of a sign-in as an error code; rules often write a word.
const RESULT: &[Meaning] = &[
    Meaning {
        word: "success",
        means: Means::OneOf(&["0"]),
    },
    Meaning {
        word: "failure",
        means: Means::NoneOf(&["0", ""]),
    },
];

/// Words for protocols that rules took from the portal.
const PROTOCOL: &[Meaning] = &[
    Meaning {
        word: "device code",
        means: Means::OneOf(&["devicecode"]),
    },
    Meaning {
        word: "ropc",
        means: Means::OneOf(&["ropc"]),
    },
];

const ACTIVITY: &[Meaning] = &[Meaning {
    word: "sign-ins",
    means: Means::OneOf(&["sign-in activity"]),
}];

#[rustfmt::skip]
const ALIASES: &[Alias] = &[
    column(&["ResultType", "ErrorCode", "Status.errorCode"], "result_type").meaning(RESULT),
    column(&["Status"], "result_type").meaning(RESULT),
    column(&["properties.message"], "authentication_protocol").meaning(PROTOCOL),
    column(&["ActivityDetails"], "operation_name").operation().meaning(ACTIVITY),
    column(&["ClientApp", "ClientAppUsed"], "client_app_used"),
    column(&["Username", "UserPrincipalName", "user"], "user_principal_name"),
    column(&["Location", "CountryOrRegion", "Country"], "country"),
    column(&["ip", "IPAddress", "ClientIP", "CallerIpAddress"], "ip_address"),
    column(&["ResultDescription"], "result_description"),
    column(&["OperationName"], "operation_name").operation(),
    column(&["Category"], "category"),
];

pub(super) const SOURCE: Source = Source {
    table: Table::Signins,
    products: &["azure", "entra", "entraid", "azuread"],
    services: &[
        "signinlogs",
        "signin",
        "signins",
        "authentication",
        "noninteractiveusersigninlogs",
        "serviceprincipalsigninlogs",
        "managedidentitysigninlogs",
    ],
    aliases: ALIASES,
    paths: &["properties.{}", "{}"],
};
