//! How to mend what was refused.

use crate::error::RuleError;

/// What to do about a refusal.
pub(super) fn fix(reason: &RuleError) -> &'static str {
    match reason {
        RuleError::Item { cause, .. } => fix(cause),
        RuleError::FileTooLarge { .. } => "split the file: one rule a file",
        RuleError::NotUtf8 => "save the file as UTF-8",
        RuleError::Unreadable { .. } => "check that the file is there and may be read",
        RuleError::Yaml { .. } => {
            "mend the YAML: indent with blanks, quote values that begin with a sign, give each key once"
        }
        RuleError::NotARule { .. } => {
            "a rule needs title, logsource with product or category, and detection with condition"
        }
        RuleError::Modifiers { .. } => {
            "take one of the modifiers away; |all needs at least two values"
        }
        RuleError::Value { .. } => {
            "write a value that the modifiers can use: text for contains, a number for lt and gt, a network for cidr"
        }
        RuleError::Regex { .. } => {
            "look-around and back references are not evaluated; write the expression without them"
        }
        RuleError::LookAlike { .. } => {
            "type the name again: one of its letters is of another alphabet"
        }
        RuleError::RegexTooLong { .. } => "split the expression into several values of a list",
        RuleError::UnknownDetection { .. } => {
            "name a detection that stands beside the condition; names are compared letter by letter"
        }
        RuleError::ConditionTooLarge { .. } => {
            "name detections alike and ask for them with \"1 of name_*\""
        }
        RuleError::LogSource { .. } => {
            "use product azure or m365 with a service such as signinlogs, auditlogs, activitylogs, riskdetection, audit"
        }
        RuleError::Key {
            key: "first_seen", ..
        }
        | RuleError::OwnCorrelation {
            key: "first_seen", ..
        } => "write first_seen: {field: Country, by: [UserId], within: 30d, learn: 3d}",
        RuleError::Key { key: "travel", .. } | RuleError::OwnCorrelation { key: "travel", .. } => {
            "write travel: {by: [UserId], latitude: PATH, longitude: PATH, kmh: 900, km: 500, within: 24h}"
        }
        RuleError::Key {
            key: "suppress", ..
        }
        | RuleError::OwnCorrelation {
            key: "suppress", ..
        } => {
            "write suppress: {by: [UserId, ClientIP], for: 1h}, with fields that tell one story from another, and a time in s, m, h or d up to 31d"
        }
        RuleError::Key { key: "expires", .. } => "write the filter's last day as YYYY-MM-DD",
        RuleError::Key {
            key: "owner" | "reason",
            ..
        } => "write one text, in quotation marks if it begins with a sign",
        RuleError::Key { .. } => {
            "label is a number; blind_spots and check_first are lists of text; cases are {name, alerts, event}"
        }
        RuleError::NoId => "add id: with a new random UUID (version 4)",
        RuleError::Duplicate { .. } => "give one of the two rules a new one",
        _ => "leave it out, or say the same with parts of Sigma that are evaluated",
    }
}
