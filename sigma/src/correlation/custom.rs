//! Our own keys of a detection rule that look at more than one record: `first_seen`, `travel` and `suppress`.
//!
//! ```yaml
//! first_seen: {field: Country, by: [UserId], within: 30d, learn: 3d}   # null is never new
//! #            country_of: IPAddress: the country of this address, where the record does not say it
//! travel: {by: [UserId], latitude: PATH, longitude: PATH, kmh: 900, km: 500, within: 24h}
//! #        ip: IPAddress: the place of this address, where the record does not say it or has no such fields
//! #        not_through: [8075]: autonomous systems through which people leave who are elsewhere
//! suppress: {by: [UserId], for: 1h}      # matches of an hour are one alert with their number
//! ```
//! To other engines such a rule is an ordinary one.

use std::sync::Arc;

use rsigma_parser::{SigmaRule, Timespan};
use serde::Deserialize;

use super::definition::{
    CorrelationTest, Definition, GROUP_BY_MAX, Member, TIMESPAN_S_MAX, Travel, Window, micros,
};
use crate::error::RuleError;
use crate::geo::{Address, Gives};
use crate::metadata::keys::key;

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
    #[serde(default)]
    country_of: Option<String>,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Journey {
    by: Vec<String>,
    #[serde(default)]
    latitude: Option<String>,
    #[serde(default)]
    longitude: Option<String>,
    #[serde(default)]
    ip: Option<String>,
    #[serde(default)]
    not_through: Vec<u32>,
    kmh: f64,
    km: f64,
    within: String,
}

/// The fields of a place that only its address tells.
const OF_ADDRESS: [&str; 2] = ["place.latitude", "place.longitude"];

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Suppress {
    by: Vec<String>,
    r#for: String,
}

/// What a rule asks of its matches over time, if anything.
///
/// # Errors
/// [`RuleError`] that names the key which is wrong.
pub(crate) fn definition(id: &str, sigma: &SigmaRule) -> Result<Option<Definition>, RuleError> {
    let keys = &sigma.custom_attributes;
    let first_seen = key::<FirstSeen>(keys, "first_seen")?.map(|wanted| wanted.definition(id));
    let travel = key::<Journey>(keys, "travel")?.map(|wanted| wanted.definition(id));
    let suppress = key::<Suppress>(keys, "suppress")?.map(|wanted| wanted.definition(id));
    let mut all = [first_seen, travel, suppress].into_iter().flatten();
    match (all.next(), all.next()) {
        (_, Some(_)) => {
            let reason = "only one of first_seen, travel and suppress can stand in a rule";
            Err(wrong("suppress", reason))
        }
        (one, None) => one.transpose(),
    }
}

impl FirstSeen {
    fn definition(self, id: &str) -> Result<Definition, RuleError> {
        let span_us = span("first_seen", &self.within)?;
        let learn_us = match &self.learn {
            Some(learn) => span("first_seen", learn)?,
            None => 0,
        };
        if learn_us > span_us {
            return Err(wrong("first_seen", "learn is longer than within"));
        }
        let test = CorrelationTest::FirstSeen { learn_us };
        let address = self.country_of.map(|field| Address {
            field: field.into(),
            gives: Gives::Country(self.field.as_str().into()),
            not_through: Vec::new(),
        });
        let one = built(id, "first_seen", &self.by, &[self.field], span_us, test)?;
        Ok(Definition { address, ..one })
    }
}

impl Journey {
    fn definition(self, id: &str) -> Result<Definition, RuleError> {
        let is_number = |number: f64| number.is_finite() && number > 0.0;
        if !is_number(self.kmh) || !is_number(self.km) {
            return Err(wrong("travel", "kmh and km must be more than 0"));
        }
        let span_us = span("travel", &self.within)?;
        let test = CorrelationTest::Travel(Travel {
            kmh: self.kmh,
            km: self.km,
        });
        let place = match (self.latitude, self.longitude, &self.ip) {
            (Some(latitude), Some(longitude), _) => [latitude, longitude],
            (None, None, Some(_)) => OF_ADDRESS.map(str::to_owned),
            _ => {
                let reason = "name latitude and longitude, or ip, or all three";
                return Err(wrong("travel", reason));
            }
        };
        if self.ip.is_none() && !self.not_through.is_empty() {
            return Err(wrong("travel", "not_through needs ip"));
        }
        let address = self.ip.map(|field| Address {
            field: field.into(),
            gives: Gives::Coordinates(place.each_ref().map(|name| name.as_str().into())),
            not_through: self.not_through,
        });
        let one = built(id, "travel", &self.by, &place, span_us, test)?;
        Ok(Definition { address, ..one })
    }
}

impl Suppress {
    fn definition(self, id: &str) -> Result<Definition, RuleError> {
        let span_us = span("suppress", &self.r#for)?;
        let one = built(id, "suppress", &self.by, &[], span_us, CorrelationTest::Any)?;
        Ok(Definition {
            window: Window::Tumbling,
            ..one
        })
    }
}

fn wrong(key: &'static str, reason: impl Into<String>) -> RuleError {
    RuleError::OwnCorrelation {
        key,
        reason: reason.into(),
    }
}

fn built(
    id: &str,
    key: &'static str,
    by: &[String],
    value: &[String],
    span_us: i64,
    test: CorrelationTest,
) -> Result<Definition, RuleError> {
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
        address: None,
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

fn span(key: &'static str, text: &str) -> Result<i64, RuleError> {
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
