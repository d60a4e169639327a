//! Text with wildcards, regular expressions and encoded text as the cheapest predicate that asks the same.

use std::collections::BTreeSet;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use rsigma_parser::{SpecialChar, StringPart};

use super::modifiers::Wide;
use crate::error::RuleError;
use crate::expression::regex_text::regex;
use crate::expression::{Fold, Position, Predicate, Question};

/// What `windash` takes for one and the same.
const DASHES: [char; 5] = ['-', '/', '\u{2013}', '\u{2014}', '\u{2015}'];

/// One shape that many values of one field can share, so that they cost as one.
#[derive(Debug)]
pub(super) enum ValueShape {
    /// The whole text.
    Word(Fold, String),
    /// A part of the text.
    Inside(Fold, String),
    /// Anything else.
    Other(Predicate),
}

impl ValueShape {
    fn one(question: Question) -> Self {
        Self::Other(Predicate::One(question))
    }
}

/// Gathers the values of one field into as few questions as possible.
#[derive(Debug, Default)]
pub(super) struct GatheredValues {
    words: Vec<(Fold, BTreeSet<String>)>,
    inside: Vec<(Fold, BTreeSet<String>)>,
    others: Vec<Predicate>,
}

impl GatheredValues {
    /// Takes a value in; `may_share` if one value is enough, so that it may be asked together with others.
    pub(super) fn add(&mut self, part: ValueShape, may_share: bool) {
        let (sets, fold, word) = match part {
            ValueShape::Word(fold, word) => (&mut self.words, fold, word),
            ValueShape::Inside(fold, word) => (&mut self.inside, fold, word),
            ValueShape::Other(predicate) => return self.others.push(predicate),
        };
        match sets.last_mut() {
            Some((known, set)) if may_share && *known == fold => {
                set.insert(word);
            }
            _ => sets.push((fold, BTreeSet::from([word]))),
        }
    }

    /// The question of all values.
    pub(super) fn finish(self, is_all: bool) -> Result<Predicate, RuleError> {
        let words = self
            .words
            .into_iter()
            .map(|(fold, set)| Question::OneOf(fold, set));
        let inside = self
            .inside
            .into_iter()
            .map(|(fold, set)| Question::ContainsAny(fold, set));
        let mut all: Vec<Predicate> = words
            .chain(inside)
            .map(Predicate::One)
            .chain(self.others)
            .collect();
        match (all.len(), is_all) {
            (0, _) => Err(RuleError::Empty),
            (1, _) => all.pop().ok_or(RuleError::Empty),
            (_, true) => Ok(Predicate::All(all)),
            (_, false) => Ok(Predicate::Any(all)),
        }
    }
}

pub(super) fn widen(text: &str, wide: Option<Wide>) -> Vec<u8> {
    let Some(wide) = wide else {
        return text.as_bytes().to_vec();
    };
    let mut bytes = if wide == Wide::Marked {
        vec![0xff, 0xfe]
    } else {
        Vec::new()
    };
    for unit in text.encode_utf16() {
        bytes.extend_from_slice(&match wide {
            Wide::BigEndian => unit.to_be_bytes(),
            Wide::LittleEndian | Wide::Marked => unit.to_le_bytes(),
        });
    }
    bytes
}

/// Text as its UTF-16 looks when it is read as UTF-8, wildcards kept; none if it is not UTF-8 then.
pub(super) fn widen_parts(parts: &[StringPart], wide: Option<Wide>) -> Option<Vec<StringPart>> {
    let widened = |part: &StringPart| match part {
        StringPart::Plain(text) if wide.is_some() => {
            let text = String::from_utf8(widen(text, wide)).ok()?;
            Some(StringPart::Plain(text))
        }
        other => Some(other.clone()),
    };
    parts.iter().map(widened).collect()
}

/// The parts of a base64 text that do not depend on what stands around `bytes`, for its three alignments.
pub(super) fn offsets(bytes: &[u8]) -> Vec<String> {
    (0..3_usize)
        .filter_map(|offset| {
            let mut padded = vec![0; offset];
            padded.extend_from_slice(bytes);
            let encoded = STANDARD.encode(&padded);
            let start = (offset * 4).div_ceil(3);
            // The last character is stable only where the bytes end on a boundary of six bits.
            let end = padded.len() * 8 / 6;
            encoded
                .get(start..end)
                .filter(|part| !part.is_empty())
                .map(str::to_owned)
        })
        .collect()
}

/// The question of a text with wildcards: the cheapest form that asks the same.
pub(super) fn text_predicate(
    parts: &[StringPart],
    position: Position,
    fold: Fold,
    is_windash: bool,
) -> Result<ValueShape, RuleError> {
    let many = StringPart::Special(SpecialChar::WildcardMulti);
    let mut parts = parts.to_vec();
    if matches!(position, Position::Inside | Position::End) && parts.first() != Some(&many) {
        parts.insert(0, many.clone());
    }
    if matches!(position, Position::Inside | Position::Start) && parts.last() != Some(&many) {
        parts.push(many.clone());
    }
    let is_plain = !is_windash
        || !parts
            .iter()
            .any(|part| matches!(part, StringPart::Plain(text) if text.contains(DASHES)));
    match parts.as_slice() {
        [] => Ok(ValueShape::Word(fold, String::new())),
        [StringPart::Plain(text)] if is_plain => {
            Ok(ValueShape::Word(fold, fold.apply(text).into_owned()))
        }
        [first, StringPart::Plain(text), last] if is_plain && *first == many && *last == many => {
            let inside = fold.apply_inside(text);
            // An operation's trailing period is Microsoft's whim: a part of the name may miss it.
            let inside = if fold == Fold::Operation {
                inside.trim_end_matches('.')
            } else {
                &inside
            };
            Ok(ValueShape::Inside(fold, inside.to_owned()))
        }
        [StringPart::Plain(text), last] if is_plain && *last == many => {
            let start = fold.apply_inside(text).trim_start().to_owned();
            let start = if fold == Fold::Operation {
                start
            } else {
                fold.apply_inside(text).into_owned()
            };
            Ok(ValueShape::one(Question::StartsWith(fold, start)))
        }
        [first, StringPart::Plain(text)] if is_plain && *first == many => {
            let end = fold.apply_inside(text);
            let end = if fold == Fold::Operation {
                end.trim_end_matches([' ', '.'])
            } else {
                &end
            };
            Ok(ValueShape::one(Question::EndsWith(fold, end.to_owned())))
        }
        parts => wildcard_regex(parts, fold, is_windash)
            .map(|regex| ValueShape::one(Question::Matches(fold, regex))),
    }
}

fn wildcard_regex(parts: &[StringPart], fold: Fold, is_windash: bool) -> Result<String, RuleError> {
    let mut pattern = String::from("^");
    for part in parts {
        match part {
            StringPart::Plain(text) => {
                let text = fold.apply_inside(text);
                let mut rest = text.as_ref();
                while is_windash && let Some(at) = rest.find(DASHES) {
                    pattern.push_str(&regex::escape(&rest[..at]));
                    pattern.push_str("[-/\u{2013}\u{2014}\u{2015}]");
                    rest = &rest[rest.ceil_char_boundary(at + 1)..];
                }
                pattern.push_str(&regex::escape(rest));
            }
            StringPart::Special(SpecialChar::WildcardMulti) => pattern.push_str(".*"),
            StringPart::Special(SpecialChar::WildcardSingle) => pattern.push('.'),
        }
    }
    pattern.push('$');
    regex(&pattern, [fold != Fold::Exact, false, true])
}

#[cfg(test)]
mod tests {
    use super::offsets;

    #[test]
    fn base64_offsets_are_the_parts_that_do_not_change() {
        assert_eq!(
            offsets(b"foobar"),
            ["Zm9vYmFy", "Zvb2Jhc", "mb29iYX"].map(String::from)
        );
    }
}
