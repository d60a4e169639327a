//! The one pass over the text.

use super::{DEPTH_MAX, Kind, Malformed, Node};

/// Digits of a whole number that surely fits 64 bits.
const WHOLE_DIGITS_MAX: usize = 18;

/// Bytes of a number without exponent that surely fits a float.
const FLOAT_BYTES_MAX: usize = 300;

/// Puts the nodes of `text` into `nodes`, in place of what was there.
///
/// # Errors
/// [`Malformed`] if it is not JSON, nests deeper than [`DEPTH_MAX`], or has a number that no float holds.
pub fn scan(text: &str, nodes: &mut Vec<Node>) -> Result<(), Malformed> {
    nodes.clear();
    if u32::try_from(text.len()).is_err() {
        return Err(Malformed);
    }
    let mut scanner = Scanner {
        bytes: text.as_bytes(),
        at: 0,
        nodes,
    };
    scanner.skip_space();
    scanner.value(0)?;
    scanner.skip_space();
    if scanner.at == text.len() {
        Ok(())
    } else {
        Err(Malformed)
    }
}

struct Scanner<'a> {
    bytes: &'a [u8],
    at: usize,
    nodes: &'a mut Vec<Node>,
}

impl Scanner<'_> {
    fn peek(&self) -> Option<u8> {
        self.bytes.get(self.at).copied()
    }

    fn skip_space(&mut self) {
        while let Some(b' ' | b'\n' | b'\t' | b'\r') = self.peek() {
            self.at += 1;
        }
    }

    #[expect(
        clippy::cast_possible_truncation,
        reason = "scan() refuses longer texts"
    )]
    fn push(&mut self, kind: Kind, start: usize) {
        let next = self.nodes.len() as u32 + 1;
        self.nodes.push(Node {
            start: start as u32,
            end: self.at as u32,
            next,
            kind,
        });
    }

    fn value(&mut self, depth: usize) -> Result<(), Malformed> {
        match self.peek().ok_or(Malformed)? {
            b'"' => self.string(),
            b'{' => self.container(Kind::Object, depth),
            b'[' => self.container(Kind::Array, depth),
            b'-' | b'0'..=b'9' => self.number(),
            b't' => self.word(b"true", Kind::True),
            b'f' => self.word(b"false", Kind::False),
            b'n' => self.word(b"null", Kind::Null),
            _ => Err(Malformed),
        }
    }

    fn word(&mut self, word: &[u8], kind: Kind) -> Result<(), Malformed> {
        let start = self.at;
        if !self.bytes[start..].starts_with(word) {
            return Err(Malformed);
        }
        self.at += word.len();
        self.push(kind, start);
        Ok(())
    }

    #[expect(
        clippy::cast_possible_truncation,
        reason = "there are fewer nodes than bytes"
    )]
    fn container(&mut self, kind: Kind, depth: usize) -> Result<(), Malformed> {
        if depth == DEPTH_MAX {
            return Err(Malformed);
        }
        let node = self.nodes.len();
        self.push(kind, self.at);
        self.at += 1;
        let closing = if kind == Kind::Object { b'}' } else { b']' };
        self.skip_space();
        if self.peek() == Some(closing) {
            self.at += 1;
            return Ok(());
        }
        loop {
            if kind == Kind::Object {
                if self.peek() != Some(b'"') {
                    return Err(Malformed);
                }
                self.string()?;
                self.skip_space();
                if self.peek() != Some(b':') {
                    return Err(Malformed);
                }
                self.at += 1;
                self.skip_space();
            }
            self.value(depth + 1)?;
            self.skip_space();
            let after = self.peek().ok_or(Malformed)?;
            self.at += 1;
            if after == closing {
                self.nodes[node].next = self.nodes.len() as u32;
                return Ok(());
            }
            if after != b',' {
                return Err(Malformed);
            }
            self.skip_space();
        }
    }

    fn string(&mut self) -> Result<(), Malformed> {
        self.at += 1;
        let start = self.at;
        let mut kind = Kind::Plain;
        loop {
            self.at = special(self.bytes, self.at).ok_or(Malformed)?;
            match self.bytes[self.at] {
                b'"' => break,
                b'\\' => {
                    kind = Kind::Escaped;
                    self.at += 1;
                    self.escape()?;
                }
                // Control characters may not stand in a string.
                _ => return Err(Malformed),
            }
        }
        self.push(kind, start);
        self.at += 1;
        Ok(())
    }

    fn escape(&mut self) -> Result<(), Malformed> {
        let letter = self.peek().ok_or(Malformed)?;
        self.at += 1;
        match letter {
            b'"' | b'\\' | b'/' | b'b' | b'f' | b'n' | b'r' | b't' => Ok(()),
            b'u' => match self.hex()? {
                // Halves of a character beyond 16 bits come in pairs only.
                0xd800..=0xdbff => {
                    if !self.bytes[self.at..].starts_with(b"\\u") {
                        return Err(Malformed);
                    }
                    self.at += 2;
                    match self.hex()? {
                        0xdc00..=0xdfff => Ok(()),
                        _ => Err(Malformed),
                    }
                }
                0xdc00..=0xdfff => Err(Malformed),
                _ => Ok(()),
            },
            _ => Err(Malformed),
        }
    }

    fn hex(&mut self) -> Result<u32, Malformed> {
        let digits = self.bytes.get(self.at..self.at + 4).ok_or(Malformed)?;
        self.at += 4;
        digits.iter().try_fold(0, |sum, digit| {
            let digit = char::from(*digit).to_digit(16).ok_or(Malformed)?;
            Ok(sum * 16 + digit)
        })
    }

    fn digits(&mut self) -> usize {
        let start = self.at;
        while let Some(b'0'..=b'9') = self.peek() {
            self.at += 1;
        }
        self.at - start
    }

    fn number(&mut self) -> Result<(), Malformed> {
        let start = self.at;
        let is_negative = self.peek() == Some(b'-');
        self.at += usize::from(is_negative);
        let first = self.peek();
        let digits = self.digits();
        if digits == 0 || (first == Some(b'0') && digits > 1) {
            return Err(Malformed);
        }
        // JSON's -0 is a float.
        let mut is_whole =
            digits <= WHOLE_DIGITS_MAX && !(is_negative && first == Some(b'0') && digits == 1);
        if self.peek() == Some(b'.') {
            is_whole = false;
            self.at += 1;
            if self.digits() == 0 {
                return Err(Malformed);
            }
        }
        let mut is_sure = self.at - start <= FLOAT_BYTES_MAX;
        if let Some(b'e' | b'E') = self.peek() {
            (is_whole, is_sure) = (false, false);
            self.at += 1;
            if let Some(b'+' | b'-') = self.peek() {
                self.at += 1;
            }
            if self.digits() == 0 {
                return Err(Malformed);
            }
        }
        let written = &self.bytes[start..self.at];
        if !is_sure && serde_json::from_slice::<serde_json::Number>(written).is_err() {
            return Err(Malformed);
        }
        self.push(if is_whole { Kind::Whole } else { Kind::Number }, start);
        Ok(())
    }
}

const ONES: u64 = 0x0101_0101_0101_0101;
const HIGHS: u64 = 0x8080_8080_8080_8080;

/// Where the first quote, backslash or control character from `at` stands; eight bytes at a time.
///
/// Source: "Bit Twiddling Hacks", "Determine if a word has a byte less than n": exact for the lowest such byte.
fn special(bytes: &[u8], mut at: usize) -> Option<usize> {
    let zero = |word: u64| word.wrapping_sub(ONES) & !word;
    while let Some(eight) = bytes.get(at..).and_then(<[u8]>::first_chunk::<8>).copied() {
        let word = u64::from_le_bytes(eight);
        let quote = zero(word ^ (ONES * u64::from(b'"')));
        let backslash = zero(word ^ (ONES * u64::from(b'\\')));
        let control = word.wrapping_sub(ONES * 0x20) & !word;
        let found = (quote | backslash | control) & HIGHS;
        if found != 0 {
            return Some(at + (found.trailing_zeros() / 8) as usize);
        }
        at += 8;
    }
    let rest = bytes.get(at..)?;
    rest.iter()
        .position(|byte| matches!(byte, b'"' | b'\\' | 0..=0x1f))
        .map(|position| at + position)
}
