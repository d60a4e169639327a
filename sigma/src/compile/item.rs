//! Sigma's values as a [`Predicate`].

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use rsigma_parser::{DetectionItem, Modifier, SigmaString, SigmaValue, SpecialChar, StringPart};

use super::modifiers::{Base64, Modifiers, names};
use super::text::{GatheredValues, ValueShape, offsets, text_predicate, widen, widen_parts};
use crate::error::RuleError;
use crate::expression::regex_text::regex;
use crate::expression::{Fold, Network, Number, Order, Position, Predicate, Question};

/// The predicate of a detection item on a field that folds as `natural`.
///
/// # Errors
/// [`RuleError`] if a modifier, a combination of modifiers or a value cannot be honoured.
pub(super) fn predicate(item: &DetectionItem, natural: Fold) -> Result<Predicate, RuleError> {
    let list = &item.field.modifiers;
    if list.contains(&Modifier::Exists) {
        return exists(item);
    }
    let modifiers = Modifiers::of(list)?;
    if modifiers.is_all && item.values.len() < 2 {
        return Err(RuleError::Modifiers {
            modifiers: names(list),
        });
    }
    let mut gathered = GatheredValues::default();
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
/// [`RuleError`] if a keyword is empty or null, or a modifier asks for more than text.
pub(super) fn keywords(item: &DetectionItem) -> Result<Predicate, RuleError> {
    let list = &item.field.modifiers;
    let mut modifiers = Modifiers::of(list)?;
    if modifiers.order.is_some() || modifiers.part.is_some() || modifiers.is_negated {
        return Err(RuleError::Modifiers {
            modifiers: names(list),
        });
    }
    if modifiers.position == Position::Whole {
        modifiers.position = Position::Inside;
    }
    let mut gathered = GatheredValues::default();
    for value in &item.values {
        let part = match value {
            SigmaValue::String(text) if !text.parts.is_empty() => {
                string_predicate(text, &modifiers, Fold::Lower)?
            }
            SigmaValue::Integer(_) | SigmaValue::Float(_) | SigmaValue::Bool(_) => {
                let text = SigmaString::from_raw(&value.to_string());
                string_predicate(&text, &modifiers, Fold::Lower)?
            }
            SigmaValue::String(_) | SigmaValue::Null => {
                return Err(RuleError::Value {
                    value: value.to_string(),
                });
            }
        };
        gathered.add(part, !modifiers.is_all);
    }
    gathered.finish(modifiers.is_all)
}

fn exists(item: &DetectionItem) -> Result<Predicate, RuleError> {
    if item.field.modifiers.len() > 1 {
        return Err(RuleError::Modifiers {
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
        .map(|expected| {
            Predicate::One(if expected {
                Question::Exists
            } else {
                Question::Null
            })
        })
        .ok_or_else(|| RuleError::Value {
            value: "exists".to_owned(),
        })
}
fn value_predicate(
    value: &SigmaValue,
    modifiers: &Modifiers,
    natural: Fold,
) -> Result<ValueShape, RuleError> {
    let refused = || RuleError::Value {
        value: value.to_string(),
    };
    let order = modifiers.order.unwrap_or(Order::Equal);
    if let Some(part) = modifiers.part {
        let number = number(value).ok_or_else(refused)?;
        return Ok(one(Question::Part(part, order, number)));
    }
    if modifiers.order.is_some() {
        let number = number(value).ok_or_else(refused)?;
        return Ok(one(Question::Compares(order, number)));
    }
    match value {
        SigmaValue::Null => Ok(one(Question::Null)),
        SigmaValue::Bool(expected) => Ok(one(Question::Is(*expected))),
        SigmaValue::Integer(_) | SigmaValue::Float(_)
            if modifiers.position == Position::Whole
                && !modifiers.is_regex
                && !modifiers.is_network =>
        {
            let number = number(value).ok_or_else(refused)?;
            Ok(one(Question::Compares(Order::Equal, number)))
        }
        SigmaValue::Integer(_) | SigmaValue::Float(_) => string_predicate(
            &SigmaString::from_raw(&value.to_string()),
            modifiers,
            natural,
        ),
        SigmaValue::String(text) => string_predicate(text, modifiers, natural),
    }
}

fn one(question: Question) -> ValueShape {
    ValueShape::Other(Predicate::One(question))
}

fn number(value: &SigmaValue) -> Option<Number> {
    let number = match value {
        #[expect(
            clippy::cast_precision_loss,
            reason = "Sigma compares numbers as doubles"
        )]
        SigmaValue::Integer(number) => *number as f64,
        SigmaValue::Float(number) => *number,
        SigmaValue::String(text) => text.original.parse().ok()?,
        SigmaValue::Bool(_) | SigmaValue::Null => return None,
    };
    Number::new(number)
}

fn string_predicate(
    text: &SigmaString,
    modifiers: &Modifiers,
    natural: Fold,
) -> Result<ValueShape, RuleError> {
    let refused = || RuleError::Value {
        value: text.original.clone(),
    };
    if modifiers.is_regex {
        let regex = regex(&text.original, modifiers.regex_flags)?;
        return Ok(one(Question::Matches(Fold::Exact, regex)));
    }
    if modifiers.is_network {
        return Network::parse(&text.original)
            .map(|network| one(Question::In(network)))
            .ok_or_else(refused);
    }
    let fold = modifiers.fold(natural);
    let Some(encoding) = modifiers.base64 else {
        let parts = widen_parts(&text.parts, modifiers.wide).ok_or_else(refused)?;
        return text_predicate(&parts, modifiers.position, fold, modifiers.is_windash);
    };
    // Wildcards around what stands anywhere say nothing; within it, their encoding is not defined.
    let is_inside = encoding == Base64::Offsets || modifiers.position == Position::Inside;
    let plain = plain(&text.parts, is_inside).ok_or_else(refused)?;
    let bytes = widen(plain, modifiers.wide);
    // Base64 is compared without letter case unless the rule says `cased`, as all of Sigma.
    match encoding {
        Base64::Whole => {
            let part = [StringPart::Plain(STANDARD.encode(bytes))];
            text_predicate(&part, modifiers.position, fold, false)
        }
        Base64::Offsets => {
            let words = offsets(&bytes)
                .iter()
                .map(|word| fold.apply_inside(word).into_owned())
                .collect();
            Ok(one(Question::ContainsAny(fold, words)))
        }
    }
}

/// Text without wildcards; those around it are left out if `is_inside`.
fn plain(parts: &[StringPart], is_inside: bool) -> Option<&str> {
    let many = StringPart::Special(SpecialChar::WildcardMulti);
    match parts {
        [] => Some(""),
        [StringPart::Plain(text)] => Some(text),
        [first, rest @ ..] if is_inside && *first == many => plain(rest, is_inside),
        [rest @ .., last] if is_inside && *last == many => plain(rest, is_inside),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::predicate;
    use crate::error::RuleError;
    use crate::expression::{Fold, Leaf};
    use crate::plan::matcher::holds;
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
            holds(&question, &[Leaf::Text(event)]),
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
        check("f|windash|contains", &["/enc"], "x \u{2013}enc y", true);
        check(
            "f|base64offset|contains",
            &["*foobar*"],
            "xxZm9vYmFyxx",
            true,
        );
        check("f|wide|contains", &["a*b"], "xa\0-b\0x", true);
        check("f|hour", &["23"], "2026-11-21T23:59:07Z", true);
        check("f|hour|gte", &["8"], "2026-11-21T07:59:07Z", false);
        check("f|month|neq", &["11"], "2026-11-21T07:59:07Z", false);
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
            ("f|hour", "noon"),
            ("f|hour|day", "3"),
            ("f|hour|contains", "3"),
            ("f|base64", "a*b"),
            ("f|utf16", "a"),
            ("f|cidr", "10.0.0.0/40"),
            ("f|re", "(a"),
            ("f|gt", "many"),
            ("f|re|contains", "a"),
            ("f|contains|i", "a"),
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
            Err(RuleError::RegexTooLong { .. })
        ));
        assert!(predicate(&item("f|re", &["(((a{1,99}){1,99}){1,99})"]), Fold::Lower).is_err());
    }
}
