//! Cuts a stream of bytes into records, keeps the good ones and names what is wrong with the others.
//!
//! Reads JSON lines, single documents, documents one after another, lists, `{"records":[…]}` and Graph's
//! `{"value":[…]}`. It looks at brackets and texts only, one byte at a time and without recursion, so that no
//! nesting and no length can overflow anything; whether a record is JSON is decided by its reader. Pure.

use schemas::dead_letter::Reason;
use serde::de::IgnoredAny;
use serde_json::{Map, Value};

use super::layout::{BYTE_ORDER_MARK, Layout};
use super::pages::{is_around, is_list};

/// Most bytes of one piece that are held; a longer one is handed on in several pieces, all of them bad.
pub(crate) const PIECE_BYTES_MAX: usize = 64 * 1024 * 1024;

/// Deepest nesting whose kinds of brackets are told apart; deeper ones are only counted.
const KINDS_MAX: usize = 1_024;

/// What was cut out of the stream.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Piece {
    /// An object with balanced brackets.
    Object(Vec<u8>),
    /// A row of a table as it came, and as an object by the names of its columns.
    Row {
        row: Vec<u8>,
        object: Vec<u8>,
        /// Why it becomes a letter if it is nothing known.
        reason: Reason,
    },
    /// Bytes that cannot become a record.
    Bad(Reason, Vec<u8>),
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum State {
    /// Between records.
    Between,
    /// Inside an object that may be a record.
    Object,
    /// Inside something else, up to the end of the line or of the item.
    Junk,
    /// After the list of an envelope, up to the envelope's end.
    Tail,
}

/// Where in a text a byte stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Text {
    Outside,
    Inside,
    /// After a backslash.
    Escaped,
}

/// Cuts bytes that come in chunks.
#[derive(Debug)]
pub(crate) struct Splitter {
    layout: Layout,
    state: State,
    /// The current piece.
    pending: Vec<u8>,
    /// Open brackets of the current piece: true for an object.
    kinds: Vec<bool>,
    depth: usize,
    text: Text,
    /// Last byte of the current piece that is no white space.
    last: u8,
    /// True if a line ended since `last`.
    is_line_start: bool,
    /// True if part of the current piece has been handed on already.
    is_overlong: bool,
    /// Open lists around the current piece: true for the list of an envelope.
    lists: Vec<bool>,
    /// While the piece may be an envelope: where in `pending` its latest name stands.
    envelope: Option<std::ops::Range<usize>>,
    bytes_read: u64,
    /// Members before the list of the current envelope.
    head: Map<String, Value>,
    /// Objects of its list.
    listed: u64,
    /// What envelopes say of their own wholeness.
    notes: Vec<String>,
}

/// Most notes that are kept.
const NOTES_MAX: usize = 20;

impl Splitter {
    /// A splitter for bytes of this layout.
    pub(crate) fn new(layout: Layout) -> Self {
        Self {
            layout,
            state: State::Between,
            pending: Vec::new(),
            kinds: Vec::new(),
            depth: 0,
            text: Text::Outside,
            last: 0,
            is_line_start: false,
            is_overlong: false,
            lists: Vec::new(),
            envelope: None,
            bytes_read: 0,
            head: Map::new(),
            listed: 0,
            notes: Vec::new(),
        }
    }

    /// Takes the next bytes; pieces that they complete are appended to `pieces`.
    pub(crate) fn push(&mut self, bytes: &[u8], pieces: &mut Vec<Piece>) {
        let mut bytes = bytes;
        if self.bytes_read == 0 {
            bytes = bytes.strip_prefix(BYTE_ORDER_MARK).unwrap_or(bytes);
        }
        self.bytes_read += bytes.len() as u64;
        if self.layout == Layout::Other {
            self.pending.extend_from_slice(bytes);
            self.hand_on_overlong(pieces);
            return;
        }
        let mut at = 0;
        while at < bytes.len() {
            at += self.step(&bytes[at..], pieces);
            self.hand_on_overlong(pieces);
        }
    }

    /// Ends the stream; what is unfinished is handed on as it is. Gives what envelopes say of their own wholeness.
    pub(crate) fn finish(mut self, pieces: &mut Vec<Piece>) -> Vec<String> {
        let is_cut = !self.lists.is_empty();
        match self.state {
            // Of an envelope's tail too, what came is kept.
            State::Object | State::Tail => self.end_bad(Reason::Truncated, pieces),
            State::Junk => self.end_junk(pieces),
            State::Between if self.layout == Layout::Other => {
                if !self.pending.trim_ascii().is_empty() || self.is_overlong {
                    let reason = reason_of_other(&self.pending);
                    self.end_bad(reason, pieces);
                }
            }
            // A list without its end: nothing is at hand, but something may be missing.
            State::Between if is_cut => pieces.push(Piece::Bad(Reason::Truncated, Vec::new())),
            State::Between => {}
        }
        self.notes
    }

    /// Reads at least one byte and says how many.
    fn step(&mut self, bytes: &[u8], pieces: &mut Vec<Piece>) -> usize {
        let byte = bytes[0];
        if byte == b'\n' && self.ends_at_line(pieces) {
            return 1;
        }
        match self.state {
            State::Between => self.between(byte),
            State::Junk => self.junk(byte, pieces),
            State::Object | State::Tail => return self.inside(bytes, pieces),
        }
        1
    }

    /// True if the end of a line is the end of the current piece.
    fn ends_at_line(&mut self, pieces: &mut Vec<Piece>) -> bool {
        let is_lines = self.layout == Layout::Lines;
        match self.state {
            State::Junk => self.end_junk(pieces),
            State::Object if is_lines => self.end_bad(Reason::Truncated, pieces),
            // No JSON text holds a raw line end, so the text was cut.
            State::Object if self.text != Text::Outside => self.end_bad(Reason::Truncated, pieces),
            State::Tail if is_lines || self.text != Text::Outside => {
                self.end_bad(Reason::Truncated, pieces);
            }
            State::Between => {}
            State::Object | State::Tail => return false,
        }
        if is_lines && !self.lists.is_empty() {
            // The next line is a document of its own; this one has lost its end.
            self.lists.clear();
            pieces.push(Piece::Bad(Reason::Truncated, Vec::new()));
        }
        true
    }

    fn between(&mut self, byte: u8) {
        match byte {
            // The last three are a mark of the encoding, where files were joined.
            b' ' | b'\t' | b'\r' | b'\n' | b',' | 0xef | 0xbb | 0xbf => {}
            b'[' if self.lists.is_empty() => self.lists.push(false),
            b']' if !self.lists.is_empty() => {
                let was_envelope = self.lists.pop().unwrap_or(false);
                if was_envelope {
                    self.start(State::Tail);
                    self.open(true);
                    self.last = b']';
                }
            }
            b'{' => {
                self.start(State::Object);
                self.envelope = self.lists.is_empty().then_some(0..0);
                self.pending.push(byte);
                self.open(true);
                self.last = byte;
            }
            _ => {
                self.start(State::Junk);
                if byte == b'"' {
                    self.text = Text::Inside;
                } else if byte == b'[' {
                    self.depth = 1;
                }
                self.pending.push(byte);
            }
        }
    }

    fn junk(&mut self, byte: u8, pieces: &mut Vec<Piece>) {
        let is_outside = self.text == Text::Outside;
        if is_outside && matches!(byte, b',' | b']') && self.depth == 0 && !self.lists.is_empty() {
            self.end_junk(pieces);
            self.between(byte);
            return;
        }
        match byte {
            b'[' | b'{' if is_outside => self.depth += 1,
            b']' | b'}' if is_outside => self.depth = self.depth.saturating_sub(1),
            _ => {}
        }
        self.text = match (self.text, byte) {
            (Text::Outside, b'"') | (Text::Escaped, _) => Text::Inside,
            (Text::Inside, b'\\') => Text::Escaped,
            (Text::Inside, b'"') => Text::Outside,
            (text, _) => text,
        };
        self.pending.push(byte);
    }

    /// Inside an object or an envelope's tail.
    fn inside(&mut self, bytes: &[u8], pieces: &mut Vec<Piece>) -> usize {
        if self.text != Text::Outside {
            return self.inside_text(bytes);
        }
        let byte = bytes[0];
        match byte {
            b'\n' => self.is_line_start = true,
            b'{' | b'[' if self.begins_anew(byte) => {
                self.end_bad(Reason::Truncated, pieces);
                self.between(byte);
                return 1;
            }
            b'[' if self.opens_envelope() => {
                let head = [self.pending.as_slice(), b"null}"].concat();
                self.head = serde_json::from_slice(&head).unwrap_or_default();
                self.listed = 0;
                self.start_between();
                self.lists.push(true);
                return 1;
            }
            _ => {}
        }
        self.pending.push(byte);
        if byte.is_ascii_whitespace() {
            return 1;
        }
        match byte {
            b'{' | b'[' => self.open(byte == b'{'),
            b'}' | b']' => {
                self.close();
                if self.depth == 0 {
                    self.end_whole(pieces);
                    return 1;
                }
            }
            b'"' => {
                self.text = Text::Inside;
                let start = self.pending.len();
                if self.depth == 1
                    && matches!(self.last, b'{' | b',')
                    && let Some(name) = &mut self.envelope
                {
                    *name = start..start;
                }
            }
            _ => {}
        }
        self.last = byte;
        self.is_line_start = false;
        1
    }

    /// Inside a text: takes what is plain at once.
    fn inside_text(&mut self, bytes: &[u8]) -> usize {
        if self.text == Text::Escaped {
            self.text = Text::Inside;
            self.pending.push(bytes[0]);
            return 1;
        }
        let plain = bytes
            .iter()
            .position(|byte| matches!(byte, b'"' | b'\\' | b'\n'))
            .unwrap_or(bytes.len());
        if plain > 0 {
            self.pending.extend_from_slice(&bytes[..plain]);
            return plain;
        }
        if bytes[0] == b'"' {
            self.text = Text::Outside;
            self.last = b'"';
            self.end_name();
        } else {
            self.text = Text::Escaped;
        }
        self.pending.push(bytes[0]);
        1
    }

    /// An envelope has members that say something of the list, and its list.
    fn end_name(&mut self) {
        let Some(range) = &mut self.envelope else {
            return;
        };
        if range.start != range.end || range.start == 0 {
            return;
        }
        range.end = self.pending.len();
        let name = &self.pending[range.clone()];
        if !is_around(name) && !is_list(name) {
            self.envelope = None;
        }
    }

    /// The latest name of what may be an envelope.
    fn name(&self) -> &[u8] {
        let range = self.envelope.clone().unwrap_or_default();
        self.pending.get(range).unwrap_or_default()
    }

    fn opens_envelope(&self) -> bool {
        self.state == State::Object && self.depth == 1 && self.last == b':' && is_list(self.name())
    }

    /// True if a bracket cannot belong to the current object but begins the next one.
    fn begins_anew(&self, byte: u8) -> bool {
        let is_expected = match self.last {
            b'[' | b':' => true,
            // After a comma an object has a name, a list may have anything.
            b',' => self.kinds.last() != Some(&true) || self.depth > KINDS_MAX,
            _ => false,
        };
        byte == b'{' && self.is_line_start && !is_expected
    }

    fn open(&mut self, is_object: bool) {
        self.depth += 1;
        if self.depth <= KINDS_MAX {
            self.kinds.push(is_object);
        }
    }

    fn close(&mut self) {
        if self.depth <= KINDS_MAX {
            self.kinds.pop();
        }
        self.depth = self.depth.saturating_sub(1);
    }

    fn start(&mut self, state: State) {
        self.state = state;
        self.pending.clear();
        self.kinds.clear();
        self.depth = 0;
        self.text = Text::Outside;
        self.last = 0;
        self.is_line_start = false;
        self.is_overlong = false;
        self.envelope = None;
    }

    fn start_between(&mut self) {
        self.start(State::Between);
    }

    fn end_whole(&mut self, pieces: &mut Vec<Piece>) {
        let pending = std::mem::take(&mut self.pending);
        let is_tail = self.state == State::Tail;
        let is_overlong = self.is_overlong;
        self.start_between();
        if is_tail {
            let members = pending.trim_ascii();
            let members = members.strip_prefix(b",").unwrap_or(members);
            self.note(&[b"{", members].concat());
            // What stands beside the list is kept unless it says something of the list.
            if is_overlong || says_something(&pending) {
                pieces.push(Piece::Bad(Reason::NotARecord, pending));
            }
        } else if is_overlong {
            pieces.push(Piece::Bad(Reason::TooLarge, pending));
        } else {
            self.listed += u64::from(self.lists.last() == Some(&true));
            pieces.push(Piece::Object(pending));
        }
    }

    /// Keeps what the members around a list say of its wholeness; `tail` is what stands behind it.
    fn note(&mut self, tail: &[u8]) {
        let mut around = std::mem::take(&mut self.head);
        let tail = serde_json::from_slice::<Map<String, Value>>(tail);
        around.extend(tail.unwrap_or_default());
        let mut said = super::pages::notes(&around, self.listed);
        self.notes.append(&mut said);
        self.notes.truncate(NOTES_MAX);
    }

    fn end_bad(&mut self, reason: Reason, pieces: &mut Vec<Piece>) {
        let pending = std::mem::take(&mut self.pending);
        let reason = if self.is_overlong {
            Reason::TooLarge
        } else {
            reason
        };
        self.start_between();
        pieces.push(Piece::Bad(reason, pending));
    }

    fn end_junk(&mut self, pieces: &mut Vec<Piece>) {
        let is_item =
            !self.lists.is_empty() && serde_json::from_slice::<IgnoredAny>(&self.pending).is_ok();
        let reason = if is_item {
            Reason::NotARecord
        } else {
            Reason::NotJson
        };
        let is_stray = matches!(self.pending.trim_ascii(), b"]" | b"}" | b"");
        if is_stray && !self.is_overlong {
            self.start_between();
            return;
        }
        self.end_bad(reason, pieces);
    }

    fn hand_on_overlong(&mut self, pieces: &mut Vec<Piece>) {
        if self.pending.len() < PIECE_BYTES_MAX {
            return;
        }
        self.is_overlong = true;
        self.envelope = None;
        pieces.push(Piece::Bad(
            Reason::TooLarge,
            std::mem::take(&mut self.pending),
        ));
    }
}

/// True if what stands behind the list of an envelope has anything but what says something of the list.
fn says_something(tail: &[u8]) -> bool {
    let members = tail.trim_ascii();
    let members = members.strip_prefix(b",").unwrap_or(members);
    let object = [b"{", members].concat();
    serde_json::from_slice::<Map<String, Value>>(&object).map_or(true, |members| {
        members.keys().any(|name| !is_around(name.as_bytes()))
    })
}

/// What bytes are that are no JSON at all.
fn reason_of_other(bytes: &[u8]) -> Reason {
    if bytes.trim_ascii_start().starts_with(b"<") {
        Reason::NotTheFormat
    } else if std::str::from_utf8(bytes).is_err() {
        Reason::NotUtf8
    } else {
        Reason::NotJson
    }
}

#[cfg(test)]
mod tests;
