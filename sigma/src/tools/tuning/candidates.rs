//! The fields of an event that tell it apart from others, without those that the rule itself asks for.

use std::net::IpAddr;
use std::sync::Arc;

use schemas::tables::Table;

use super::chosen::{Chosen, Role};
use crate::collection::Rule;
use crate::compile::detection::{Builder, Test};
use crate::error::RuleError;
use crate::expression::Formula;
use crate::mapping::{FieldBinding, Mapping, UserMapping};
use crate::tools::coverage::holds;
use crate::tools::explain::row::Row;

/// Longest value that a filter is made of, in characters: nothing that names a person or thing is longer.
const VALUE_CHARACTERS_MAX: usize = 512;

/// A field of a table that tells events apart.
struct Known {
    role: Role,
    field: &'static str,
    called: &'static str,
    may_stand_alone: bool,
}

const fn known(role: Role, field: &'static str, called: &'static str) -> Known {
    Known {
        role,
        field,
        called,
        may_stand_alone: true,
    }
}

/// What many share, or an attacker can choose: it may narrow a filter, and must not be one.
const fn common(role: Role, field: &'static str, called: &'static str) -> Known {
    Known {
        role,
        field,
        called,
        may_stand_alone: false,
    }
}

const SIGNINS: &[Known] = &[
    known(Role::Who, "UserPrincipalName", "user"),
    known(Role::Who, "UserId", "user id"),
    known(Role::Who, "ServicePrincipalId", "service principal id"),
    known(Role::With, "AppId", "application id"),
    common(Role::With, "UserAgent", "user agent"),
    known(Role::Where, "IPAddress", "address"),
    common(Role::Where, "CountryOrRegion", "country"),
    known(Role::Object, "DeviceDetail.deviceId", "device id"),
    common(Role::Object, "ResourceDisplayName", "resource"),
];

const DIRECTORY_AUDITS: &[Known] = &[
    known(Role::Who, "InitiatedBy.user.userPrincipalName", "user"),
    known(Role::Who, "InitiatedBy.user.id", "user id"),
    known(
        Role::Who,
        "InitiatedBy.app.servicePrincipalId",
        "service principal id",
    ),
    known(Role::Who, "InitiatedBy.app.appId", "application id"),
    common(Role::Who, "InitiatedBy.app.displayName", "application"),
    common(Role::With, "AdditionalDetails.User-Agent", "user agent"),
    known(Role::Where, "InitiatedBy.user.ipAddress", "address"),
    // By id first: an application can be given the name of another.
    known(Role::Object, "TargetUserPrincipalName", "target user"),
    known(Role::Object, "TargetId", "target id"),
    common(Role::Object, "TargetDisplayName", "target"),
];

const RISK_EVENTS: &[Known] = &[
    known(Role::Who, "UserPrincipalName", "user"),
    known(Role::Who, "UserId", "user id"),
    known(Role::Who, "ServicePrincipalId", "service principal id"),
    known(Role::With, "AppId", "application id"),
    known(Role::Where, "IPAddress", "address"),
    common(Role::Where, "Country", "country"),
];

const GRAPH_ACTIVITY: &[Known] = &[
    known(Role::Who, "UserId", "user id"),
    known(Role::Who, "ServicePrincipalId", "service principal id"),
    known(Role::With, "AppId", "application id"),
    common(Role::With, "UserAgent", "user agent"),
    known(Role::Where, "IPAddress", "address"),
];

const AZURE_ACTIVITY: &[Known] = &[
    known(Role::Who, "Caller", "caller"),
    known(Role::With, "appid", "application id"),
    known(Role::Where, "CallerIpAddress", "address"),
    known(Role::Object, "ResourceId", "resource id"),
    common(Role::What, "operationName", "operation"),
];

const M365_ACTIVITY: &[Known] = &[
    known(Role::Who, "UserId", "user"),
    known(Role::Who, "UserKey", "user key"),
    known(Role::With, "AppId", "application id"),
    common(Role::With, "UserAgent", "user agent"),
    known(Role::Where, "ClientIP", "address"),
    known(Role::Object, "MailboxOwnerUPN", "mailbox"),
    known(Role::Object, "ObjectId", "object"),
    known(Role::Object, "Identity", "object of the command"),
    known(Role::Object, "SiteUrl", "site"),
    common(Role::Object, "TargetUserOrGroupName", "target"),
    common(Role::What, "Operation", "operation"),
];

const GRAPH_ALERTS: &[Known] = &[
    known(Role::Who, "evidence.userAccount.userPrincipalName", "user"),
    known(Role::Where, "evidence.ipAddress", "address"),
    known(Role::Object, "AlertName", "title of the alert"),
    common(Role::What, "ServiceSource", "source of the alert"),
];

const PROVISIONING: &[Known] = &[
    known(Role::Who, "ServicePrincipalId", "service principal id"),
    known(Role::Object, "JobId", "job id"),
];

/// The fields that tell events of a table apart, those that say it best first.
const fn fields(table: Table) -> &'static [Known] {
    match table {
        Table::Signins => SIGNINS,
        Table::DirectoryAudits => DIRECTORY_AUDITS,
        Table::RiskEvents => RISK_EVENTS,
        Table::GraphActivity => GRAPH_ACTIVITY,
        Table::AzureActivity => AZURE_ACTIVITY,
        Table::M365Activity => M365_ACTIVITY,
        Table::GraphAlerts => GRAPH_ALERTS,
        Table::Provisioning => PROVISIONING,
        _ => &[],
    }
}

/// A field of the event that a filter can be made of.
pub(super) struct Candidate {
    pub(super) chosen: Chosen,
    pub(super) may_stand_alone: bool,
}

/// What an event has.
pub(super) struct Candidates {
    /// In the order of the table's fields.
    pub(super) found: Vec<Candidate>,
    pub(super) kept_out: Vec<Chosen>,
}

/// The fields of an event by which a filter may leave it out.
pub(super) fn gather(
    rule: &Rule,
    row: &Row,
    user_mapping: &Arc<UserMapping>,
) -> Result<Candidates, RuleError> {
    let sought = Sought::of(rule, user_mapping)?;
    let mut found = Vec::new();
    let mut kept_out: Vec<Chosen> = Vec::new();
    for known in fields(rule.table) {
        let field = Mapping::Lake(rule.table).field(user_mapping, known.field);
        let (_, values) = row.look(&field.place, field.fold);
        let value = values.into_iter().map(|found| found.value).next();
        let Some(value) = value.filter(|value| says_something(value)) else {
            continue;
        };
        let is_sought = sought.is(&field.place, &value);
        let chosen = Chosen {
            field: known.field,
            called: known.called,
            role: known.role,
            value,
        };
        if is_sought {
            kept_out.push(chosen);
        } else {
            found.push(Candidate {
                chosen,
                may_stand_alone: known.may_stand_alone,
            });
        }
    }
    // The user that a rule is about is left alone by every name.
    found.retain(|one| {
        let says = one.chosen.role;
        !says.is_one_thing() || kept_out.iter().all(|kept| kept.role != says)
    });
    Ok(Candidates { found, kept_out })
}

/// True if a value names one thing rather than none.
fn says_something(value: &str) -> bool {
    let is_nil = value
        .chars()
        .all(|character| matches!(character, '0' | '-' | ':' | '.') || character.is_whitespace());
    let is_short = value.chars().nth(VALUE_CHARACTERS_MAX).is_none();
    is_short && !is_nil
}

/// What a rule asks events to have, as it is compiled: meanings of words and a user's names are in it.
struct Sought {
    tests: Vec<Test>,
    /// Numbers of the tests that speak for a match if they hold.
    positive: Vec<usize>,
}

impl Sought {
    fn of(rule: &Rule, user_mapping: &Arc<UserMapping>) -> Result<Self, RuleError> {
        let mut builder = Builder::new(Mapping::Lake(rule.table), user_mapping);
        let formula = builder.rule(&rule.sigma)?;
        let mut positive = Vec::new();
        collect(&formula, true, &mut positive);
        Ok(Self {
            tests: builder.tests,
            positive,
        })
    }

    /// True if the rule matches because of this value.
    ///
    /// A filter must not leave out what the rule was written to find: excepting the very user agent of an attacker's
    /// tool would switch the rule off for all who use the tool. So a value is kept out if a test that speaks for a
    /// match holds for it and not for another value of the same form: `UserAgent|contains: azurehound` keeps the
    /// agent out, and `UserId|re: '\S'`, which any user fulfils, keeps nothing out. The field does not count, since
    /// one value may stand in several: a role's name in the target and in the list of targets.
    fn is(&self, place: &FieldBinding, value: &str) -> bool {
        let other = another(value);
        self.positive
            .iter()
            .any(|number| match &self.tests[*number] {
                Test::Value(_, question) => holds(question, value) && !holds(question, &other),
                // Which of the two fields makes it a match cannot be told.
                Test::Reference(left, right, _) => left == place || right == place,
            })
    }
}

/// The tests that speak for a match if they hold.
fn collect(formula: &Formula, is_positive: bool, found: &mut Vec<usize>) {
    match formula {
        Formula::Test(number) if is_positive => found.push(*number),
        Formula::Test(_) => {}
        Formula::Not(inner) => collect(inner, !is_positive, found),
        Formula::And(members) | Formula::Or(members) | Formula::AtLeast(_, members) => {
            for member in members {
                collect(member, is_positive, found);
            }
        }
    }
}

/// Another value of the same form: a user stays a user, an id an id, an address one of documentation's.
fn another(value: &str) -> String {
    if let Ok(address) = value.parse::<IpAddr>() {
        let others = match address {
            IpAddr::V4(_) => ["203.0.113.250", "198.51.100.250"],
            IpAddr::V6(_) => ["2001:db8::fa", "2001:db8:1::fa"],
        };
        let is_taken = others[0].parse() == Ok(address);
        return others[usize::from(is_taken)].to_owned();
    }
    // Each letter and digit becomes the next, and hexadecimal digits stay what they are.
    let next = |character: char| match character {
        '9' => '0',
        'f' => 'a',
        'F' => 'A',
        'z' => 'g',
        'Z' => 'G',
        '0'..='8' | 'a'..='y' | 'A'..='Y' => {
            char::from_u32(u32::from(character) + 1).unwrap_or(character)
        }
        other => other,
    };
    value.chars().map(next).collect()
}

#[cfg(test)]
mod tests {
    use schemas::tables::Table;

    use super::{Role, another, fields, says_something};
    use crate::mapping::{FieldBinding, Mapping, UserMapping};

    #[test]
    fn every_field_is_one_that_its_table_maps() {
        // Read from the record, where no column has it.
        let raw = [
            "AdditionalDetails.User-Agent",
            "appid",
            "evidence.userAccount.userPrincipalName",
            "evidence.ipAddress",
        ];
        for table in Table::EVENTS {
            let mut places = Vec::new();
            for known in fields(*table) {
                let place = Mapping::Lake(*table)
                    .field(&UserMapping::default(), known.field)
                    .place;
                let is_column = matches!(place, FieldBinding::Column(_));
                assert_eq!(is_column, !raw.contains(&known.field), "{}", known.field);
                assert!(!places.contains(&place), "{table} {}", known.field);
                places.push(place);
            }
        }
    }

    #[test]
    fn another_value_has_the_same_form_and_is_another() {
        for (value, expected) in [
            ("ada@contoso.test", "beb@dpouptp.uftu"),
            ("00ff-9c", "11aa-0d"),
            ("192.0.2.7", "203.0.113.250"),
            ("203.0.113.250", "198.51.100.250"),
            ("2001:db8::1", "2001:db8::fa"),
        ] {
            assert_eq!(another(value), expected);
        }
    }

    #[test]
    fn what_names_nothing_is_passed_over() {
        for value in [
            "",
            "  ",
            "0.0.0.0",
            "::",
            "00000000-0000-0000-0000-000000000000",
            "-",
        ] {
            assert!(!says_something(value), "{value}");
        }
        assert!(!says_something(&"a".repeat(513)));
        assert!(says_something("a"));
        assert!(Role::ALL.is_sorted());
    }
}
