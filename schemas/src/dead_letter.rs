//! Why bytes could not become an event, or a notice could not be delivered: a closed set, so that each can be counted and explained.

use std::str::FromStr;

use crate::ids;
use crate::limits::DEAD_LETTER_PART_BYTES_MAX;
use crate::wire::DeadLetter;
use crate::word::{self, UnknownWord};

/// Why bytes could not become an event, or a notice could not be delivered.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Reason {
    /// Not JSON.
    NotJson,
    /// JSON that ends in its middle.
    Truncated,
    /// Not UTF-8.
    NotUtf8,
    /// JSON, but not an object where a record is expected.
    NotARecord,
    /// Longer than [`crate::limits::RECORD_BYTES_MAX`].
    TooLarge,
    /// Nested deeper than [`crate::limits::JSON_DEPTH_MAX`].
    TooDeep,
    /// A page, blob or file that is something else, for example HTML.
    NotTheFormat,
    /// A notice that a destination will never take.
    Refused,
    /// A notice that a destination did not take again and again, while it took others.
    KeptFailing,
}

impl Reason {
    /// Every reason.
    pub const ALL: &'static [Self] = &[
        Self::NotJson,
        Self::Truncated,
        Self::NotUtf8,
        Self::NotARecord,
        Self::TooLarge,
        Self::TooDeep,
        Self::NotTheFormat,
        Self::Refused,
        Self::KeptFailing,
    ];

    /// The word on the wire and in metrics.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::NotJson => "not_json",
            Self::Truncated => "truncated",
            Self::NotUtf8 => "not_utf8",
            Self::NotARecord => "not_a_record",
            Self::TooLarge => "too_large",
            Self::TooDeep => "too_deep",
            Self::NotTheFormat => "not_the_format",
            Self::Refused => "refused",
            Self::KeptFailing => "kept_failing",
        }
    }

    /// What it means, for a person.
    pub const fn explain(self) -> &'static str {
        match self {
            Self::NotJson => "bytes that are no JSON",
            Self::Truncated => "the end is missing",
            Self::NotUtf8 => "bytes that are no UTF-8",
            Self::NotARecord => "no record where one is expected",
            Self::TooLarge => "longer than a record may be",
            Self::TooDeep => "nested deeper than a record may be",
            Self::NotTheFormat => "a page or file of another format",
            Self::Refused => "a notice that its destination will never take",
            Self::KeptFailing => "a notice that its destination did not take, again and again",
        }
    }
}

impl FromStr for Reason {
    type Err = UnknownWord;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        word::find("reason of a dead letter", Self::ALL, Self::as_str, text)
    }
}

/// What is known about bytes that could not become an event.
#[derive(Debug, Clone, Copy)]
pub struct Letter<'a> {
    /// The tenant whose source it came from.
    pub tenant_id: &'a str,
    /// The connector.
    pub source: &'a str,
    /// Where in the source it stood.
    pub position: &'a str,
    /// Why.
    pub reason: Reason,
    /// What was found, for a person.
    pub detail: &'a str,
    /// When it was read, in microseconds since the Unix epoch, UTC.
    pub ingest_time_us: i64,
    /// The bytes, whole.
    pub raw: &'a [u8],
}

impl Letter<'_> {
    /// The letter as messages, in parts where it is large, so that no byte is lost.
    pub fn into_parts(self) -> Vec<DeadLetter> {
        let id = ids::hash(&[
            self.tenant_id.as_bytes(),
            self.source.as_bytes(),
            self.position.as_bytes(),
            self.raw,
        ]);
        let parts = self.raw.len().div_ceil(DEAD_LETTER_PART_BYTES_MAX).max(1);
        (0..parts)
            .map(|part| {
                let start = part * DEAD_LETTER_PART_BYTES_MAX;
                let end = (start + DEAD_LETTER_PART_BYTES_MAX).min(self.raw.len());
                DeadLetter {
                    id: format!("{id:032x}"),
                    tenant_id: self.tenant_id.to_owned(),
                    source: self.source.to_owned(),
                    position: self.position.to_owned(),
                    reason: self.reason.as_str().to_owned(),
                    detail: self.detail.to_owned(),
                    ingest_time_us: self.ingest_time_us,
                    raw: self.raw[start..end].to_vec().into(),
                    part: u32::try_from(part).unwrap_or(u32::MAX),
                    parts: u32::try_from(parts).unwrap_or(u32::MAX),
                }
            })
            .collect()
    }
}

#[cfg(test)]
mod tests {
    use super::{DEAD_LETTER_PART_BYTES_MAX, Letter, Reason};

    #[test]
    fn a_large_letter_keeps_every_byte_in_parts() {
        let raw = vec![7_u8; DEAD_LETTER_PART_BYTES_MAX + 3];
        let letter = Letter {
            tenant_id: "t",
            source: "files",
            position: "a#1",
            reason: Reason::TooLarge,
            detail: "",
            ingest_time_us: 0,
            raw: &raw,
        };
        let parts = letter.into_parts();
        assert_eq!(parts.len(), 2);
        assert_eq!(
            parts.iter().map(|part| part.raw.len()).sum::<usize>(),
            raw.len()
        );
        assert_eq!(parts[0].id, parts[1].id);
    }
}
