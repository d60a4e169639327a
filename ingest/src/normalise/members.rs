//! The members of an object with their bytes, in the order of the text. Pure.

use std::fmt;

use serde::de::{MapAccess, Visitor};
use serde::{Deserialize, Deserializer};
use serde_json::value::RawValue;

/// The members of an object: each name, and its value's bytes as they stand.
#[derive(Debug, Default)]
pub(super) struct Members<'a>(pub(super) Vec<(String, &'a str)>);

impl<'a> Members<'a> {
    /// The members of the object that `text` is; none if it is none.
    pub(super) fn of(text: &'a str) -> Option<Self> {
        serde_json::from_str(text).ok()
    }

    /// The bytes of a member, by its name in any letter case; the one that is spelled as asked for counts first.
    pub(super) fn get(&self, name: &str) -> Option<&'a str> {
        let exact = self.0.iter().rfind(|(key, _)| key == name);
        exact
            .or_else(|| {
                let mut members = self.0.iter();
                members.find(|(key, _)| key.eq_ignore_ascii_case(name))
            })
            .map(|(_, value)| *value)
    }

    /// Takes out all members of a name, in any letter case.
    pub(super) fn remove(&mut self, name: &str) {
        self.0.retain(|(key, _)| !key.eq_ignore_ascii_case(name));
    }
}

/// The bytes at a path of names with dots between them; none where a text stands on the way.
pub(super) fn slice_at<'a>(text: &'a str, path: &str) -> Option<&'a str> {
    path.split('.')
        .try_fold(text, |text, name| Members::of(text)?.get(name))
}

impl<'de> Deserialize<'de> for Members<'de> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Read;
        impl<'de> Visitor<'de> for Read {
            type Value = Members<'de>;

            fn expecting(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
                formatter.write_str("an object")
            }

            fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Self::Value, A::Error> {
                let mut members = Vec::new();
                while let Some((name, value)) = map.next_entry::<String, &'de RawValue>()? {
                    members.push((name, value.get()));
                }
                Ok(Members(members))
            }
        }
        deserializer.deserialize_map(Read)
    }
}

/// Writes an object of members, whose values are JSON already.
pub(super) fn write<'a>(members: impl Iterator<Item = (&'a str, &'a str)>) -> String {
    let mut text = String::from("{");
    for (name, value) in members {
        if text.len() > 1 {
            text.push(',');
        }
        text.push_str(&serde_json::Value::from(name).to_string());
        text.push(':');
        text.push_str(value);
    }
    text.push('}');
    text
}
