//! The alerts that were published lately, and what is news about them.

use std::collections::{HashMap, VecDeque};

use schemas::alert::AlertState;
use schemas::severity::Severity;
use schemas::wire::Alert;

use crate::error::DetectError;

/// Published alerts that are remembered, so that versions of one alert are published once: some 100 bytes each.
const PUBLISHED_MAX: usize = 100_000;

/// What was told of an alert last.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Told {
    severity: Severity,
    state: AlertState,
    /// When the version that was told was made; 0 for the first.
    version: i64,
}

impl Told {
    /// What an alert tells.
    ///
    /// # Errors
    /// [`DetectError::Alert`] if its severity or its state is none.
    pub(crate) fn of(alert: &Alert) -> Result<Self, DetectError> {
        let unknown = |why: String| DetectError::Alert {
            alert_id: alert.alert_id.clone(),
            why,
        };
        let severity: Result<Severity, _> = alert.severity.parse();
        let state: Result<AlertState, _> = alert.state.parse();
        Ok(Self {
            severity: severity.map_err(|error| unknown(error.to_string()))?,
            state: state.map_err(|error| unknown(error.to_string()))?,
            version: alert.counted,
        })
    }
}

/// The alert as it is to be told after what was told of it; none if it says nothing new.
///
/// A version of one of Microsoft's alerts is news if it is graver, or if it takes the alert back or raises it again.
///
/// # Errors
/// [`DetectError::Alert`] as of [`Told::of`].
pub(crate) fn news(told: Option<Told>, mut alert: Alert) -> Result<Option<Alert>, DetectError> {
    let version = Told::of(&alert)?;
    let Some(told) = told else {
        // The first version of an alert is named by the alert itself.
        if version.state.stands() {
            alert.counted = 0;
        }
        return Ok(Some(alert));
    };
    if version.version <= told.version {
        return Ok(None);
    }
    if version.state.stands() != told.state.stands() {
        return Ok(Some(alert));
    }
    if !version.state.stands() || version.severity <= told.severity {
        return Ok(None);
    }
    alert.state = AlertState::Amended.to_string();
    Ok(Some(alert))
}

/// Alerts that were published lately, oldest forgotten first.
#[derive(Debug, Default)]
pub(crate) struct Published {
    told: HashMap<String, Told>,
    order: VecDeque<String>,
}

impl Published {
    /// What was told of an alert last.
    pub(crate) fn told(&self, id: &str) -> Option<Told> {
        self.told.get(id).copied()
    }

    /// Remembers what was told of an alert, and forgets the oldest where there are too many.
    pub(crate) fn insert(&mut self, id: &str, told: Told) {
        if self.told.insert(id.to_owned(), told).is_some() {
            return;
        }
        self.order.push_back(id.to_owned());
        if self.order.len() > PUBLISHED_MAX
            && let Some(oldest) = self.order.pop_front()
        {
            self.told.remove(&oldest);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::{Published, Told, news};
    use schemas::wire::Alert;

    fn version(severity: &str, state: &str, version: i64) -> Alert {
        Alert {
            alert_id: "a".to_owned(),
            severity: severity.to_owned(),
            state: state.to_owned(),
            counted: version,
            ..Alert::default()
        }
    }

    #[test]
    fn a_version_is_news_if_it_is_graver_or_takes_back() {
        let mut published = Published::default();
        let mut told = Vec::new();
        for next in [
            version("low", "raised", 5),
            version("low", "raised", 6),
            version("high", "raised", 7),
            // Of before, and late.
            version("critical", "raised", 6),
            version("high", "withdrawn", 8),
            version("high", "withdrawn", 9),
            version("high", "raised", 10),
        ] {
            if let Some(news) = news(published.told("a"), next).unwrap() {
                published.insert("a", Told::of(&news).unwrap());
                told.push((news.severity, news.state, news.counted));
            }
        }
        let words = told
            .iter()
            .map(|(severity, state, version)| (severity.as_str(), state.as_str(), *version));
        assert_eq!(
            words.collect::<Vec<_>>(),
            [
                ("low", "raised", 0),
                ("high", "amended", 7),
                ("high", "withdrawn", 8),
                ("high", "raised", 10),
            ]
        );
    }

    #[test]
    fn an_alert_of_one_event_is_told_once() {
        let first = news(None, version("low", "raised", 0)).unwrap().unwrap();
        let told = Told::of(&first).unwrap();
        let again = news(Some(told), version("high", "raised", 0));
        assert_eq!(again.unwrap(), None);
    }

    #[test]
    fn an_alert_of_no_known_state_or_severity_is_an_error_and_not_the_least_of_all() {
        for alert in [version("low", "snoozed", 0), version("grave", "raised", 0)] {
            assert!(news(None, alert).is_err());
        }
    }
}
