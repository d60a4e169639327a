//! Applications: the tenant's own, and those of verified publishers that people and administrators consent to.

use std::collections::BTreeSet;

use super::chance::Chance;
use super::places::{Origin, SERVER_DEVICE, VENDOR_SERVER};

/// Applications that every tenant has.
pub(crate) const FIRST_APPLICATIONS: &[&str] = &["Backup service", "Payroll export", "Ticket desk"];
/// Applications that larger companies have besides, one for every hundred people; the first exchanges secrets.
const FURTHER_APPLICATIONS: &[&str] = &[
    "Secret rotation",
    "Warehouse labels",
    "Crane telemetry",
    "Invoice scanning",
    "Shift planning",
    "Visitor badges",
    "Customs filing",
    "Fleet tracking",
    "Training records",
    "Fuel accounts",
    "Intranet search",
    "Meeting room panels",
];
/// Fewest further applications of a company: one exchanges the secrets of another.
const FURTHER_APPLICATIONS_MIN: usize = 2;
/// Applications of verified publishers and what they ask people for.
pub(crate) const OFFERS: &[(&str, &str)] = &[
    (
        "Meeting Polls",
        "openid profile email offline_access User.Read Calendars.Read",
    ),
    ("Whiteboard Studio", "openid profile email"),
    ("Expense Scanner", "openid profile User.Read"),
    (
        "Learning Hub",
        "openid profile email offline_access User.Read",
    ),
    (
        "Travel Planner",
        "openid profile offline_access User.Read Calendars.Read",
    ),
    ("Diagram Editor", "openid profile email User.Read"),
];
/// How many of them somebody has consented to before the day.
const OFFERS_KNOWN: usize = 4;

/// The application that keeps customers' mail, and what it may do.
pub(crate) const CORRESPONDENCE: (&str, &str) = (
    "Customer Relations",
    "openid profile offline_access User.Read Mail.ReadWrite Mail.Send Contacts.ReadWrite",
);

/// An application of the tenant.
#[derive(Debug, Clone)]
pub(crate) struct ServicePrincipal {
    pub(crate) id: String,
    pub(crate) app_id: String,
    pub(crate) name: &'static str,
    pub(crate) key_id: String,
    /// The secret before the one in use, while it lives.
    pub(crate) old_key_id: Option<String>,
    pub(crate) ip: String,
}

/// The tenant's own applications.
pub(crate) fn principals(chance: Chance, people: usize) -> Vec<ServicePrincipal> {
    let further = match people / 100 {
        0 => 0,
        hundreds => hundreds.max(FURTHER_APPLICATIONS_MIN),
    };
    FIRST_APPLICATIONS
        .iter()
        .chain(FURTHER_APPLICATIONS.iter().take(further))
        .zip(10..)
        .map(|(name, address)| ServicePrincipal {
            id: chance.uuid(&["principal", name]),
            app_id: chance.uuid(&["application", name]),
            name,
            key_id: chance.uuid(&["key", name]),
            old_key_id: None,
            ip: format!("192.0.2.{address}"),
        })
        .collect()
}

/// From where the server of an application that people use refreshes tokens.
pub(crate) fn server_of(application: &str) -> Origin {
    let number = OFFERS
        .iter()
        .take_while(|(name, _)| *name != application)
        .count();
    Origin {
        ip: format!("198.19.200.{}", 10 + number),
        place: VENDOR_SERVER,
        device: SERVER_DEVICE,
        device_id: String::new(),
    }
}

/// What somebody has consented to before the day.
pub(crate) fn consented_before() -> BTreeSet<&'static str> {
    OFFERS
        .iter()
        .take(OFFERS_KNOWN)
        .map(|(name, _)| *name)
        .chain([CORRESPONDENCE.0])
        .collect()
}
