//! From the signals of a group to outcomes: a function of the set of signals, whatever the order of their arrival.

use std::ops::Range;
use std::sync::Arc;

use ahash::HashMap;
use schemas::provenance::Provenance;

use super::about::{by_account, subject};
use super::counter::Counter;
use super::definition::{CorrelationTest, Definition, Travel, Window};
use super::point::{Point, PointValue};
use super::signal::{Signal, Subject};

/// Most signals of an outcome that are kept as its evidence: the first half and the last half of its first window.
pub(crate) const EVIDENCE_MAX: usize = 50;

/// Radius of the earth, in kilometres.
const EARTH_KM: f64 = 6_371.0;

/// A stretch of time in which a correlation held without a pause longer than its span.
#[derive(Debug, Clone, PartialEq)]
pub struct Outcome {
    /// Start of the window that names it, in microseconds since the Unix epoch, UTC.
    pub window_us: i64,
    /// When it first held.
    pub fired_us: i64,
    /// Time of its first signal.
    pub first_us: i64,
    /// Time of the last signal that is counted in [`Self::count`].
    pub last_us: i64,
    /// Signals: those of the window in which it first held, or that many doubled as often as it was exceeded.
    ///
    /// What goes on for long is told again at each doubling, not at each signal.
    pub count: u64,
    /// The value that makes it an outcome of its own, beside the group: what was seen first.
    pub value: Option<Arc<str>>,
    /// Signals of the window in which it first held, at most [`EVIDENCE_MAX`].
    pub signals: Vec<Arc<Signal>>,
    /// Whom and what all signals of that window are about, those that are not kept included.
    pub subject: Subject,
    /// A text that is another one wherever the account is: part of what identifies it.
    pub account: Arc<str>,
    /// What all signals of that window are together, those that are not kept included.
    pub provenance: Provenance,
}

/// The outcomes of a group that begin in some time, and when to ask again.
#[derive(Debug, Default)]
pub(crate) struct Outcomes {
    /// In the order of their times.
    pub found: Vec<Outcome>,
    /// When absences that are not certain yet will be, in microseconds since the Unix epoch, UTC.
    pub due_us: Vec<i64>,
}

/// A moment at which the test held.
struct Firing {
    time_us: i64,
    /// The points of the window.
    points: Range<usize>,
}

/// The outcomes that first hold in `range`, whose bounds must be those of periods.
///
/// `points` are in order, with all that are within a span of the range; for values first seen all that there are.
/// `as_of_us` is the time up to which records are taken to be complete: an absence is told only then.
pub(crate) fn outcomes(
    definition: &Definition,
    points: &[Point],
    range: &Range<i64>,
    as_of_us: i64,
) -> Outcomes {
    let mut due_us = Vec::new();
    if let CorrelationTest::FirstSeen { learn_us } = definition.test {
        return Outcomes {
            found: first_seen(definition, points, range, learn_us),
            due_us,
        };
    }
    let mut found = Vec::new();
    for part in by_account(definition, points) {
        let firings = firings(definition, &part, as_of_us, &mut due_us);
        let inside = firings
            .into_iter()
            .filter(|firing| range.contains(&firing.time_us));
        found.extend(episodes(definition, &part, inside));
    }
    found.sort_by_key(|outcome| outcome.fired_us);
    Outcomes { found, due_us }
}

/// The times at which the test holds; `points` are in order.
pub(crate) fn moments(definition: &Definition, points: &[Point], as_of_us: i64) -> Vec<i64> {
    if let CorrelationTest::FirstSeen { learn_us } = definition.test {
        let found = first_seen(definition, points, &(i64::MIN..i64::MAX), learn_us);
        return found.iter().map(|outcome| outcome.fired_us).collect();
    }
    let firings = firings(definition, points, as_of_us, &mut Vec::new());
    firings.iter().map(|firing| firing.time_us).collect()
}

fn firings(
    definition: &Definition,
    points: &[Point],
    as_of_us: i64,
    due_us: &mut Vec<i64>,
) -> Vec<Firing> {
    match &definition.test {
        CorrelationTest::Travel(travel) => travelled(definition, points, travel),
        CorrelationTest::Absence => absences(definition, points, as_of_us, due_us),
        _ => held(definition, points),
    }
}

/// The moments at which the window that ends there passes the test.
fn held(definition: &Definition, points: &[Point]) -> Vec<Firing> {
    let mut firings = Vec::new();
    let mut counter = Counter::new(definition, points);
    let (mut from, mut to) = (0, 0);
    while to < points.len() {
        let time_us = points[to].time_us;
        let start_us = start(definition, points, from, to);
        while from < to && points[from].time_us < start_us {
            counter.remove(&points[from]);
            from += 1;
        }
        // Signals of the same moment are in the same window: a set has no order among them.
        while to < points.len() && points[to].time_us == time_us {
            counter.add(&points[to]);
            to += 1;
        }
        if counter.holds(start_us) {
            firings.push(Firing {
                time_us,
                points: from..to,
            });
        }
    }
    firings
}

/// Start of the window that ends with the point at `to`, where the window before began at `from`.
fn start(definition: &Definition, points: &[Point], from: usize, to: usize) -> i64 {
    let time_us = points[to].time_us;
    match definition.window {
        Window::Sliding => time_us.saturating_sub(definition.span_us),
        Window::Tumbling => definition.period_of(time_us),
        Window::Session { gap_us } => {
            let start_us = points[from].time_us;
            let before_us = points[to.saturating_sub(1)].time_us;
            let goes_on = time_us.saturating_sub(before_us) <= gap_us
                && time_us.saturating_sub(start_us) <= definition.span_us
                && definition.period_of(start_us) == definition.period_of(time_us);
            if goes_on { start_us } else { time_us }
        }
    }
}

/// The first member without the second in the span after it.
fn absences(
    definition: &Definition,
    points: &[Point],
    as_of_us: i64,
    due_us: &mut Vec<i64>,
) -> Vec<Firing> {
    let mut firings = Vec::new();
    let mut next_us: Option<i64> = None;
    for (at, point) in points.iter().enumerate().rev() {
        if point.member != 0 {
            next_us = Some(point.time_us);
            continue;
        }
        let until_us = point.time_us.saturating_add(definition.span_us);
        if next_us.is_some_and(|next_us| next_us <= until_us) {
            continue;
        }
        if until_us > as_of_us {
            due_us.push(until_us);
            continue;
        }
        firings.push(Firing {
            time_us: point.time_us,
            points: at..at + 1,
        });
    }
    firings.reverse();
    firings
}

/// Neighbours in time that are too far apart in space.
fn travelled(definition: &Definition, points: &[Point], travel: &Travel) -> Vec<Firing> {
    let is_far = |pair: &[Point]| {
        let [from, to] = pair else { return false };
        let (PointValue::Coordinates(a, b), PointValue::Coordinates(c, d)) =
            (&from.value, &to.value)
        else {
            return false;
        };
        let time_us = to.time_us.saturating_sub(from.time_us);
        let km = distance_km((*a, *b), (*c, *d));
        // Records say whole seconds at best.
        #[expect(clippy::cast_precision_loss, reason = "a span of days in microseconds")]
        let hours = time_us.max(1_000_000) as f64 / 3.6e9;
        time_us <= definition.span_us && km >= travel.km && km / hours >= travel.kmh
    };
    points
        .windows(2)
        .enumerate()
        .filter(|(_, pair)| is_far(pair))
        .map(|(at, pair)| Firing {
            time_us: pair[1].time_us,
            points: at..at + 2,
        })
        .collect()
}

/// Along the great circle, places in degrees of latitude and longitude.
fn distance_km(from: (f64, f64), to: (f64, f64)) -> f64 {
    let (latitude, longitude) = ((to.0 - from.0).to_radians(), (to.1 - from.1).to_radians());
    let across = (longitude / 2.0).sin().powi(2);
    let haversine = (latitude / 2.0).sin().powi(2)
        + from.0.to_radians().cos() * to.0.to_radians().cos() * across;
    2.0 * EARTH_KM * haversine.clamp(0.0, 1.0).sqrt().asin()
}

fn first_seen(
    definition: &Definition,
    points: &[Point],
    range: &Range<i64>,
    learn_us: i64,
) -> Vec<Outcome> {
    let Some(known_since_us) = points.first().map(|point| point.time_us) else {
        return Vec::new();
    };
    let mut seen: HashMap<&str, i64> = HashMap::default();
    let mut found = Vec::new();
    for point in points {
        let PointValue::Text(value) = &point.value else {
            continue;
        };
        let time_us = point.time_us;
        let before_us = seen.insert(value, time_us);
        let is_new = before_us
            .is_none_or(|before_us| time_us.saturating_sub(before_us) > definition.span_us);
        let is_learned = time_us.saturating_sub(known_since_us) >= learn_us;
        if is_new && is_learned && range.contains(&time_us) {
            let (subject, account) = subject(definition, std::slice::from_ref(point));
            found.push(Outcome {
                window_us: bucket(time_us, 0, definition.span_us),
                fired_us: time_us,
                first_us: time_us,
                last_us: time_us,
                count: 1,
                value: Some(Arc::clone(value)),
                subject,
                account,
                signals: vec![Arc::clone(&point.signal)],
                provenance: point.signal.provenance,
            });
        }
    }
    found
}

/// Firings without a long pause between them are one outcome, as long as they are in the same period.
fn episodes(
    definition: &Definition,
    points: &[Point],
    firings: impl Iterator<Item = Firing>,
) -> Vec<Outcome> {
    let mut found: Vec<(Firing, Firing)> = Vec::new();
    for firing in firings {
        let again = |points: &Range<usize>| Firing {
            time_us: firing.time_us,
            points: points.clone(),
        };
        match found.last_mut() {
            Some((_, last)) if goes_on(definition, last, &firing) => *last = firing,
            _ => found.push((again(&firing.points), firing)),
        }
    }
    found
        .into_iter()
        .map(|(first, last)| outcome(definition, points, &first, &last))
        .collect()
}

fn goes_on(definition: &Definition, last: &Firing, next: &Firing) -> bool {
    let is_near = match definition.window {
        Window::Session { .. } => last.points.start == next.points.start,
        Window::Sliding | Window::Tumbling => {
            next.time_us.saturating_sub(last.time_us) <= definition.span_us
        }
    };
    is_near && definition.period_of(last.time_us) == definition.period_of(next.time_us)
}

fn outcome(definition: &Definition, points: &[Point], first: &Firing, last: &Firing) -> Outcome {
    let window = &points[first.points.clone()];
    let all = first.points.start..last.points.end;
    let mut count = window.len().max(1);
    while count * 2 <= all.len() {
        count *= 2;
    }
    let period_us = definition.period_of(first.time_us);
    let half = EVIDENCE_MAX / 2;
    let signals = match window.len() {
        few if few <= EVIDENCE_MAX => window.to_vec(),
        many => [&window[..half], &window[many - half..]].concat(),
    };
    let first_us = points[all.start].time_us;
    let (subject, account) = subject(definition, window);
    let provenances = window.iter().map(|point| point.signal.provenance);
    Outcome {
        window_us: match definition.window {
            Window::Sliding => bucket(first.time_us, period_us, definition.span_us),
            Window::Tumbling => period_us,
            Window::Session { .. } => first_us,
        },
        fired_us: first.time_us,
        first_us,
        last_us: points[all.start + count - 1].time_us,
        count: count as u64,
        value: None,
        subject,
        account,
        signals: signals.into_iter().map(|point| point.signal).collect(),
        provenance: provenances.reduce(Provenance::and).unwrap_or_default(),
    }
}

/// Start of the stretch of a span's length that a time is in, counted from `origin_us`.
///
/// Outcomes of one period begin more than a span apart, so no two begin in the same stretch; and one that begins a
/// little earlier because a late signal came keeps its name most of the time.
fn bucket(time_us: i64, origin_us: i64, span_us: i64) -> i64 {
    let span_us = span_us.max(1);
    let since_us = time_us.saturating_sub(origin_us);
    origin_us.saturating_add(since_us.div_euclid(span_us).saturating_mul(span_us))
}
