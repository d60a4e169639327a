//! The alerts that were published lately, and what is news about them.

use std::collections::{HashMap, VecDeque};

use schemas::severity::Severity;
use schemas::wire::Alert;

/// Published alerts that are remembered, so that versions of one alert are published once: some 100 bytes each.
const PUBLISHED_MAX: usize = 100_000;

/// What was told of an alert last.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Told {
    severity: Severity,
    is_withdrawn: bool,
    /// When the version that was told was made; 0 for the first.
    version: i64,
}

impl Told {
    pub(crate) fn of(alert: &Alert) -> Self {
        Self {
            severity: alert.severity.parse().unwrap_or_default(),
            is_withdrawn: alert.state == "withdrawn",
            version: alert.counted,
        }
    }
}

/// The alert as it is to be told after what was told of it; none if it says nothing new.
///
/// A version of one of Microsoft's alerts is news if it is graver, or if it takes the alert back or raises it again.
pub(crate) fn news(told: Option<Told>, mut alert: Alert) -> Option<Alert> {
    let version = Told::of(&alert);
    let Some(told) = told else {
        // The first version of an alert is named by the alert itself.
        if !version.is_withdrawn {
            alert.counted = 0;
        }
        return Some(alert);
    };
    if version.version <= told.version {
        return None;
    }
    if version.is_withdrawn != told.is_withdrawn {
        return Some(alert);
    }
    if version.is_withdrawn || version.severity <= told.severity {
        return None;
    }
    "amended".clone_into(&mut alert.state);
    Some(alert)
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
            if let Some(news) = news(published.told("a"), next) {
                published.insert("a", Told::of(&news));
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
        let first = news(None, version("low", "raised", 0)).unwrap();
        assert!(news(Some(Told::of(&first)), version("high", "raised", 0)).is_none());
    }
}
