//! The signals of all groups, and what changes when more of them come.
//!
//! ```text
//! signals ─▶ point in its group ─▶ windows that it touches ─▶ outcomes ─▶ compared with those before ─▶ changes
//!                                                                 └─▶ signals of correlations that refer to them
//! ```
//! What is held is a set: signals that come late, twice or in another order lead to the same outcomes in the end,
//! and to the same changes where they come in the same order.

use std::collections::{BTreeMap, BTreeSet};
use std::ops::Range;
use std::sync::Arc;

use ahash::{HashMap, HashSet};
use schemas::alert::AlertState;

use super::correlations::Correlations;
use super::definition::{CorrelationTest, Definition};
use super::evaluate::{Outcome, moments, outcomes};
use super::outcome::{Change, Found};
use super::point::{Point, PointValue, place};
use super::signal::Signal;

/// Points of a group beyond which those that cannot matter any more are taken out, where there are such.
const THIN_AT: usize = 64;

/// A group of one correlation.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub(super) struct GroupKey {
    /// Place of the correlation.
    pub(super) definition: usize,
    pub(super) tenant_id: Arc<str>,
    pub(super) values: Vec<Arc<str>>,
}

#[derive(Debug, Default)]
struct Group {
    /// In order.
    points: Vec<Point>,
    /// Ids of points that came since the last evaluation are not in order yet.
    is_sorted: bool,
    /// What is told, by the time at which it first held and its id.
    outcomes: BTreeMap<(i64, String), Outcome>,
    thinned: usize,
}

/// First and last time of what changed in a group.
type Touched = BTreeMap<GroupKey, (i64, i64)>;

/// The state of all correlations: a function of the set of signals that it was given.
#[derive(Debug)]
pub struct Correlator {
    correlations: Arc<Correlations>,
    groups: HashMap<GroupKey, Group>,
    known: HashSet<u128>,
    /// Groups in which an absence becomes certain, by the time of that.
    due: BTreeSet<(i64, GroupKey)>,
    as_of_us: i64,
}

impl Correlator {
    /// No signals yet; records are taken to be complete up to `as_of_us`, in microseconds since the Unix epoch, UTC.
    pub fn new(correlations: Arc<Correlations>, as_of_us: i64) -> Self {
        Self {
            correlations,
            groups: HashMap::default(),
            known: HashSet::default(),
            due: BTreeSet::new(),
            as_of_us,
        }
    }

    /// Number of signals that are held.
    pub fn len(&self) -> usize {
        self.known.len()
    }

    /// True if no signal is held.
    pub fn is_empty(&self) -> bool {
        self.known.is_empty()
    }

    /// Takes signals, and tells what they change; those that are known already change nothing.
    pub fn add(&mut self, signals: impl IntoIterator<Item = Signal>) -> Vec<Change> {
        let mut touched = Touched::new();
        for signal in signals {
            if self.known.insert(signal.id) {
                self.insert(&Arc::new(signal), &mut touched);
            }
        }
        self.settle(touched)
    }

    /// Takes records to be complete up to `as_of_us`, and tells what that makes certain.
    pub fn advance(&mut self, as_of_us: i64) -> Vec<Change> {
        self.as_of_us = self.as_of_us.max(as_of_us);
        let mut touched = Touched::new();
        while let Some((due_us, _)) = self.due.first() {
            if *due_us > self.as_of_us {
                break;
            }
            if let Some((due_us, key)) = self.due.pop_first() {
                let span_us = self.correlations.definitions()[key.definition].span_us;
                touch(&mut touched, key, due_us.saturating_sub(span_us));
            }
        }
        self.settle(touched)
    }

    /// Everything that holds now, in the order of correlations, tenants, groups and times.
    pub fn found(&self) -> Vec<Found> {
        let mut keys: Vec<&GroupKey> = self.groups.keys().collect();
        keys.sort_unstable();
        let all = keys.into_iter().flat_map(|key| {
            let outcomes = self.groups[key].outcomes.iter();
            outcomes.map(|((_, id), outcome)| self.correlations.found(key, id, outcome))
        });
        all.collect()
    }

    /// The times at which a correlation holds, group by group: when an engine would fire that fires at every record.
    pub fn moments(&self, correlation: &str) -> Vec<i64> {
        let definitions = self.correlations.definitions();
        let mut all = Vec::new();
        for (key, group) in &self.groups {
            let definition = &definitions[key.definition];
            if *definition.id == *correlation {
                all.extend(moments(definition, &group.points, self.as_of_us));
            }
        }
        all.sort_unstable();
        all
    }

    /// Lets go of signals that none can join any more which is late by at most `lateness_us`.
    ///
    /// Who adds one that is later yet brings its neighbours along first: see [`Definition::memory_us`].
    pub fn forget(&mut self, now_us: i64, lateness_us: i64) {
        let definitions = self.correlations.definitions();
        self.groups.retain(|key, group| {
            let definition = &definitions[key.definition];
            let before_us = now_us.saturating_sub(definition.memory_us(lateness_us));
            // What was ever seen says what is new; thinned, it is little.
            if !matches!(definition.test, CorrelationTest::FirstSeen { .. }) {
                group.points.retain(|point| point.time_us >= before_us);
            }
            group
                .outcomes
                .retain(|(fired_us, _), _| *fired_us >= before_us);
            !group.points.is_empty()
        });
        let points = self.groups.values().flat_map(|group| &group.points);
        self.known = points.map(|point| point.signal.id).collect();
    }

    /// The groups that a signal is in, with its point in each.
    fn places(&self, signal: &Arc<Signal>) -> Vec<(GroupKey, Point)> {
        let referring = self.correlations.referring(&signal.rule_id).iter();
        let places = referring.filter_map(|(definition, member)| {
            let wanted = &self.correlations.definitions()[*definition];
            let (values, point) = place(wanted, *member, signal)?;
            let key = GroupKey {
                definition: *definition,
                tenant_id: Arc::clone(&signal.tenant_id),
                values,
            };
            Some((key, point))
        });
        places.collect()
    }

    fn insert(&mut self, signal: &Arc<Signal>, touched: &mut Touched) {
        for (key, point) in self.places(signal) {
            let group = self.groups.entry(key.clone()).or_default();
            group.is_sorted = false;
            group.points.push(point);
            touch(touched, key, signal.time_us);
        }
    }

    fn remove(&mut self, signal: &Arc<Signal>, touched: &mut Touched) {
        for (key, _) in self.places(signal) {
            if let Some(group) = self.groups.get_mut(&key) {
                group.points.retain(|point| point.signal.id != signal.id);
                touch(touched, key, signal.time_us);
            }
        }
    }

    /// Evaluates what was touched; correlations come after those that they refer to.
    fn settle(&mut self, mut touched: Touched) -> Vec<Change> {
        let mut changes = Vec::new();
        while let Some((key, (first_us, last_us))) = touched.pop_first() {
            let found = self.evaluate(&key, first_us, last_us);
            for change in &found {
                let id = &change.found.correlation;
                if self.correlations.referring(id).is_empty() {
                    continue;
                }
                if let Some(before) = &change.before {
                    self.remove(&Arc::new(before.as_signal()), &mut touched);
                }
                if change.state != AlertState::Withdrawn {
                    self.insert(&Arc::new(change.found.as_signal()), &mut touched);
                }
            }
            changes.extend(found);
        }
        changes
    }

    fn evaluate(&mut self, key: &GroupKey, first_us: i64, last_us: i64) -> Vec<Change> {
        let correlations = Arc::clone(&self.correlations);
        let definition = &correlations.definitions()[key.definition];
        let Some(group) = self.groups.get_mut(key) else {
            return Vec::new();
        };
        group.tidy(definition);
        let range = range(definition, first_us, last_us);
        let points = group.around(definition, &range);
        let outcomes = outcomes(definition, points, &range, self.as_of_us);
        let due = outcomes.due_us.iter();
        self.due.extend(due.map(|due_us| (*due_us, key.clone())));
        let now: BTreeMap<(i64, String), Outcome> = outcomes
            .found
            .into_iter()
            .map(|outcome| {
                let id = correlations.outcome_id(key, &outcome);
                ((outcome.fired_us, id), outcome)
            })
            .collect();
        let before = group.replace(&range, now.clone());
        // A group whose last signal was withdrawn is gone.
        if group.points.is_empty() {
            self.groups.remove(key);
        }
        compare(&correlations, key, before, now)
    }
}

/// What is told now and was not told before, or otherwise, and what is told no more.
fn compare(
    correlations: &Correlations,
    key: &GroupKey,
    before: BTreeMap<(i64, String), Outcome>,
    now: BTreeMap<(i64, String), Outcome>,
) -> Vec<Change> {
    let mut before: HashMap<String, Outcome> = before
        .into_iter()
        .map(|((_, id), outcome)| (id, outcome))
        .collect();
    let mut changes = Vec::new();
    for ((_, id), outcome) in now {
        let known = before.remove(&id);
        if known.as_ref() == Some(&outcome) {
            continue;
        }
        changes.push(Change {
            state: if known.is_some() {
                AlertState::Amended
            } else {
                AlertState::Raised
            },
            before: known.map(|known| correlations.found(key, &id, &known)),
            found: correlations.found(key, &id, &outcome),
        });
    }
    let mut gone: Vec<(String, Outcome)> = before.into_iter().collect();
    gone.sort_unstable_by(|left, right| left.0.cmp(&right.0));
    changes.extend(gone.into_iter().map(|(id, outcome)| {
        let found = correlations.found(key, &id, &outcome);
        Change {
            state: AlertState::Withdrawn,
            before: Some(found.clone()),
            found,
        }
    }));
    changes
}

fn touch(touched: &mut Touched, key: GroupKey, time_us: i64) {
    let times = touched.entry(key).or_insert((time_us, time_us));
    *times = (times.0.min(time_us), times.1.max(time_us));
}

/// The periods in which something may change where signals between two times changed.
fn range(definition: &Definition, first_us: i64, last_us: i64) -> Range<i64> {
    let span_us = definition.span_us;
    let start_us = definition.period_of(first_us.saturating_sub(span_us));
    let last_us = definition.period_of(last_us.saturating_add(span_us));
    start_us..last_us.saturating_add(definition.period_us())
}

impl Group {
    fn tidy(&mut self, definition: &Definition) {
        if !self.is_sorted {
            self.points.sort_by_key(Point::order);
            self.is_sorted = true;
        }
        let is_thinned = matches!(definition.test, CorrelationTest::FirstSeen { .. });
        if is_thinned && self.points.len() > self.thinned * 2 + THIN_AT {
            self.thin(definition.span_us);
            self.thinned = self.points.len();
        }
    }

    /// Takes out points between two others of the same value that are within a span: whatever comes late, they
    /// are not new, and what is after them has a nearer one before it.
    fn thin(&mut self, span_us: i64) {
        let mut last: HashMap<Arc<str>, (i64, usize)> = HashMap::default();
        let mut wanted = vec![true; self.points.len()];
        let mut before: Vec<Option<i64>> = Vec::with_capacity(self.points.len());
        for (at, point) in self.points.iter().enumerate() {
            let PointValue::Text(value) = &point.value else {
                before.push(None);
                continue;
            };
            match last.get(value).copied() {
                None => before.push(None),
                Some((time_us, previous)) => {
                    // `previous` goes if its own predecessor is within a span of this one.
                    let earlier_us = before[previous];
                    let goes = earlier_us.is_some_and(|earlier_us| {
                        point.time_us.saturating_sub(earlier_us) <= span_us
                    });
                    if goes {
                        wanted[previous] = false;
                        before.push(earlier_us);
                    } else {
                        before.push(Some(time_us));
                    }
                }
            }
            last.insert(Arc::clone(value), (point.time_us, at));
        }
        let mut wanted = wanted.into_iter();
        self.points.retain(|_| wanted.next().unwrap_or(true));
    }

    /// The points that decide about a range.
    fn around(&self, definition: &Definition, range: &Range<i64>) -> &[Point] {
        if matches!(definition.test, CorrelationTest::FirstSeen { .. }) {
            return &self.points;
        }
        let from_us = range.start.saturating_sub(definition.span_us);
        let to_us = range.end.saturating_add(definition.span_us);
        let from = self.points.partition_point(|point| point.time_us < from_us);
        let to = self.points.partition_point(|point| point.time_us <= to_us);
        &self.points[from..to]
    }

    /// Takes what is told of a range, and gives what was told of it before.
    fn replace(
        &mut self,
        range: &Range<i64>,
        now: BTreeMap<(i64, String), Outcome>,
    ) -> BTreeMap<(i64, String), Outcome> {
        let bound = |time_us: i64| (time_us, String::new());
        let mut before = self.outcomes.split_off(&bound(range.start));
        let mut after = before.split_off(&bound(range.end));
        self.outcomes.extend(now);
        self.outcomes.append(&mut after);
        before
    }
}
