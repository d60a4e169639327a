//! What a description of a shape is made of, and how it is read. Pure.

use schemas::ip;
use schemas::path::find;
use serde_json::Value;

/// How a tool dresses records.
#[derive(Debug)]
pub(super) struct Shape {
    /// What a person calls it.
    pub(super) name: &'static str,
    /// What stands in all of its objects and, together, in no other: see [`Shape::knows`].
    pub(super) known_by: &'static [&'static str],
    /// How the record is had.
    pub(super) record: Place,
    /// What a record has that needs nothing from around it; empty if it always may.
    pub(super) whole: &'static [&'static str],
    /// What stands around the record and says something of it.
    pub(super) says: &'static [Says],
    /// True if what stands around the record always says more than the record does.
    pub(super) is_kept: bool,
}

/// Where the record is.
#[derive(Debug)]
pub(super) enum Place {
    /// At the first of these paths that has one: an object, or JSON as text.
    Inside(&'static [&'static str]),
    /// It is the object itself, which lacks some members under the names that they have elsewhere.
    Itself,
    /// It is what is said, under the names that it has elsewhere.
    Said,
    /// It is what becomes of the object; none if nothing does.
    Changed(fn(&Value) -> Option<Value>),
}

/// One thing that stands around a record.
#[derive(Debug)]
pub(super) struct Says {
    /// The record's member that it is; dots lead into objects where the record is what is said.
    pub(super) member: &'static str,
    /// Where it stands, first usable one.
    pub(super) from: &'static [&'static str],
    /// How it is written there.
    pub(super) form: Form,
}

/// How something is written that stands around a record.
#[derive(Debug, Clone, Copy)]
pub(super) enum Form {
    /// As in the record.
    Same,
    /// A number as text.
    Number,
    /// Yes or no.
    Flag,
    /// Words with blanks, where the record has one word: `Not Applied` is `notApplied`.
    Word,
    /// Parts with a comma between them: the first, the last, or what is between.
    First,
    /// See [`Form::First`].
    Middle,
    /// See [`Form::First`].
    Last,
    /// The text behind a prefix.
    Behind(&'static str),
    /// Members whose names begin with this, as a list of names and values.
    Pairs(&'static str),
    /// Whatever the function makes of the whole object; `from` is not looked at.
    Made(fn(&Value) -> Option<Value>),
}

/// The same thing under another name.
pub(super) const fn same(member: &'static str, from: &'static [&'static str]) -> Says {
    says(member, from, Form::Same)
}

pub(super) const fn says(member: &'static str, from: &'static [&'static str], form: Form) -> Says {
    Says { member, from, form }
}

impl Shape {
    /// True if an object is of this shape: each of `known_by` holds.
    ///
    /// `a.b` is a path that leads to something, `a|b` is one of several, `!a` must not be there, `a=b` has that text
    /// (`a=b*`: one that begins so), and `a*` is a member whose name begins so.
    pub(super) fn knows(&self, object: &Value) -> bool {
        let holds = |mark: &str| -> bool {
            if let Some((path, text)) = mark.split_once('=') {
                let found = find(object, path);
                let found = found.as_ref().and_then(|value| value.as_str());
                return found.is_some_and(|found| match text.strip_suffix('*') {
                    Some(start) => starts_with(found, start),
                    None => found.eq_ignore_ascii_case(text),
                });
            }
            if let Some(start) = mark.strip_suffix('*') {
                let members = object.as_object();
                return members.is_some_and(|all| all.keys().any(|name| starts_with(name, start)));
            }
            find(object, mark).is_some()
        };
        self.known_by
            .iter()
            .all(|mark| match mark.strip_prefix('!') {
                // A null too is a member that is there.
                Some(mark) => !object
                    .as_object()
                    .is_some_and(|all| all.keys().any(|name| name.eq_ignore_ascii_case(mark))),
                None => mark.split('|').any(holds),
            })
    }
}

fn starts_with(text: &str, start: &str) -> bool {
    text.get(..start.len())
        .is_some_and(|found| found.eq_ignore_ascii_case(start))
}

impl Says {
    /// What is said, and by which member; none if nothing usable is.
    pub(super) fn value(&self, object: &Value) -> Option<(Value, &'static str)> {
        let first = self.from.first().copied().unwrap_or_default();
        match self.form {
            Form::Made(make) => return Some((make(object)?, first)),
            Form::Pairs(prefix) => return Some((pairs(object, prefix)?, first)),
            _ => {}
        }
        self.from.iter().find_map(|path| {
            let found = find(object, path).filter(|value| is_said(value))?;
            Some((self.form.read(&found)?, *path))
        })
    }
}

/// True if a value is something, and no word for nothing.
pub(super) fn is_said(value: &Value) -> bool {
    match value {
        Value::Null => false,
        Value::String(text) => !ip::is_nothing(text),
        _ => true,
    }
}

impl Form {
    pub(super) fn read(self, value: &Value) -> Option<Value> {
        let Some(text) = value.as_str() else {
            return Some(value.clone());
        };
        let text = text.trim();
        match self {
            Self::Number => text.parse::<i64>().ok().map(Value::from),
            Self::Flag => match text.to_ascii_lowercase().as_str() {
                "yes" | "true" | "1" => Some(Value::Bool(true)),
                "no" | "false" | "0" => Some(Value::Bool(false)),
                _ => None,
            },
            Self::Word => Some(one_word(text).into()),
            Self::First => text.split(',').next().map(|part| part.trim().into()),
            Self::Last => text.rsplit(',').next().map(|part| part.trim().into()),
            Self::Middle => {
                let (_, rest) = text.split_once(',')?;
                let (middle, _) = rest.rsplit_once(',')?;
                Some(middle.trim().into())
            }
            Self::Behind(prefix) => {
                let rest = text
                    .get(prefix.len()..)
                    .filter(|_| starts_with(text, prefix));
                Some(rest.unwrap_or(text).into())
            }
            Self::Same | Self::Pairs(_) | Self::Made(_) => Some(value.clone()),
        }
        .filter(is_said)
    }
}

/// `Not Applied` as `notApplied`, as Graph writes the members of its enumerations.
pub(super) fn one_word(text: &str) -> String {
    let mut word = String::new();
    for (place, part) in text
        .split([' ', '-'])
        .filter(|part| !part.is_empty())
        .enumerate()
    {
        let mut letters = part.chars();
        let first = letters.next().map(|first| {
            if place == 0 {
                first.to_ascii_lowercase()
            } else {
                first.to_ascii_uppercase()
            }
        });
        word.extend(first);
        word.push_str(letters.as_str());
    }
    word
}

/// Members whose names begin with a prefix as a list of pairs, without those that say nothing.
fn pairs(object: &Value, prefix: &str) -> Option<Value> {
    let pair = |(name, value): (&String, &Value)| {
        let name = name
            .get(prefix.len()..)
            .filter(|_| starts_with(name, prefix))?;
        let is_pair = !name.is_empty() && is_said(value);
        is_pair.then(|| serde_json::json!({"Name": name, "Value": value}))
    };
    let pairs: Vec<Value> = object.as_object()?.iter().filter_map(pair).collect();
    (!pairs.is_empty()).then_some(Value::Array(pairs))
}
