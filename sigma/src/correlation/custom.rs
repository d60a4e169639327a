//! Our own keys of a detection rule that look at more than one record: `first_seen` and `travel`.
//!
//! ```yaml
//! first_seen: {field: Country, by: [UserId], within: 30d, learn: 3d}   # null is never new (P46)
//! travel: {by: [UserId], latitude: PATH, longitude: PATH, kmh: 900, km: 500, within: 24h}
//! ```
//! To other engines such a rule is an ordinary one.

use std::sync::Arc;

use rsigma_parser::{SigmaRule, Timespan};
use serde::Deserialize;

use super::build::micros;
use super::check::wrong;
use super::definition::{Definition, Member, Test, Travel, Window};
use super::{GROUP_BY_MAX, TIMESPAN_S_MAX};
use crate::refusal::Refusal;
use crate::rule::key;

/// Stands behind the id of a rule where its matches are meant, and not what is made of them.
const MATCH: &str = "#match";

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct FirstSeen {
    field: String,
    #[serde(default)]
    by: Vec<String>,
    within: String,
    #[serde(default)]
    learn: Option<String>,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Journey {
    by: Vec<String>,
    latitude: String,
    longitude: String,
    kmh: f64,
    km: f64,
    within: String,
}

/// What a rule asks of its matches over time, if anything.
///
/// # Errors
/// [`Refusal`] that names the key which is wrong.
pub(crate) fn definition(id: &str, sigma: &SigmaRule) -> Result<Option<Definition>, Refusal> {
    let first_seen: Option<FirstSeen> = key(&sigma.custom_attributes, "first_seen")?;
    let travel: Option<Journey> = key(&sigma.custom_attributes, "travel")?;
    match (first_seen, travel) {
        (None, None) => Ok(None),
        (Some(_), Some(_)) => Err(wrong("travel", "it cannot stand beside first_seen")),
        (Some(wanted), None) => {
            let span_us = span("first_seen", &wanted.within)?;
            let learn_us = match &wanted.learn {
                Some(learn) => span("first_seen", learn)?,
                None => 0,
            };
            if learn_us > span_us {
                return Err(wrong("first_seen", "learn is longer than within"));
            }
            let test = Test::FirstSeen { learn_us };
            built(id, "first_seen", &wanted.by, &[wanted.field], span_us, test).map(Some)
        }
        (None, Some(wanted)) => {
            let is_number = |number: f64| number.is_finite() && number > 0.0;
            if !is_number(wanted.kmh) || !is_number(wanted.km) {
                return Err(wrong("travel", "kmh and km must be more than 0"));
            }
            let span_us = span("travel", &wanted.within)?;
            let test = Test::Travel(Travel {
                kmh: wanted.kmh,
                km: wanted.km,
            });
            let place = [wanted.latitude, wanted.longitude];
            built(id, "travel", &wanted.by, &place, span_us, test).map(Some)
        }
    }
}

fn built(
    id: &str,
    key: &'static str,
    by: &[String],
    value: &[String],
    span_us: i64,
    test: Test,
) -> Result<Definition, Refusal> {
    if by.len() > GROUP_BY_MAX {
        return Err(wrong(key, format!("names more than {GROUP_BY_MAX} fields")));
    }
    let names = |names: &[String]| -> Vec<Arc<str>> {
        names.iter().map(|name| name.as_str().into()).collect()
    };
    Ok(Definition {
        id: id.into(),
        members: vec![Member {
            id: match_id(id),
            group: names(by),
            value: names(value),
        }],
        group_by: names(by),
        span_us,
        window: Window::Sliding,
        test,
    })
}

/// What goes for the matches of a rule that has such a key; its id goes for what is made of them.
pub(crate) fn match_id(id: &str) -> Arc<str> {
    format!("{id}{MATCH}").into()
}

/// The id of the rule whose matches are meant.
pub fn rule_of_match(id: &str) -> &str {
    id.strip_suffix(MATCH).unwrap_or(id)
}

fn span(key: &'static str, text: &str) -> Result<i64, Refusal> {
    let parsed = Timespan::parse(text).ok();
    match parsed.map(|span| span.seconds) {
        Some(seconds) if seconds > 0 && seconds <= TIMESPAN_S_MAX => Ok(micros(seconds)),
        _ => {
            let days = TIMESPAN_S_MAX / 86_400;
            Err(wrong(
                key,
                format!("\"{text}\" is not between 1s and {days}d"),
            ))
        }
    }
}
