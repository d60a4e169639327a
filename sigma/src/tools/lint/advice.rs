//! How to mend what was refused.

use crate::error::Refusal;

/// What to do about a refusal.
pub(super) fn fix(reason: &Refusal) -> &'static str {
    match reason {
        Refusal::Item { cause, .. } => fix(cause),
        Refusal::FileTooLarge { .. } => "split the file: one rule a file",
        Refusal::NotUtf8 => "save the file as UTF-8",
        Refusal::Unreadable { .. } => "check that the file is there and may be read",
        Refusal::Yaml { .. } => {
            "mend the YAML: indent with blanks, quote values that begin with a sign, give each key once"
        }
        Refusal::NotARule { .. } => {
            "a rule needs title, logsource with product or category, and detection with condition"
        }
        Refusal::Modifiers { .. } => {
            "take one of the modifiers away; |all needs at least two values"
        }
        Refusal::Value { .. } => {
            "write a value that the modifiers can use: text for contains, a number for lt and gt, a network for cidr"
        }
        Refusal::Regex { .. } => {
            "look-around and back references are not evaluated; write the expression without them"
        }
        Refusal::LookAlike { .. } => {
            "type the name again: one of its letters is of another alphabet"
        }
        Refusal::RegexTooLong { .. } => "split the expression into several values of a list",
        Refusal::UnknownDetection { .. } => {
            "name a detection that stands beside the condition; names are compared letter by letter"
        }
        Refusal::ConditionTooLarge { .. } => {
            "name detections alike and ask for them with \"1 of name_*\""
        }
        Refusal::LogSource { .. } => {
            "use product azure or m365 with a service such as signinlogs, auditlogs, activitylogs, riskdetection, audit"
        }
        Refusal::Key {
            key: "first_seen", ..
        }
        | Refusal::OverTime {
            key: "first_seen", ..
        } => "write first_seen: {field: Country, by: [UserId], within: 30d, learn: 3d}",
        Refusal::Key { key: "travel", .. } | Refusal::OverTime { key: "travel", .. } => {
            "write travel: {by: [UserId], latitude: PATH, longitude: PATH, kmh: 900, km: 500, within: 24h}"
        }
        Refusal::Key {
            key: "suppress", ..
        }
        | Refusal::OverTime {
            key: "suppress", ..
        } => {
            "write suppress: {by: [UserId, ClientIP], for: 1h}, with fields that tell one story from another, and a time in s, m, h or d up to 31d"
        }
        Refusal::Key { key: "expires", .. } => "write the filter's last day as YYYY-MM-DD",
        Refusal::Key {
            key: "owner" | "reason",
            ..
        } => "write one text, in quotation marks if it begins with a sign",
        Refusal::Key { .. } => {
            "label is a number; blind_spots and check_first are lists of text; cases are {name, alerts, event}"
        }
        Refusal::NoId => "add id: with a new random UUID (version 4)",
        Refusal::Duplicate { .. } => "give one of the two rules a new one",
        _ => "leave it out, or say the same with parts of Sigma that are evaluated",
    }
}
