//! Takes the record out of what a tool has put around it, as [`super::shapes`] describes it. Pure.
//!
//! `raw` is the record's own bytes wherever it can be. Where the record had to be put together, out of what stands around
//! it or out of a row of a table, `raw` is the record as it was put together, each value with its own bytes, and its
//! member [`OUTER`] is what stood around it, so that nothing of it is lost.

use schemas::dead_letter::Reason;
use schemas::limits::RECORD_BYTES_MAX;
use schemas::path::find;
use schemas::provenance::Provenance;
use serde_json::{Map, Value};

use super::members::{self, Members, slice_at};
use super::origin::Origin;
use super::parse;
use super::salvage::salvage;
use super::shape::{Place, Shape, is_said};
use super::shapes::{ALL, LIVE};

/// The member that keeps what stood around a record that was put together.
pub(super) const OUTER: &str = "_outer";

/// Most layers that are taken off one record: a record of the audit search in a result of Splunk's has two.
const LAYERS_MAX: usize = 4;

/// A record, and what was taken off it.
#[derive(Debug)]
pub(super) struct Undressed {
    pub(super) record: Value,
    pub(super) raw: Vec<u8>,
    /// The names of the shapes, outermost first.
    pub(super) shapes: Vec<&'static str>,
    /// Which column a member of the record was called before, for what a column tells of its times.
    pub(super) columns: Vec<(&'static str, &'static str)>,
    pub(super) problems: Vec<String>,
    /// True if part of the record is missing.
    pub(super) is_cut: bool,
    /// What the record was taken out of, if the record inside it is cut.
    pub(super) uncut: Option<Vec<u8>>,
}

/// Why there is no record although there should be one.
#[derive(Debug)]
pub(super) struct Fault {
    pub(super) reason: Reason,
    pub(super) detail: String,
    /// What it should have been taken out of.
    pub(super) raw: Vec<u8>,
}

impl Undressed {
    /// A record as it stands.
    pub(super) fn new(record: Value, raw: Vec<u8>) -> Self {
        Self {
            record,
            raw,
            shapes: Vec::new(),
            columns: Vec::new(),
            problems: Vec::new(),
            is_cut: false,
            uncut: None,
        }
    }

    /// Takes off everything that is known.
    ///
    /// # Errors
    /// What is wrong with the record inside, if nothing of it can be read.
    pub(super) fn undress(mut self, origin: &Origin<'_>) -> Result<Self, Fault> {
        let shapes = if origin.provenance == Provenance::Imported {
            ALL
        } else {
            LIVE
        };
        for _ in 0..LAYERS_MAX {
            let is_new = |shape: &&&Shape| !self.shapes.contains(&shape.name);
            let mut known = shapes.iter().filter(is_new);
            let Some(shape) = known.find(|shape| shape.knows(&self.record)) else {
                break;
            };
            if !self.take_off(shape)? {
                break;
            }
            self.shapes.push(shape.name);
        }
        Ok(self)
    }

    /// Takes one shape off; false if nothing came of it.
    fn take_off(&mut self, shape: &'static Shape) -> Result<bool, Fault> {
        match &shape.record {
            Place::Inside(paths) => self.take_out(shape, paths),
            Place::Itself => Ok(self.add_to_itself(shape)),
            Place::Said => {
                let mut said = Map::new();
                for (member, value) in self.said(shape, &Value::Null) {
                    put(&mut said, member, value);
                }
                Ok(self.becomes(said, None))
            }
            Place::Changed(change) => {
                let Some(Value::Object(changed)) = change(&self.record) else {
                    return Ok(false);
                };
                Ok(self.becomes(changed, None))
            }
        }
    }

    /// What stands around the record and the record does not say.
    fn said(&mut self, shape: &'static Shape, inner: &Value) -> Vec<(&'static str, Value)> {
        let has = |member: &str| find(inner, member).is_some_and(|value| is_said(&value));
        if !shape.whole.is_empty() && shape.whole.iter().all(|member| has(member)) {
            return Vec::new();
        }
        let mut said = Vec::new();
        for one in shape.says {
            if !has(one.member)
                && let Some((value, from)) = one.value(&self.record)
            {
                self.columns.push((one.member, from));
                said.push((one.member, value));
            }
        }
        said
    }

    /// The record becomes what was put together; what it was is kept in it.
    fn becomes(&mut self, record: Map<String, Value>, outer: Option<&str>) -> bool {
        if record.is_empty() {
            return false;
        }
        let text: Vec<(String, String)> = record
            .iter()
            .map(|(name, value)| (name.clone(), value.to_string()))
            .collect();
        let members = text
            .iter()
            .map(|(name, value)| (name.as_str(), value.as_str()));
        let before = String::from_utf8_lossy(&self.raw).into_owned();
        self.put_together(members, Some(outer.unwrap_or(&before)));
        self.record = Value::Object(record);
        true
    }

    /// Writes the record's members, and what stood around them if that is not too much.
    fn put_together<'a>(
        &mut self,
        members: impl Iterator<Item = (&'a str, &'a str)> + Clone,
        outer: Option<&'a str>,
    ) {
        let raw = members::write(members.clone().chain(outer.map(|outer| (OUTER, outer))));
        if raw.len() <= RECORD_BYTES_MAX || outer.is_none() {
            self.raw = raw.into_bytes();
            return;
        }
        self.problems.push(
            "what stood around it is not kept: both are longer than a record may be".to_owned(),
        );
        self.raw = members::write(members).into_bytes();
    }

    fn add_to_itself(&mut self, shape: &'static Shape) -> bool {
        let record = std::mem::take(&mut self.record);
        self.record = record.clone();
        let said = self.said(shape, &record);
        let raw = String::from_utf8_lossy(&self.raw).into_owned();
        let Some(members) = Members::of(&raw) else {
            return false;
        };
        if said.is_empty() {
            return false;
        }
        self.complete(members, &said, None);
        true
    }

    /// Adds what was said to a record's members.
    fn complete(
        &mut self,
        mut members: Members<'_>,
        said: &[(&'static str, Value)],
        outer: Option<&str>,
    ) {
        let texts: Vec<(&str, String)> = said
            .iter()
            .map(|(member, value)| (*member, value.to_string()))
            .collect();
        for (member, _) in said {
            members.remove(member);
        }
        let all = members
            .0
            .iter()
            .map(|(name, value)| (name.as_str(), *value));
        let all = all.chain(texts.iter().map(|(name, text)| (*name, text.as_str())));
        self.put_together(all, outer);
        if let Value::Object(record) = &mut self.record {
            for (member, value) in said {
                record.retain(|name, _| !name.eq_ignore_ascii_case(member));
                record.insert((*member).to_owned(), value.clone());
            }
        }
    }

    /// Takes the record out of the object that it stands in.
    fn take_out(&mut self, shape: &'static Shape, paths: &[&'static str]) -> Result<bool, Fault> {
        let raw = String::from_utf8_lossy(&self.raw).into_owned();
        let mut fault = None;
        for path in paths {
            match inside(&self.record, &raw, path) {
                Inside::Nothing => {}
                Inside::Record(text) => match parse::read(text.as_bytes()) {
                    Ok(inner) => {
                        self.goes_on_with(shape, path, inner, &text, &raw);
                        return Ok(true);
                    }
                    Err((reason, detail)) => match salvage(&text) {
                        Some((left, end)) => {
                            let inner = serde_json::from_str(&left).unwrap_or_default();
                            self.is_cut = true;
                            self.uncut = Some(self.raw.clone());
                            self.problems.push(format!(
                                "its {path} is cut: {end} of its {} bytes are read",
                                text.len()
                            ));
                            // All of it is kept, with what could not be read.
                            self.goes_on_with(shape, "", inner, &left, &raw);
                            return Ok(true);
                        }
                        None => {
                            fault = Some(Fault {
                                reason,
                                detail: format!("the record inside it: {detail}"),
                                raw: self.raw.clone(),
                            });
                        }
                    },
                },
            }
        }
        let said = self.said(shape, &Value::Null);
        let mut record = Map::new();
        for (member, value) in said {
            put(&mut record, member, value);
        }
        // What stands around it names what happened, although the record itself is missing.
        let is_told = record.contains_key("Operation") && record.len() > 2;
        if is_told && self.becomes(record, None) {
            self.is_cut = fault.is_some();
            self.problems.push(
                "the record inside it is missing: read from what stands around it".to_owned(),
            );
            return Ok(true);
        }
        fault.map_or(Ok(false), Err)
    }

    /// Goes on with the record that stood at `path`, and with what stands around it where that says more.
    fn goes_on_with(
        &mut self,
        shape: &'static Shape,
        path: &str,
        inner: Value,
        text: &str,
        raw: &str,
    ) {
        let said = self.said(shape, &inner);
        self.record = inner;
        if said.is_empty() && !shape.is_kept && !self.is_cut {
            self.raw = text.as_bytes().to_vec();
            return;
        }
        let around = around(raw, path);
        match Members::of(text) {
            Some(members) => self.complete(members, &said, Some(&around)),
            None => self.raw = text.as_bytes().to_vec(),
        }
    }
}

/// What stands where a record may.
enum Inside {
    Nothing,
    Record(String),
}

fn inside(object: &Value, raw: &str, path: &str) -> Inside {
    let Some(found) = find(object, path) else {
        return Inside::Nothing;
    };
    match found.as_ref() {
        Value::String(text) if text.trim_start().starts_with('{') => {
            Inside::Record(text.trim().to_owned())
        }
        Value::Object(_) => {
            // Behind a text that is JSON there are no bytes to take.
            let text = slice_at(raw, path).map_or_else(|| found.to_string(), str::to_owned);
            Inside::Record(text)
        }
        _ => Inside::Nothing,
    }
}

/// What stands around the record at `path`, without the record.
fn around(raw: &str, path: &str) -> String {
    let Some(mut members) = Members::of(raw) else {
        return raw.to_owned();
    };
    match path.split_once('.') {
        None => {
            members.remove(path);
            members::write(
                members
                    .0
                    .iter()
                    .map(|(name, value)| (name.as_str(), *value)),
            )
        }
        Some((name, rest)) => {
            let inner = members.get(name).unwrap_or("null").to_owned();
            members.remove(name);
            let inner = around(&inner, rest);
            let all = members
                .0
                .iter()
                .map(|(name, value)| (name.as_str(), *value));
            members::write(all.chain([(name, inner.as_str())]))
        }
    }
}

/// Puts a value at a path of names with dots between them.
fn put(record: &mut Map<String, Value>, path: &str, value: Value) {
    match path.split_once('.') {
        None => {
            record.insert(path.to_owned(), value);
        }
        Some((name, rest)) => {
            let inner = record
                .entry(name.to_owned())
                .or_insert_with(|| Value::Object(Map::new()));
            if let Value::Object(inner) = inner {
                put(inner, rest, value);
            }
        }
    }
}
