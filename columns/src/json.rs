//! JSON as a flat list of its values: one pass over the text, nothing copied, nothing allocated twice.
//!
//! Accepts exactly what `serde_json` accepts as a `Value`, and means the same by it.
//! Source: RFC 8259.

mod scan;
mod write;

use std::borrow::Cow;

pub use scan::scan;
pub(crate) use write::{write_folded, write_json};

/// Deepest nesting of lists and objects, as in `serde_json`.
pub const DEPTH_MAX: usize = 127;

/// Why a text is no JSON; `serde_json` says where.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Malformed;

/// What a value is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// `null`.
    Null,
    /// `true`.
    True,
    /// `false`.
    False,
    /// A whole number of at most 18 digits, written as JSON writes it.
    Whole,
    /// Any other number.
    Number,
    /// A string without escapes: its text is what stands between the quotes.
    Plain,
    /// A string with escapes.
    Escaped,
    /// A list.
    Array,
    /// An object.
    Object,
}

/// A value, or the key of a member, by where it stands.
#[derive(Debug, Clone, Copy)]
pub struct Node {
    /// First byte; of strings, the one after the quote.
    start: u32,
    /// Byte after the last; of strings, the closing quote. Not set for lists and objects.
    end: u32,
    /// The node after it and all that it holds.
    next: u32,
    kind: Kind,
}

/// A text and its nodes: the root first, each key before its value, each value before the next.
#[derive(Debug, Clone, Copy)]
pub struct View<'a> {
    text: &'a str,
    nodes: &'a [Node],
}

impl<'a> View<'a> {
    /// The nodes that [`scan`] made of the text.
    pub fn new(text: &'a str, nodes: &'a [Node]) -> Self {
        Self { text, nodes }
    }

    fn node(self, at: u32) -> Node {
        self.nodes[at as usize]
    }

    /// What the value is.
    pub fn kind(self, at: u32) -> Kind {
        self.node(at).kind
    }

    /// A scalar as written; a string without its quotes.
    pub fn written(self, at: u32) -> &'a str {
        let node = self.node(at);
        self.text
            .get(node.start as usize..node.end as usize)
            .unwrap_or_default()
    }

    /// A string with its quotes.
    fn quoted(self, at: u32) -> &'a str {
        let node = self.node(at);
        self.text
            .get((node.start as usize).saturating_sub(1)..=node.end as usize)
            .unwrap_or_default()
    }

    /// The text of a string; none of anything else.
    pub fn string(self, at: u32) -> Option<Cow<'a, str>> {
        match self.kind(at) {
            Kind::Plain => Some(Cow::Borrowed(self.written(at))),
            Kind::Escaped => serde_json::from_str(self.quoted(at)).ok().map(Cow::Owned),
            _ => None,
        }
    }

    /// A string as it is, a scalar as JSON writes it, a list or object as JSON text.
    pub fn text(self, at: u32) -> Cow<'a, str> {
        match self.kind(at) {
            Kind::True | Kind::False | Kind::Whole => Cow::Borrowed(self.written(at)),
            Kind::Plain | Kind::Escaped => self.string(at).unwrap_or_default(),
            Kind::Null | Kind::Number | Kind::Array | Kind::Object => {
                let mut text = String::new();
                write_json(self, at, &mut text);
                Cow::Owned(text)
            }
        }
    }

    /// A number; none of anything else.
    pub fn number(self, at: u32) -> Option<serde_json::Number> {
        match self.kind(at) {
            Kind::Whole | Kind::Number => serde_json::from_str(self.written(at)).ok(),
            _ => None,
        }
    }

    /// The members of an object as key and value, in the order of the text; none of anything else.
    pub fn members(self, at: u32) -> impl Iterator<Item = (u32, u32)> + 'a {
        let node = self.node(at);
        let end = if node.kind == Kind::Object {
            node.next
        } else {
            0
        };
        let mut key = at + 1;
        std::iter::from_fn(move || {
            if key >= end {
                return None;
            }
            let found = (key, key + 1);
            key = self.node(key + 1).next;
            Some(found)
        })
    }

    /// The items of a list, in order; none of anything else.
    pub fn items(self, at: u32) -> impl Iterator<Item = u32> + 'a {
        let node = self.node(at);
        let end = if node.kind == Kind::Array {
            node.next
        } else {
            0
        };
        let mut item = at + 1;
        std::iter::from_fn(move || {
            if item >= end {
                return None;
            }
            let found = item;
            item = self.node(item).next;
            Some(found)
        })
    }

    /// The member of this name, in any letter case; none if it is no object or has none.
    pub(crate) fn member(self, object: u32, name: &str) -> Option<u32> {
        let mut choice = Choice::default();
        for (key, value) in self.members(object) {
            // Of a key that is written with escapes, the length tells nothing.
            let is_candidate = match self.kind(key) {
                Kind::Plain => self.written(key).eq_ignore_ascii_case(name),
                _ => self
                    .string(key)
                    .is_some_and(|key| key.eq_ignore_ascii_case(name)),
            };
            if is_candidate {
                choice.offer(self, key, value, name);
            }
        }
        choice.value()
    }
}

/// Which of the members whose names differ only in letter case is meant, and of equal ones the last.
///
/// As in [`schemas::path`]: the one that is spelled as asked for, else the first in the order of bytes.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct Choice {
    key: u32,
    /// Zero if there is none: the root is no member.
    value: u32,
}

impl Choice {
    /// A choice that is made.
    pub(crate) fn of(value: u32) -> Self {
        Self { key: 0, value }
    }

    pub(crate) fn value(self) -> Option<u32> {
        (self.value != 0).then_some(self.value)
    }

    /// Takes the member, whose key is `name` in some letter case, if it is better.
    pub(crate) fn offer(&mut self, view: View<'_>, key: u32, value: u32, name: &str) {
        let is_better = self.value == 0 || {
            let offered = view.string(key).unwrap_or_default();
            let held = view.string(self.key).unwrap_or_default();
            offered == name || (held != name && offered <= held)
        };
        if is_better {
            *self = Self { key, value };
        }
    }
}
