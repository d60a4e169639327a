//! Placeholders: `%name%` in a value with `expand` stands for the values that the caller has for the name.
//!
//! A name without values is refused by its name: a rule that looks for the word "%admins%" would never match.

use std::collections::BTreeMap;

use rsigma_parser::{DetectionItem, Detections, Modifier, SigmaString, SigmaValue};

use crate::refusal::Refusal;
use crate::rewrite::{self, Change};

/// Most values that one value with placeholders may stand for.
pub const VALUES_MAX: usize = 10_000;

/// Values for names of placeholders; `*` and `?` in them are wildcards, as in rules.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Placeholders(pub BTreeMap<String, Vec<String>>);

/// A piece of a value.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Piece<'a> {
    /// Text as it is.
    Text(&'a str),
    /// The name of a placeholder.
    Name(&'a str),
}

impl Placeholders {
    /// Replaces every value with `expand` by what it stands for.
    ///
    /// # Errors
    /// [`Refusal::Placeholder`] if a name has no values, [`Refusal::TooManyValues`] if there are too many.
    pub fn expand(&self, detections: &Detections) -> Result<Detections, Refusal> {
        let mut detections = detections.clone();
        rewrite::items(&mut detections, &mut |item| {
            let is_expanded = item.field.modifiers.contains(&Modifier::Expand);
            Ok(Change::Keep(if is_expanded {
                self.item(&item).map_err(|refusal| refusal.of_item(&item))?
            } else {
                item
            }))
        })?;
        Ok(detections)
    }

    pub(crate) fn item(&self, item: &DetectionItem) -> Result<DetectionItem, Refusal> {
        let mut expanded = item.clone();
        expanded.values.clear();
        expanded
            .field
            .modifiers
            .retain(|modifier| *modifier != Modifier::Expand);
        let is_regex = expanded.field.modifiers.contains(&Modifier::Re);
        for value in &item.values {
            match value {
                SigmaValue::String(text) => {
                    let texts = self.texts(&text.original, is_regex)?;
                    let values = texts.iter().map(|text| {
                        SigmaValue::String(if is_regex {
                            SigmaString::from_raw(text)
                        } else {
                            SigmaString::new(text)
                        })
                    });
                    expanded.values.extend(values);
                }
                other => expanded.values.push(other.clone()),
            }
        }
        Ok(expanded)
    }

    fn texts(&self, text: &str, is_regex: bool) -> Result<Vec<String>, Refusal> {
        let mut texts = vec![String::new()];
        for piece in pieces(text) {
            match piece {
                Piece::Text(text) => texts.iter_mut().for_each(|known| known.push_str(text)),
                Piece::Name(name) => {
                    let values = self.values(name)?;
                    if texts.len().saturating_mul(values.len()) > VALUES_MAX {
                        return Err(Refusal::TooManyValues { limit: VALUES_MAX });
                    }
                    let with = |value: &String| {
                        let value = if is_regex {
                            in_regex(value)
                        } else {
                            value.clone()
                        };
                        texts
                            .iter()
                            .map(move |known| format!("{known}{value}"))
                            .collect::<Vec<_>>()
                    };
                    texts = values.iter().flat_map(with).collect();
                }
            }
        }
        Ok(texts)
    }

    fn values(&self, name: &str) -> Result<&[String], Refusal> {
        self.0
            .get(name)
            .map(Vec::as_slice)
            .filter(|values| !values.is_empty())
            .ok_or_else(|| Refusal::Placeholder {
                name: name.to_owned(),
            })
    }
}

/// Splits a value at its placeholders; `\%` is a percent sign, and so is one that no second closes.
pub(crate) fn pieces(text: &str) -> Vec<Piece<'_>> {
    let mut pieces = Vec::new();
    let mut rest = text;
    while let Some(at) = rest.find('%') {
        let (before, after) = (&rest[..at], &rest[at + 1..]);
        if let Some(before) = before.strip_suffix('\\') {
            pieces.push(Piece::Text(before));
            pieces.push(Piece::Text("%"));
            rest = after;
            continue;
        }
        let name = after.split('%').next().filter(|name| {
            let is_closed = after.len() > name.len();
            let is_name =
                |character: char| character.is_alphanumeric() || "_-.".contains(character);
            is_closed && !name.is_empty() && name.chars().all(is_name)
        });
        pieces.push(Piece::Text(before));
        if let Some(name) = name {
            pieces.push(Piece::Name(name));
            rest = &after[name.len() + 1..];
        } else {
            pieces.push(Piece::Text("%"));
            rest = after;
        }
    }
    pieces.push(Piece::Text(rest));
    pieces.retain(|piece| *piece != Piece::Text(""));
    pieces
}

/// A value with wildcards as a part of a regular expression.
fn in_regex(value: &str) -> String {
    let escaped = regex::escape(value);
    escaped.replace("\\*", ".*").replace("\\?", ".")
}

#[cfg(test)]
mod tests {
    use super::{Piece, Placeholders, pieces};
    use crate::refusal::Refusal;
    use rsigma_parser::parse_sigma_yaml;

    fn known() -> Placeholders {
        let list = |values: &[&str]| values.iter().map(|value| (*value).to_owned()).collect();
        Placeholders(
            [
                ("admins".to_owned(), list(&["ada", "adm_*"])),
                ("sites".to_owned(), list(&["a", "b"])),
                ("none".to_owned(), Vec::new()),
                ("many".to_owned(), vec!["x".to_owned(); 200]),
            ]
            .into(),
        )
    }

    fn expand(key: &str, value: &str) -> Result<Vec<String>, Refusal> {
        let text = format!("title: t\ndetection: {{s: {{{key}: '{value}'}}, condition: s}}\n");
        let rule = parse_sigma_yaml(&text).unwrap().rules.remove(0);
        let detections = known().expand(&rule.detection)?;
        let rsigma_parser::Detection::AllOf(items) = &detections.named["s"] else {
            panic!("not a map");
        };
        Ok(items[0].values.iter().map(ToString::to_string).collect())
    }

    #[track_caller]
    fn check(key: &str, value: &str, expected: &[&str]) {
        assert_eq!(expand(key, value).unwrap(), expected, "{value}");
    }

    #[test]
    fn names_stand_for_their_values() {
        check("f|expand", "%admins%", &["ada", "adm_*"]);
        check(
            "f|expand",
            "%sites%/%admins%",
            &["a/ada", "b/ada", "a/adm_*", "b/adm_*"],
        );
        check("f|contains|expand", "x%sites%", &["xa", "xb"]);
        check("f|re|expand", "^%admins%$", &["^ada$", "^adm_.*$"]);
        check("f", "%admins%", &["%admins%"]);
        check("f|expand", "plain", &["plain"]);
    }

    #[test]
    fn a_percent_sign_alone_is_one() {
        use Piece::{Name, Text};
        assert_eq!(pieces("%a%"), [Name("a")]);
        assert_eq!(
            pieces(r"\%plain%name%"),
            [Text("%"), Text("plain"), Name("name")]
        );
        assert_eq!(
            pieces("100% of %a"),
            [Text("100"), Text("%"), Text(" of "), Text("%"), Text("a")]
        );
        assert_eq!(pieces("%%"), [Text("%"), Text("%")]);
    }

    #[test]
    fn what_has_no_values_is_named() {
        for (value, name) in [("%who%", "who"), ("%none%", "none")] {
            let refusal = expand("f|expand", value).unwrap_err();
            let cause = std::error::Error::source(&refusal).unwrap().to_string();
            assert_eq!(cause, format!("placeholder \"%{name}%\" has no values"));
        }
        assert!(expand("f|expand", "%many%%many%%many%").is_err());
    }
}
