//! The people of the tenant and their habits, by seed.

use rand::Rng;
use rand::seq::IndexedRandom;
use serde::Serialize;
use serde_json::{Value, json};

use super::chance::Chance;
use super::moment;
use super::places::{ATTACKER_PROXY, ClientDevice, DEVICES, GeoLocation, HOMES, Origin};
use super::records::outcome::SignInOutcome;

/// Users who are no ordinary members: break-glass, administrator, guest, synced.
pub(crate) const SPECIAL_USERS: u32 = 4;
/// Longest that anybody works, in hours.
pub(crate) const WORK_HOURS_MAX: u32 = 8;

/// The tenant's domain.
pub(crate) const DOMAIN: &str = "harbour.example";

/// The domain that the tenant began with.
pub(crate) const INITIAL_DOMAIN: &str = "harbour.onmicrosoft.example";

/// Template of the Global Administrator role.
pub(crate) const GLOBAL_ADMINISTRATOR: &str = "62e90394-69f5-4237-9190-012177145e10";

/// A role of the directory.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct DirectoryRole {
    pub(crate) template: &'static str,
    pub(crate) name: &'static str,
    /// The name by which the directory knows it.
    pub(crate) object: &'static str,
}

/// What is special about a user.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum UserKind {
    /// Emergency account: global administrator that nobody uses on an ordinary day.
    BreakGlass,
    /// Does the tenant's admin work.
    GlobalAdministrator,
    /// Comes from another tenant.
    Guest,
    /// Is mastered on premises.
    Synced,
    /// Anybody else.
    Member,
}

/// A rule of an inbox.
#[derive(Debug, Clone)]
pub(crate) struct InboxRule {
    pub(crate) id: String,
    pub(crate) name: String,
    pub(crate) sequence: u32,
    pub(crate) enabled: bool,
    pub(crate) conditions: Value,
    pub(crate) actions: Value,
}

impl InboxRule {
    /// The outside address that it forwards to, if it forwards.
    pub(crate) fn forwards_to(&self) -> Option<&str> {
        self.actions
            .pointer("/forwardTo/0/emailAddress/address")?
            .as_str()
    }

    /// The rule as Graph shows it.
    ///
    /// Source: Microsoft Graph v1.0, `messageRule`.
    pub(crate) fn to_graph(&self) -> Value {
        json!({
            "id": self.id,
            "displayName": self.name,
            "sequence": self.sequence,
            "isEnabled": self.enabled,
            "hasError": false,
            "isReadOnly": false,
            "conditions": self.conditions,
            "actions": self.actions,
        })
    }
}

/// A person, with the state that responses change.
#[derive(Debug, Clone)]
pub(crate) struct User {
    pub(crate) id: String,
    pub(crate) principal_name: String,
    pub(crate) display_name: String,
    pub(crate) kind: UserKind,
    pub(crate) department: &'static str,
    pub(crate) created_us: i64,
    pub(crate) origin: Origin,
    /// Minutes after the day began at which the person starts to work.
    pub(crate) starts_after_minutes: i64,
    pub(crate) minutes_at_work: i64,
    /// Until then the person is in the air, and does nothing.
    pub(crate) in_flight_until_us: i64,
    pub(crate) enabled: bool,
    /// Sessions issued earlier are revoked.
    pub(crate) sessions_valid_from_us: i64,
    pub(crate) session_id: String,
    pub(crate) session_issued_us: i64,
    pub(crate) inbox_rules: Vec<InboxRule>,
    /// Templates of the directory roles that the person holds.
    pub(crate) roles: Vec<&'static str>,
}

impl User {
    /// The user as Graph shows it, without `$select`.
    ///
    /// Source: Microsoft Graph v1.0, `user`.
    pub(crate) fn to_graph(&self, tenant_id: &str) -> Value {
        json!({
            "id": self.id,
            "userPrincipalName": self.principal_name,
            "displayName": self.display_name,
            "mail": self.mail(),
            "proxyAddresses": self.mail().iter().map(|mail| format!("SMTP:{mail}")).collect::<Vec<_>>(),
            "department": self.department,
            "jobTitle": self.job_title(),
            "createdDateTime": moment::seconds(self.created_us),
            "userType": self.user_type(),
            "accountEnabled": self.enabled,
            "signInSessionsValidFromDateTime": moment::seconds(self.sessions_valid_from_us),
            "onPremisesSyncEnabled": (self.kind == UserKind::Synced).then_some(true),
            "onPremisesImmutableId": (self.kind == UserKind::Synced).then(|| self.key()),
            "creationType": (self.kind == UserKind::Guest).then_some("Invitation"),
            "tenantId": tenant_id,
        })
    }

    /// The address; the emergency account has none, because nobody reads its mail.
    fn mail(&self) -> Option<&str> {
        (self.kind != UserKind::BreakGlass).then_some(self.principal_name.as_str())
    }

    /// The first address, and with `all` the one at the tenant's first domain too.
    pub(crate) fn addresses(&self, all: bool) -> impl Iterator<Item = String> {
        let mail = self.mail().map(str::to_owned);
        let local = mail.as_ref().and_then(|mail| mail.split('@').next());
        let alias = local
            .filter(|_| all)
            .map(|local| format!("{local}@{INITIAL_DOMAIN}"));
        mail.into_iter().chain(alias)
    }

    fn job_title(&self) -> Option<&'static str> {
        match self.kind {
            UserKind::BreakGlass | UserKind::Guest => None,
            UserKind::GlobalAdministrator => Some("Administrator"),
            UserKind::Synced | UserKind::Member => Some("Specialist"),
        }
    }

    /// How a sign-in with the right password and second factor ends.
    pub(crate) fn sign_in_outcome(&self) -> SignInOutcome {
        if self.enabled {
            SignInOutcome::Success
        } else {
            SignInOutcome::Disabled
        }
    }

    /// How the use of a refresh token of that time ends: revocation is looked at first.
    pub(crate) fn refresh_outcome(&self, issued_us: i64) -> SignInOutcome {
        if issued_us < self.sessions_valid_from_us {
            SignInOutcome::Revoked
        } else {
            self.sign_in_outcome()
        }
    }

    /// `Member` or `Guest`.
    pub(crate) fn user_type(&self) -> &'static str {
        if self.kind == UserKind::Guest {
            "Guest"
        } else {
            "Member"
        }
    }

    /// The key by which mail and files know the person.
    pub(crate) fn key(&self) -> String {
        self.id
            .bytes()
            .filter(u8::is_ascii_alphanumeric)
            .take(16)
            .map(char::from)
            .collect::<String>()
            .to_uppercase()
    }
}

const GIVEN: &[&str] = &[
    "Ada", "Bram", "Carla", "Dario", "Elin", "Farid", "Greta", "Hugo", "Iris", "Jonas", "Kaya",
    "Leon", "Mira", "Nils", "Olga", "Pavel", "Quinn", "Rosa", "Sami", "Tessa", "Umar", "Vera",
    "Wim", "Xenia", "Yara", "Zeno",
];
const FAMILY: &[&str] = &[
    "Anders", "Brand", "Costa", "Duval", "Eriks", "Falk", "Garcia", "Holm", "Ivanov", "Jansen",
    "Keller", "Lind", "Moreau", "Novak", "Olsen", "Peters", "Quist", "Rossi", "Silva", "Thorn",
];
const DEPARTMENTS: &[&str] = &[
    "Finance",
    "Sales",
    "Engineering",
    "Logistics",
    "Legal",
    "People",
];

/// Everybody, in a fixed order: break-glass, administrator, guest, synced, then members.
pub(crate) fn people(chance: Chance, count: u32, start_us: i64) -> Vec<User> {
    (0..count)
        .map(|index| person(chance, index, start_us))
        .collect()
}

/// The member whom the story is about.
pub(crate) fn first_member(chance: Chance, count: u32) -> usize {
    let members = u128::from(count.saturating_sub(SPECIAL_USERS).max(1));
    SPECIAL_USERS as usize
        + usize::try_from(chance.number(&["victim"]) % members).unwrap_or_default()
}

/// Index of the one who does the tenant's admin work.
pub(crate) const ADMINISTRATOR: usize = 1;

/// How many members in the order of chance the stories take, the accomplice included.
const STORY_MEMBERS: usize = 5;

/// A member in the order of chance, without the one of [`first_member`]; the order begins anew at its end.
pub(crate) fn story_member(chance: Chance, count: usize, rank: usize) -> usize {
    let members = in_order_of_chance(chance, count);
    members
        .get(rank % members.len().max(1))
        .copied()
        .unwrap_or_else(|| first_member(chance, u32::try_from(count).unwrap_or(u32::MAX)))
}

/// Members to whom no story of their own happens, in the order of chance.
pub(crate) fn bystanders(chance: Chance, count: usize) -> Vec<usize> {
    in_order_of_chance(chance, count)
        .into_iter()
        .skip(STORY_MEMBERS)
        .collect()
}

/// Members in the order of chance, without the one of [`first_member`].
fn in_order_of_chance(chance: Chance, count: usize) -> Vec<usize> {
    let taken = first_member(chance, u32::try_from(count).unwrap_or(u32::MAX));
    let mut members: Vec<usize> = (SPECIAL_USERS as usize..count)
        .filter(|index| *index != taken)
        .collect();
    members.sort_by_cached_key(|index| chance.number(&["episode victim", &index.to_string()]));
    members
}

fn person(chance: Chance, index: u32, start_us: i64) -> User {
    let name = index.to_string();
    let mut dice = chance.stream(&["person", &name]);
    let given = GIVEN[index as usize % GIVEN.len()];
    let family = FAMILY.choose(&mut dice).copied().unwrap_or("Anders");
    let (kind, principal_name, display_name) = match index {
        0 => (
            UserKind::BreakGlass,
            format!("emergency-access@{DOMAIN}"),
            "Emergency Access".to_owned(),
        ),
        1 => (
            UserKind::GlobalAdministrator,
            format!("admin@{DOMAIN}"),
            "Tenant Administrator".to_owned(),
        ),
        2 => (
            UserKind::Guest,
            format!("{}_partner.example#EXT#@{DOMAIN}", given.to_lowercase()),
            format!("{given} {family} (Partner)"),
        ),
        other => (
            if other == 3 {
                UserKind::Synced
            } else {
                UserKind::Member
            },
            format!(
                "{}.{}{other}@{DOMAIN}",
                given.to_lowercase(),
                family.to_lowercase()
            ),
            format!("{given} {family}"),
        ),
    };
    let roles = match kind {
        UserKind::BreakGlass | UserKind::GlobalAdministrator => vec![GLOBAL_ADMINISTRATOR],
        _ => Vec::new(),
    };
    User {
        id: chance.uuid(&["user", &name]),
        principal_name,
        display_name,
        kind,
        department: DEPARTMENTS.choose(&mut dice).copied().unwrap_or("Sales"),
        created_us: start_us - i64::from(300 + index % 90) * 24 * moment::HOUR_US,
        origin: habitual_origin(chance, index),
        starts_after_minutes: dice.random_range(0..45),
        minutes_at_work: dice.random_range(360..480),
        in_flight_until_us: i64::MIN,
        enabled: true,
        // Half a year and some days ago, when the password was last changed.
        sessions_valid_from_us: start_us - i64::from(200 + index % 90) * 24 * moment::HOUR_US,
        session_id: chance.uuid(&["session", &name, "0"]),
        session_issued_us: start_us - moment::HOUR_US,
        inbox_rules: Vec::new(),
        roles,
    }
}

/// Where the person of an index works from, unless away.
pub(crate) fn habitual_origin(chance: Chance, index: u32) -> Origin {
    let name = &index.to_string();
    let mut dice = chance.stream(&["origin", name]);
    let place: GeoLocation = HOMES.choose(&mut dice).copied().unwrap_or(ATTACKER_PROXY);
    let device: ClientDevice = DEVICES[index as usize % DEVICES.len()];
    Origin {
        // 198.18.0.0/15 is set aside for benchmarks: no real network is named (RFC 2544).
        ip: format!("198.18.{}.{}", index / 200, 10 + index % 200),
        place,
        device,
        device_id: chance.uuid(&["device", name]),
    }
}

#[cfg(test)]
mod tests {
    use super::{Chance, UserKind, first_member, people};

    #[test]
    fn the_special_ones_come_first_and_the_victim_is_an_ordinary_member() {
        let chance = Chance::new(3);
        let everybody = people(chance, 40, 0);
        assert_eq!(everybody[0].kind, UserKind::BreakGlass);
        assert_eq!(everybody[3].kind, UserKind::Synced);
        for seed in 0..50 {
            let victim = first_member(Chance::new(seed), 40);
            assert_eq!(everybody[victim].kind, UserKind::Member);
        }
        let names: std::collections::BTreeSet<_> =
            everybody.iter().map(|user| &user.principal_name).collect();
        assert_eq!(names.len(), 40);
    }
}
