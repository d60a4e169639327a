//! The one-pass reading beside the old one, over hostile records.
#![expect(
    clippy::print_stdout,
    reason = "test code: seeds and counts are printed"
)]

use rand::seq::IndexedRandom as _;
use rand::{Rng as _, SeedableRng as _};
use rand_chacha::ChaCha8Rng;
use schemas::tables::{Kind, Table};
use serde_json::Value;

use super::same::same;
use crate::json::DEPTH_MAX;

/// JSON that a tenant might send, and what is nearly JSON.
struct Hostile {
    random: ChaCha8Rng,
    keys: Vec<String>,
    /// Whether the record that is being made may be no JSON.
    may_be_broken: bool,
}

const NUMBERS: &[&str] = &[
    "0",
    "-0",
    "1",
    "-7",
    "50126",
    "1e5",
    "1E400",
    "-1e999",
    "1e-400",
    "1.0",
    "3.5",
    "0.1",
    "01",
    "1.",
    "-",
    ".5",
    "1e",
    "1e+",
    "+1",
    "NaN",
    "2e308",
    "1.7976931348623157e308",
    "0.0e9999999999",
    "999999999999999999",
    "-999999999999999999",
    "1000000000000000000",
    "9223372036854775807",
    "-9223372036854775808",
    "9223372036854775808",
    "18446744073709551615",
    "18446744073709551616",
    "123456789012345678901234567890",
    "0.30000000000000004",
    "1E+2",
    "9007199254740993.0",
];

const TEXTS: &[&str] = &[
    "",
    "x",
    " ",
    "0",
    "20",
    "1156492.00",
    "true",
    "False",
    "yes",
    "null",
    "10.0.0.1:443",
    "[::ffff:10.0.0.1]:1",
    "2026-01-01T00:00:00Z",
    "0001-01-01T00:00:00Z",
    "8/22/2022 6:07:16 PM",
    "é",
    "日本",
    "😀",
    "\\u0041b",
    "\\ud83d\\ude00",
    "\\ud83d",
    "\\ude00x",
    "\\ud83d\\u0041",
    "\\u00",
    "\\x",
    "\\/",
    "\\n\\t\\b\\f\\r",
    "\\u0000",
    "\\u001F",
    "\u{7f}",
    "a\\\"b",
    "\\\\",
    "\u{1}",
    "\n",
    "{",
    "[",
    "[]",
    "{}",
    " [1]",
    "abcdefghijklmnopqrstuvwxyz0123456789",
];

impl Hostile {
    fn new(seed: u64) -> Self {
        let mut keys: Vec<String> = Table::EVENTS
            .iter()
            .flat_map(|table| table.record_columns())
            .flat_map(|column| column.paths)
            .flat_map(|path| path.split(['.', '[', ']']))
            .filter(|piece| !piece.is_empty())
            .map(str::to_owned)
            .collect();
        for more in [
            "Name",
            "Value",
            "displayName",
            "key",
            "newValue",
            "oldValue",
        ] {
            keys.extend(std::iter::repeat_n(more.to_owned(), 30));
        }
        Self {
            random: ChaCha8Rng::seed_from_u64(seed),
            keys,
            may_be_broken: false,
        }
    }

    fn pick(&mut self, from: &[&str]) -> String {
        from.choose(&mut self.random)
            .copied()
            .unwrap_or_default()
            .to_owned()
    }

    /// One of `from`, of those that can stand in JSON if the record has to be JSON.
    fn scalar(&mut self, from: &[&str], quote: &str) -> String {
        loop {
            let written = format!("{quote}{}{quote}", self.pick(from));
            if self.may_be_broken || serde_json::from_str::<Value>(&written).is_ok() {
                return written;
            }
        }
    }

    fn key(&mut self) -> String {
        let key = self
            .keys
            .choose(&mut self.random)
            .cloned()
            .unwrap_or_default();
        match self.random.random_range(0..12) {
            0 => key.to_ascii_uppercase(),
            1 => key.to_ascii_lowercase(),
            2 => format!("\\u{:04x}{}", u32::from(key.as_bytes()[0]), &key[1..]),
            3 => self.scalar(TEXTS, "\"").trim_matches('"').replace('"', ""),
            _ => key,
        }
    }

    fn space(&mut self) -> &'static str {
        match self.random.random_range(0..40) {
            0 => " \n",
            1 => "\t\r ",
            2 if self.may_be_broken => "\u{b}",
            _ => "",
        }
    }

    fn value(&mut self, depth: usize) -> String {
        let kinds = if depth == 0 { 8 } else { 16 };
        match self.random.random_range(0..kinds) {
            0 => "null".to_owned(),
            1 => self.scalar(&["true", "false", "tru", "True"], ""),
            2 | 3 => self.scalar(NUMBERS, ""),
            4..8 => self.scalar(TEXTS, "\""),
            8 => {
                let inside = self.value(depth - 1);
                serde_json::to_string(&inside).unwrap()
            }
            9 => self.list(depth, Self::value),
            10 => self.list(depth, Self::pair),
            _ => self.object(depth),
        }
    }

    fn list(&mut self, depth: usize, mut item: impl FnMut(&mut Self, usize) -> String) -> String {
        let items: Vec<String> = (0..self.random.random_range(0..5))
            .map(|_| item(self, depth - 1))
            .collect();
        format!("[{}{}]", self.space(), items.join(","))
    }

    fn pair(&mut self, depth: usize) -> String {
        let name = self.pick(&["Name", "displayName", "key", "name"]);
        let key = self.key();
        let held = self.pick(&[
            "Value", "newValue", "NewValue", "oldValue", "value", "other",
        ]);
        let (value, more) = (self.value(depth), self.value(0));
        let held_too = self.pick(&["oldValue", "Value", "Type"]);
        format!(r#"{{"{name}":"{key}","{held}":{value},"{held_too}":{more}}}"#)
    }

    fn object(&mut self, depth: usize) -> String {
        let mut members = Vec::new();
        for _ in 0..self.random.random_range(0..10) {
            let key = self.key();
            let value = self.value(depth - 1);
            members.push(format!("{}\"{key}\"{}:{value}", self.space(), self.space()));
        }
        format!("{{{}}}", members.join(","))
    }

    fn record(&mut self) -> String {
        self.may_be_broken = self.random.random_range(0..4) == 0;
        let mut text = match self.random.random_range(0..8) {
            0 => self.value(4),
            _ => self.object(5),
        };
        if self.may_be_broken && !text.is_empty() {
            let mut bytes = text.into_bytes();
            let at = self.random.random_range(0..bytes.len());
            match self.random.random_range(0..3) {
                0 => bytes.truncate(at),
                1 => bytes[at] = self.random.random(),
                _ => bytes.insert(at, self.random.random()),
            }
            text = String::from_utf8_lossy(&bytes).into_owned();
        }
        text
    }
}

#[test]
fn hostile_records_read_as_before() {
    let (mut are_json, count) = (0, 20_000);
    let mut hostile = Hostile::new(4);
    for _ in 0..count {
        let record = hostile.record();
        let table = Table::EVENTS
            .choose(&mut hostile.random)
            .copied()
            .unwrap_or(Table::Signins);
        are_json += usize::from(same(table, &record));
    }
    println!("{count} records of seed 4, {are_json} of them JSON, no difference");
    assert!(are_json > 10_000, "only {are_json} were JSON");
}

#[test]
fn nesting_is_bounded_as_before() {
    for depth in [1, DEPTH_MAX - 1, DEPTH_MAX, DEPTH_MAX + 1, 10_000] {
        for (open, close) in [("[", "]"), (r#"{"properties":"#, "}")] {
            let text = format!("{}1{}", open.repeat(depth), close.repeat(depth));
            assert_eq!(
                same(Table::AzureActivity, &text),
                depth <= DEPTH_MAX,
                "{depth}"
            );
            same(Table::AzureActivity, &open.repeat(depth));
        }
    }
}

#[test]
fn every_short_text_reads_as_before() {
    const LETTERS: &[u8] = b"{}[]\",:1-.e\\u0t ";
    for length in 0..5_u32 {
        for number in 0..LETTERS.len().pow(length) {
            let text: String = (0..length)
                .map(|place| char::from(LETTERS[number / LETTERS.len().pow(place) % LETTERS.len()]))
                .collect();
            same(Table::Provisioning, &text);
        }
    }
}

#[test]
fn paths_are_of_the_forms_that_are_followed_together() {
    for table in Table::EVENTS {
        let mut spellings: Vec<&str> = Vec::new();
        for column in table.record_columns() {
            for path in column.paths {
                if let Some((_, after)) = path.split_once("[]") {
                    assert_eq!((after, column.kind), ("", Kind::Json), "{table}: {path}");
                }
                let ends = path.match_indices(['.', '[']).map(|(end, _)| end);
                spellings.extend(ends.chain([path.len()]).map(|end| &path[..end]));
            }
        }
        for one in &spellings {
            for other in &spellings {
                let differ = one != other && one.eq_ignore_ascii_case(other);
                assert!(!differ, "{table}: {one} and {other} differ in case only");
            }
        }
    }
}
