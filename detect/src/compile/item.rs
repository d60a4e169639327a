//! Sigma's modifiers and values as a [`Predicate`].
//!
//! Source: Sigma 2.1.0, appendix "modifiers"; what is not honoured is refused, never guessed.

use std::collections::HashSet;

use aho_corasick::AhoCorasick;
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use regex::{Regex, RegexBuilder};
use rsigma_parser::{DetectionItem, Modifier, SigmaString, SigmaValue, SpecialChar, StringPart};

use super::predicate::{Fold, Network, Order, Position, Predicate};
use crate::error::Refusal;

/// Largest program of a compiled regular expression, in bytes: a rule must not cost more than all others.
pub const REGEX_BYTES_MAX: usize = 1024 * 1024;

/// Longest regular expression in a rule, in bytes.
pub const REGEX_LENGTH_MAX: usize = 4096;

/// The modifiers of one field, in the roles that they play.
#[derive(Debug, Clone, Copy)]
#[expect(
    clippy::struct_excessive_bools,
    reason = "Sigma's modifiers are independent flags"
)]
struct Modifiers {
    position: Position,
    order: Option<Order>,
    is_all: bool,
    is_regex: bool,
    is_network: bool,
    is_negated: bool,
    is_cased: bool,
    is_windash: bool,
    regex_flags: [bool; 3],
    wide: Option<Wide>,
    base64: Option<Base64>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Wide {
    LittleEndian,
    BigEndian,
    Marked,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Base64 {
    Whole,
    Offsets,
}

impl Modifiers {
    fn of(list: &[Modifier]) -> Result<Self, Refusal> {
        let mut found = Self {
            position: Position::Whole,
            order: None,
            is_all: false,
            is_regex: false,
            is_network: false,
            is_negated: false,
            is_cased: false,
            is_windash: false,
            regex_flags: [false; 3],
            wide: None,
            base64: None,
        };
        let mut operators = 0;
        for modifier in list {
            operators += u8::from(found.add(*modifier)?);
        }
        let is_text = found.order.is_none() && !found.is_regex && !found.is_network;
        let is_transformed = found.wide.is_some() || found.base64.is_some() || found.is_windash;
        if operators > 1
            || (is_transformed && !is_text)
            || (found.regex_flags.contains(&true) && !found.is_regex)
            || (found.is_windash && (found.wide.is_some() || found.base64.is_some()))
        {
            return Err(Refusal::Modifiers {
                modifiers: names(list),
            });
        }
        Ok(found)
    }

    /// Takes a modifier in; true if it is an operator, of which a field may have one.
    fn add(&mut self, modifier: Modifier) -> Result<bool, Refusal> {
        match modifier {
            Modifier::Contains => self.position = Position::Inside,
            Modifier::StartsWith => self.position = Position::Start,
            Modifier::EndsWith => self.position = Position::End,
            Modifier::Gt => self.order = Some(Order::Greater),
            Modifier::Gte => self.order = Some(Order::GreaterOrEqual),
            Modifier::Lt => self.order = Some(Order::Less),
            Modifier::Lte => self.order = Some(Order::LessOrEqual),
            Modifier::Re => self.is_regex = true,
            Modifier::Cidr => self.is_network = true,
            _ => return self.add_flag(modifier).map(|()| false),
        }
        Ok(true)
    }

    fn add_flag(&mut self, modifier: Modifier) -> Result<(), Refusal> {
        match modifier {
            Modifier::All => self.is_all = true,
            Modifier::Neq => self.is_negated = true,
            Modifier::Cased => self.is_cased = true,
            Modifier::WindAsh => self.is_windash = true,
            Modifier::IgnoreCase => self.regex_flags[0] = true,
            Modifier::Multiline => self.regex_flags[1] = true,
            Modifier::DotAll => self.regex_flags[2] = true,
            Modifier::Wide => self.wide = Some(Wide::LittleEndian),
            Modifier::Utf16be => self.wide = Some(Wide::BigEndian),
            Modifier::Utf16 => self.wide = Some(Wide::Marked),
            Modifier::Base64 => self.base64 = Some(Base64::Whole),
            Modifier::Base64Offset => self.base64 = Some(Base64::Offsets),
            other => {
                return Err(Refusal::Unsupported {
                    what: format!("modifier {}", name(other)),
                });
            }
        }
        Ok(())
    }

    fn fold(&self, natural: Fold) -> Fold {
        if self.is_cased { Fold::Exact } else { natural }
    }
}

/// A modifier as rules write it.
fn name(modifier: Modifier) -> String {
    format!("{modifier:?}").to_lowercase()
}

fn names(list: &[Modifier]) -> String {
    list.iter()
        .map(|modifier| name(*modifier))
        .collect::<Vec<_>>()
        .join("|")
}

/// The predicate of a detection item on a field that folds as `natural`.
///
/// # Errors
/// [`Refusal`] if a modifier, a combination of modifiers or a value cannot be honoured.
pub fn predicate(item: &DetectionItem, natural: Fold) -> Result<Predicate, Refusal> {
    let list = &item.field.modifiers;
    if list.contains(&Modifier::Exists) {
        return exists(item);
    }
    let modifiers = Modifiers::of(list)?;
    if modifiers.is_all && item.values.len() < 2 {
        return Err(Refusal::Modifiers {
            modifiers: names(list),
        });
    }
    let mut gathered = Gathered::default();
    for value in &item.values {
        gathered.add(
            value_predicate(value, &modifiers, natural)?,
            !modifiers.is_all,
        );
    }
    let found = gathered.finish(modifiers.is_all)?;
    Ok(if modifiers.is_negated {
        Predicate::Not(Box::new(found))
    } else {
        found
    })
}

/// The predicate of keywords: any of them, or all, anywhere in the record.
///
/// # Errors
/// [`Refusal`] if a keyword is empty or null.
pub fn keywords(values: &[SigmaValue], is_all: bool) -> Result<Predicate, Refusal> {
    let mut gathered = Gathered::default();
    for value in values {
        let text = match value {
            SigmaValue::String(text) if !text.parts.is_empty() => text.clone(),
            SigmaValue::Integer(_) | SigmaValue::Float(_) | SigmaValue::Bool(_) => {
                SigmaString::from_raw(&value.to_string())
            }
            SigmaValue::String(_) | SigmaValue::Null => {
                return Err(Refusal::Value {
                    value: value.to_string(),
                });
            }
        };
        let part = text_predicate(&text.parts, Position::Inside, Fold::Lower, false)?;
        gathered.add(part, !is_all);
    }
    gathered.finish(is_all)
}

fn exists(item: &DetectionItem) -> Result<Predicate, Refusal> {
    if item.field.modifiers.len() > 1 {
        return Err(Refusal::Modifiers {
            modifiers: names(&item.field.modifiers),
        });
    }
    let expected = match item.values.as_slice() {
        [SigmaValue::Bool(expected)] => Some(*expected),
        [SigmaValue::String(text)] => match text.original.to_ascii_lowercase().as_str() {
            "true" | "yes" => Some(true),
            "false" | "no" => Some(false),
            _ => None,
        },
        _ => None,
    };
    expected
        .map(Predicate::Exists)
        .ok_or_else(|| Refusal::Value {
            value: "exists".to_owned(),
        })
}

/// One shape that many values of one field can share, so that they cost as one.
#[derive(Debug)]
enum Part {
    Word(Fold, String),
    Inside(Fold, String),
    Other(Predicate),
}

/// Gathers the values of one field into as few questions as possible.
#[derive(Debug, Default)]
struct Gathered {
    words: Vec<(Fold, HashSet<String>)>,
    inside: Vec<(Fold, Vec<String>)>,
    others: Vec<Predicate>,
}

impl Gathered {
    fn add(&mut self, part: Part, may_share: bool) {
        match part {
            Part::Word(fold, word) => match self.words.last_mut() {
                Some((last, set)) if may_share && *last == fold => {
                    set.insert(word);
                }
                _ => self.words.push((fold, HashSet::from([word]))),
            },
            Part::Inside(fold, word) => match self.inside.last_mut() {
                Some((known, words)) if may_share && *known == fold => words.push(word),
                _ => self.inside.push((fold, vec![word])),
            },
            Part::Other(predicate) => self.others.push(predicate),
        }
    }

    fn finish(mut self, is_all: bool) -> Result<Predicate, Refusal> {
        let mut all: Vec<Predicate> = Vec::new();
        all.extend(
            self.words
                .into_iter()
                .map(|(fold, set)| Predicate::OneOf(fold, set)),
        );
        for (fold, words) in self.inside {
            let automaton = AhoCorasick::new(&words).map_err(|_| Refusal::Value {
                value: words.join(", "),
            })?;
            all.push(Predicate::ContainsAny(fold, automaton));
        }
        all.append(&mut self.others);
        match (all.len(), is_all) {
            (0, _) => Err(Refusal::Empty),
            (1, _) => all.pop().ok_or(Refusal::Empty),
            (_, true) => Ok(Predicate::All(all)),
            (_, false) => Ok(Predicate::Any(all)),
        }
    }
}

fn value_predicate(
    value: &SigmaValue,
    modifiers: &Modifiers,
    natural: Fold,
) -> Result<Part, Refusal> {
    let refused = || Refusal::Value {
        value: value.to_string(),
    };
    if let Some(order) = modifiers.order {
        let number = number(value).ok_or_else(refused)?;
        return Ok(Part::Other(Predicate::Compares(order, number)));
    }
    match value {
        SigmaValue::Null => Ok(Part::Other(Predicate::Null)),
        SigmaValue::Bool(expected) => Ok(Part::Other(Predicate::Is(*expected))),
        SigmaValue::Integer(_) | SigmaValue::Float(_)
            if modifiers.position == Position::Whole
                && !modifiers.is_regex
                && !modifiers.is_network =>
        {
            let number = number(value).ok_or_else(refused)?;
            Ok(Part::Other(Predicate::Compares(Order::Equal, number)))
        }
        SigmaValue::Integer(_) | SigmaValue::Float(_) => string_predicate(
            &SigmaString::from_raw(&value.to_string()),
            modifiers,
            natural,
        ),
        SigmaValue::String(text) => string_predicate(text, modifiers, natural),
    }
}

fn number(value: &SigmaValue) -> Option<f64> {
    match value {
        #[expect(
            clippy::cast_precision_loss,
            reason = "Sigma compares numbers as doubles"
        )]
        SigmaValue::Integer(number) => Some(*number as f64),
        SigmaValue::Float(number) => Some(*number).filter(|number| number.is_finite()),
        SigmaValue::String(text) => text
            .original
            .parse()
            .ok()
            .filter(|number: &f64| number.is_finite()),
        SigmaValue::Bool(_) | SigmaValue::Null => None,
    }
}

fn string_predicate(
    text: &SigmaString,
    modifiers: &Modifiers,
    natural: Fold,
) -> Result<Part, Refusal> {
    let refused = || Refusal::Value {
        value: text.original.clone(),
    };
    if modifiers.is_regex {
        let regex = regex(&text.original, modifiers.regex_flags)?;
        return Ok(Part::Other(Predicate::Matches(Fold::Exact, regex)));
    }
    if modifiers.is_network {
        return Network::parse(&text.original)
            .map(|network| Part::Other(Predicate::In(network)))
            .ok_or_else(refused);
    }
    let fold = modifiers.fold(natural);
    let Some(encoding) = modifiers.base64.or(modifiers.wide.map(|_| Base64::Whole)) else {
        return text_predicate(&text.parts, modifiers.position, fold, modifiers.is_windash);
    };
    // Without base64, text in UTF-16 is not text in JSON: Sigma has it only before base64.
    if modifiers.base64.is_none() {
        return Err(Refusal::Unsupported {
            what: "utf16 without base64".to_owned(),
        });
    }
    let plain = text.as_plain().ok_or_else(refused)?;
    let bytes = widen(&plain, modifiers.wide);
    // Base64 is compared without letter case unless the rule says `cased`, as all of Sigma.
    match encoding {
        Base64::Whole => {
            let part = [StringPart::Plain(STANDARD.encode(bytes))];
            text_predicate(&part, modifiers.position, fold, false)
        }
        Base64::Offsets => {
            let words: Vec<String> = offsets(&bytes)
                .iter()
                .map(|word| fold.apply_inside(word).into_owned())
                .collect();
            let automaton = AhoCorasick::new(words).map_err(|_| refused())?;
            Ok(Part::Other(Predicate::ContainsAny(fold, automaton)))
        }
    }
}

fn widen(text: &str, wide: Option<Wide>) -> Vec<u8> {
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

/// The parts of a base64 text that do not depend on what stands around `bytes`, for its three alignments.
fn offsets(bytes: &[u8]) -> Vec<String> {
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

fn regex(
    pattern: &str,
    [ignores_case, is_multiline, dot_is_all]: [bool; 3],
) -> Result<Regex, Refusal> {
    if pattern.len() > REGEX_LENGTH_MAX {
        return Err(Refusal::RegexTooLong {
            bytes: pattern.len(),
        });
    }
    RegexBuilder::new(pattern)
        .case_insensitive(ignores_case)
        .multi_line(is_multiline)
        .dot_matches_new_line(dot_is_all)
        .size_limit(REGEX_BYTES_MAX)
        .build()
        .map_err(|cause| Refusal::Regex {
            cause: Box::new(cause),
        })
}

/// The question of a text with wildcards: the cheapest form that asks the same.
fn text_predicate(
    parts: &[StringPart],
    position: Position,
    fold: Fold,
    is_windash: bool,
) -> Result<Part, Refusal> {
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
            .any(|part| matches!(part, StringPart::Plain(text) if text.contains('-')));
    match parts.as_slice() {
        [] => Ok(Part::Word(fold, String::new())),
        [StringPart::Plain(text)] if is_plain => {
            Ok(Part::Word(fold, fold.apply(text).into_owned()))
        }
        [first, StringPart::Plain(text), last] if is_plain && *first == many && *last == many => {
            Ok(Part::Inside(fold, fold.apply_inside(text).into_owned()))
        }
        [StringPart::Plain(text), last] if is_plain && *last == many => {
            let start = fold.apply_inside(text).trim_start().to_owned();
            let start = if fold == Fold::Operation {
                start
            } else {
                fold.apply_inside(text).into_owned()
            };
            Ok(Part::Other(Predicate::StartsWith(fold, start)))
        }
        [first, StringPart::Plain(text)] if is_plain && *first == many => {
            let end = fold.apply_inside(text);
            let end = if fold == Fold::Operation {
                end.trim_end_matches([' ', '.'])
            } else {
                &end
            };
            Ok(Part::Other(Predicate::EndsWith(fold, end.to_owned())))
        }
        parts => wildcard_regex(parts, fold, is_windash)
            .map(|regex| Part::Other(Predicate::Matches(fold, regex))),
    }
}

fn wildcard_regex(parts: &[StringPart], fold: Fold, is_windash: bool) -> Result<Regex, Refusal> {
    let mut pattern = String::from("^");
    for part in parts {
        match part {
            StringPart::Plain(text) => {
                let escaped = regex::escape(&fold.apply_inside(text));
                pattern.push_str(&if is_windash {
                    escaped.replace("\\-", "[-/\u{2013}\u{2014}\u{2015}]")
                } else {
                    escaped
                });
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
    use super::{offsets, predicate};
    use crate::compile::predicate::{Fold, Leaf};
    use crate::error::Refusal;
    use rsigma_parser::{DetectionItem, SigmaString, SigmaValue, parse_field_spec};

    fn item(key: &str, values: &[&str]) -> DetectionItem {
        let is_raw = key.contains("|re");
        let text = |value: &&str| {
            SigmaValue::String(if is_raw {
                SigmaString::from_raw(value)
            } else {
                SigmaString::new(value)
            })
        };
        DetectionItem {
            field: parse_field_spec(key).unwrap(),
            values: values.iter().map(text).collect(),
        }
    }

    #[track_caller]
    fn check(key: &str, values: &[&str], event: &str, expected: bool) {
        let question = predicate(&item(key, values), Fold::Lower).unwrap();
        assert_eq!(
            question.holds(&[Leaf::Text(event)]),
            expected,
            "{key} {values:?} on {event:?}"
        );
    }

    #[test]
    fn matches_as_sigma_says() {
        check("f", &["Ada"], "ADA", true);
        check("f|cased", &["Ada"], "ADA", false);
        check("f", &["a*c?"], "abbcd", true);
        check("f", &["a*c?"], "abbc", false);
        check("f", &[r"a\*c"], "a*c", true);
        check("f", &[r"a\*c"], "abc", false);
        check("f", &[""], "", true);
        check("f", &["a*b"], "a\nb", true);
        check("f|contains", &["x", "Bc"], "abcd", true);
        check("f|contains|all", &["ab", "cd"], "abcd", true);
        check("f|contains|all", &["ab", "xy"], "abcd", false);
        check("f|startswith", &["AB"], "abcd", true);
        check("f|endswith", &["AB"], "abcd", false);
        check("f|re", &["^a.c$"], "abc", true);
        check("f|re", &["^a.c$"], "ABC", false);
        check("f|re|i", &["^a.c$"], "ABC", true);
        check("f|cidr", &["10.0.0.0/8"], "10.9.8.7", true);
        check("f|gte", &["5"], "7", true);
        check("f|neq", &["5"], "7", true);
        check("f|windash|contains", &["-enc"], "x /ENC y", true);
        check("f|windash|contains", &["-enc"], "x +enc y", false);
        check("f|base64|contains", &["foo"], "aaZm9vaa", true);
        check(
            "f|utf16le|base64offset|contains",
            &["ab"],
            "xxYQBiAAxx",
            true,
        );
    }

    #[test]
    fn refuses_what_it_cannot_honour() {
        for (key, value) in [
            ("f|expand", "%x%"),
            ("f|hour", "3"),
            ("f|cidr", "10.0.0.0/40"),
            ("f|re", "(a"),
            ("f|gt", "many"),
            ("f|re|contains", "a"),
            ("f|contains|i", "a"),
            ("f|wide", "a"),
            ("f|contains|all", "one"),
        ] {
            assert!(
                predicate(&item(key, &[value]), Fold::Lower).is_err(),
                "{key}"
            );
        }
        let long = "a".repeat(1_000_000);
        assert!(matches!(
            predicate(&item("f|re", &[&long]), Fold::Lower),
            Err(Refusal::RegexTooLong { .. })
        ));
        assert!(predicate(&item("f|re", &["(((a{1,99}){1,99}){1,99})"]), Fold::Lower).is_err());
    }

    #[test]
    fn base64_offsets_are_the_parts_that_do_not_change() {
        assert_eq!(
            offsets(b"foobar"),
            ["Zm9vYmFy", "Zvb2Jhc", "mb29iYX"].map(String::from)
        );
    }
}
