//! Keys of a rule: those that must be there, and the form of each.
//!
//! Source: Sigma specification 2.1.0, JSON schema of detection rules.

use std::collections::HashMap;

use yaml_serde::Value;

use super::document::LintDocument;
use super::finding::{Level::Error, Level::Notice, Level::Warning, Notes};

/// What a key holds.
#[derive(Debug, Clone, Copy)]
enum Form {
    /// Text of at most so many characters.
    Text(usize),
    /// One of these words.
    Word(&'static [&'static str]),
    /// A day.
    Day,
    /// A list of text.
    Texts,
    /// A map.
    Map,
    /// Checked elsewhere.
    Other,
}

const KEYS: &[(&str, Form)] = &[
    ("title", Form::Text(256)),
    ("id", Form::Text(36)),
    ("name", Form::Text(256)),
    ("related", Form::Other),
    ("taxonomy", Form::Text(256)),
    (
        "status",
        Form::Word(&[
            "stable",
            "test",
            "experimental",
            "deprecated",
            "unsupported",
        ]),
    ),
    ("description", Form::Text(65_535)),
    ("license", Form::Text(256)),
    ("references", Form::Texts),
    ("author", Form::Text(4_096)),
    ("date", Form::Day),
    ("modified", Form::Day),
    ("logsource", Form::Map),
    ("detection", Form::Map),
    ("fields", Form::Texts),
    ("falsepositives", Form::Texts),
    (
        "level",
        Form::Word(&["informational", "low", "medium", "high", "critical"]),
    ),
    ("tags", Form::Texts),
    ("scope", Form::Texts),
    // Ours.
    ("label", Form::Other),
    ("blind_spots", Form::Texts),
    ("check_first", Form::Texts),
    ("cases", Form::Other),
    ("only_counted", Form::Other),
    ("suppress", Form::Other),
    ("first_seen", Form::Other),
    ("travel", Form::Other),
    ("absence", Form::Other),
    // Ours, of filters.
    ("owner", Form::Other),
    ("reason", Form::Other),
    ("expires", Form::Other),
    // Of other documents, and of tools that read rules.
    ("correlation", Form::Map),
    ("filter", Form::Map),
    ("action", Form::Other),
    ("generate", Form::Other),
    ("custom_attributes", Form::Other),
    ("sigma-version", Form::Other),
];

/// What every rule should say.
const WANTED: &[(&str, &str)] = &[
    (
        "status",
        "say how far it is tested, for example status: experimental",
    ),
    (
        "description",
        "say what the rule finds and why that matters",
    ),
    (
        "level",
        "say how urgent a hit is: informational, low, medium, high or critical",
    ),
];

/// What a rule with one of our labels must say besides.
const WANTED_OF_OURS: &[(&str, &str)] = &[
    (
        "tags",
        "name the tactic and the technique: attack.persistence, attack.t1098",
    ),
    (
        "check_first",
        "list what a person looks at first when it fires",
    ),
    ("blind_spots", "list what the rule cannot see"),
    (
        "cases",
        "add a record that it must find and a near miss that it must not",
    ),
    ("falsepositives", "say who does this legitimately"),
];

/// Looks at the keys at the top of a document.
pub(super) fn check(document: &LintDocument<'_>, notes: &mut Notes<'_>) {
    let Some(members) = document.value.as_mapping() else {
        return;
    };
    let names: Vec<&str> = members.keys().filter_map(Value::as_str).collect();
    for (name, value) in names.iter().zip(members.values()) {
        match KEYS.iter().find(|(known, _)| known == name) {
            Some((_, form)) => check_form(document, name, value, *form, notes),
            None => check_unknown(document, name, notes),
        }
    }
    check_letter_case(document, &names, notes);
    check_id(document, notes);
    check_days(document, notes);
    check_related(document, notes);
    check_taxonomy(document, notes);
    if document.is_rule() && document.value.get("action").is_none() {
        check_wanted(document, notes);
    }
}

fn check_form(
    document: &LintDocument<'_>,
    name: &str,
    value: &Value,
    form: Form,
    notes: &mut Notes<'_>,
) {
    let expected = match (form, value) {
        (Form::Text(most), Value::String(text)) if text.chars().count() <= most => return,
        (Form::Text(most), _) => format!("text of at most {most} characters"),
        (Form::Word(words), Value::String(text)) if words.contains(&text.as_str()) => return,
        (Form::Word(words), _) => format!("one of {}", words.join(", ")),
        (Form::Day, Value::String(text)) if is_day(text) => return,
        (Form::Day, _) => "a day as YYYY-MM-DD".to_owned(),
        (Form::Texts, Value::Sequence(items)) if items.iter().all(Value::is_string) => {
            return check_twice(document, name, items, notes);
        }
        (Form::Texts, _) => "a list of text".to_owned(),
        (Form::Map, Value::Mapping(_)) | (Form::Other, _) => return,
        (Form::Map, _) => "a map".to_owned(),
    };
    notes.add(
        (Error, "key-form"),
        document.line_of(&[name]),
        format!("key \"{name}\" does not hold what it must"),
        format!("write {expected}"),
    );
}

fn check_twice(document: &LintDocument<'_>, name: &str, items: &[Value], notes: &mut Notes<'_>) {
    // Tags are compared without letter case, elsewhere.
    if name == "tags" {
        return;
    }
    let mut seen = std::collections::HashSet::new();
    for text in items.iter().filter_map(Value::as_str) {
        if !seen.insert(text) {
            notes.add(
                (Warning, "entry-twice"),
                document.line_with(&[name], text),
                format!("\"{text}\" stands twice in {name}"),
                "take one away",
            );
        }
    }
}

/// Custom keys are allowed; one that looks like a slip of the pen is told.
fn check_unknown(document: &LintDocument<'_>, name: &str, notes: &mut Notes<'_>) {
    let near = KEYS
        .iter()
        .find(|(known, _)| known.len() > 3 && is_slip(known, name));
    if let Some((known, _)) = near {
        notes.add(
            (Warning, "key-unknown"),
            document.line_of(&[name]),
            format!("key \"{name}\" means nothing"),
            format!("did you mean \"{known}\"?"),
        );
    }
}

fn check_letter_case(document: &LintDocument<'_>, names: &[&str], notes: &mut Notes<'_>) {
    let mut seen: HashMap<String, &str> = HashMap::new();
    for name in names {
        if let Some(first) = seen.insert(name.to_lowercase(), name) {
            notes.add(
                (Warning, "key-case"),
                document.line_of(&[name]),
                format!("keys \"{first}\" and \"{name}\" differ only in letter case"),
                "keep the one that Sigma knows",
            );
        }
    }
}

fn check_id(document: &LintDocument<'_>, notes: &mut Notes<'_>) {
    let Some(id) = document.text_of("id") else {
        return;
    };
    if !is_uuid_4(id) {
        // Public rules have ids of other versions, which do for telling rules apart.
        let is_ours = document.value.get("label").is_some();
        let level = if is_uuid(id) && !is_ours {
            Warning
        } else {
            Error
        };
        notes.add(
            (level, "id-form"),
            document.line_of(&["id"]),
            format!("id \"{id}\" is not a random UUID (version 4)"),
            "write a new one, for example from uuidgen, in lower case",
        );
    }
}

fn check_days(document: &LintDocument<'_>, notes: &mut Notes<'_>) {
    let (Some(date), Some(modified)) = (document.text_of("date"), document.text_of("modified"))
    else {
        return;
    };
    if is_day(date) && is_day(modified) && modified < date {
        notes.add(
            (Warning, "modified-early"),
            document.line_of(&["modified"]),
            format!("rule was modified on {modified}, before its date {date}"),
            "correct one of the two days",
        );
    }
}

fn check_related(document: &LintDocument<'_>, notes: &mut Notes<'_>) {
    const TYPES: &[&str] = &[
        "derived",
        "obsolete",
        "merged",
        "renamed",
        "similar",
        "correlation",
    ];
    for related in document.list_of("related") {
        let text = |key: &str| related.get(key).and_then(Value::as_str).unwrap_or_default();
        if !TYPES.contains(&text("type")) || !is_uuid(text("id")) {
            notes.add(
                (Error, "related-form"),
                document.line_with(&["related"], text("id")),
                "a related rule is not named by id and type",
                "write {id: UUID, type: derived, obsolete, merged, renamed or similar}",
            );
        }
    }
}

fn check_taxonomy(document: &LintDocument<'_>, notes: &mut Notes<'_>) {
    if let Some(taxonomy) = document.text_of("taxonomy").filter(|name| *name != "sigma") {
        notes.add(
            (Warning, "taxonomy"),
            document.line_of(&["taxonomy"]),
            format!("field names of taxonomy \"{taxonomy}\" are looked up as Sigma's"),
            "use Sigma's or Microsoft's names of fields, or a pipeline that renames them",
        );
    }
}

fn check_wanted(document: &LintDocument<'_>, notes: &mut Notes<'_>) {
    let has = |key: &str| match document.value.get(key) {
        None | Some(Value::Null) => false,
        Some(Value::Sequence(items)) => !items.is_empty(),
        Some(Value::String(text)) => !text.trim().is_empty(),
        Some(_) => true,
    };
    let is_ours = has("label");
    let level = if is_ours { Error } else { Warning };
    let more = if is_ours { WANTED_OF_OURS } else { &[] };
    for (key, fix) in WANTED.iter().chain(more) {
        if !has(key) {
            let line = document.line_of(&[key]).or(document.line_of(&["title"]));
            notes.add(
                (level, "key-missing"),
                line,
                format!("rule has no {key}"),
                *fix,
            );
        }
    }
    if is_ours && has("cases") {
        check_cases(document, notes);
    }
    if document
        .text_of("title")
        .is_some_and(|title| title.ends_with('.'))
    {
        notes.add(
            (Notice, "title-period"),
            document.line_of(&["title"]),
            "title ends with a period",
            "a title is a phrase: leave the period out",
        );
    }
}

/// A rule needs a record that it finds and one that it does not.
fn check_cases(document: &LintDocument<'_>, notes: &mut Notes<'_>) {
    let cases = document.list_of("cases");
    for (alerts, kind) in [(1, "finds"), (0, "must not find")] {
        let says = |case: &Value| case.get("alerts").and_then(Value::as_u64) == Some(alerts);
        if !cases.iter().any(says) {
            notes.add(
                (Error, "case-missing"),
                document.line_of(&["cases"]),
                format!("no case shows a record that the rule {kind}"),
                format!("add a case with alerts: {alerts}"),
            );
        }
    }
}

fn is_day(text: &str) -> bool {
    let parts: Vec<&str> = text.split('-').collect();
    let number = |text: &str| {
        text.bytes()
            .all(|byte| byte.is_ascii_digit())
            .then(|| text.parse::<u32>().ok())?
    };
    let [year, month, day] = parts.as_slice() else {
        return false;
    };
    year.len() == 4
        && month.len() == 2
        && day.len() == 2
        && number(year).is_some()
        && number(month).is_some_and(|month| (1..=12).contains(&month))
        && number(day).is_some_and(|day| (1..=31).contains(&day))
}

fn is_uuid(text: &str) -> bool {
    let groups: Vec<&str> = text.split('-').collect();
    groups.iter().map(|group| group.len()).eq([8, 4, 4, 4, 12])
        && text
            .bytes()
            .all(|byte| byte == b'-' || byte.is_ascii_hexdigit())
}

fn is_uuid_4(text: &str) -> bool {
    let byte = |at: usize| text.as_bytes().get(at).map(u8::to_ascii_lowercase);
    is_uuid(text) && byte(14) == Some(b'4') && matches!(byte(19), Some(b'8' | b'9' | b'a' | b'b'))
}

/// One letter was left out, added or changed, or only letter case and marks differ.
fn is_slip(known: &str, written: &str) -> bool {
    let letters = |text: &str| {
        let letters = text.chars().filter(char::is_ascii_alphanumeric);
        letters
            .map(|letter| letter.to_ascii_lowercase())
            .collect::<Vec<_>>()
    };
    let (known, written) = (letters(known), letters(written));
    let same_start = known
        .iter()
        .zip(&written)
        .take_while(|(left, right)| left == right)
        .count();
    let (known, written) = (&known[same_start..], &written[same_start..]);
    let same_end = known
        .iter()
        .rev()
        .zip(written.iter().rev())
        .take_while(|(left, right)| left == right)
        .count();
    known.len() - same_end <= 1 && written.len() - same_end <= 1
}
