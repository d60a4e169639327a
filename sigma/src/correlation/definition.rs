//! What a correlation asks of the signals of a group.

use std::sync::Arc;

use rsigma_parser::ConditionOperator;

use crate::geo::Address;

/// Longest time that a correlation may look back, in seconds: 31 days.
pub(crate) const TIMESPAN_S_MAX: u64 = 31 * 86_400;

/// Most rules that one correlation refers to.
pub(crate) const RULES_MAX: usize = 64;

/// Most correlations.
pub(crate) const CORRELATIONS_MAX: usize = 2_000;

/// Most fields in `group-by`.
pub(crate) const GROUP_BY_MAX: usize = 32;

/// Microseconds of a second.
const SECOND_US: i64 = 1_000_000;

/// Length of a day, in microseconds.
const DAY_US: i64 = 86_400_000_000;

/// Numbers are kept in millionths, so that sums are exact whatever their order.
pub(crate) const MILLION: i128 = 1_000_000;

/// A correlation, ready to be evaluated.
#[derive(Debug, Clone, PartialEq)]
pub struct Definition {
    /// Id of the correlation or rule whose alerts its outcomes are.
    pub id: Arc<str>,
    /// What it counts, in the order in which it names them.
    pub members: Vec<Member>,
    /// Names of the values that tell groups apart.
    pub group_by: Vec<Arc<str>>,
    /// Longest time between the first and the last signal of a window, in microseconds.
    pub span_us: i64,
    /// How windows lie in time.
    pub window: Window,
    /// What must hold in a window.
    pub test: CorrelationTest,
    /// The address whose place is looked up where its records do not say it.
    pub address: Option<Address>,
}

/// A rule or correlation that another correlation counts.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Member {
    /// Its id.
    pub id: Arc<str>,
    /// The fields of its signals that tell groups apart, as [`Definition::group_by`] names them.
    pub group: Vec<Arc<str>>,
    /// The fields whose values are counted or added up; several are taken together.
    pub value: Vec<Arc<str>>,
}

/// How windows lie in time.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Window {
    /// One ends at every signal.
    Sliding,
    /// They lie side by side, aligned to the Unix epoch.
    Tumbling,
    /// They end where signals pause for longer than this, in microseconds; at the bounds of periods too.
    Session {
        /// The longest pause.
        gap_us: i64,
    },
}

/// What must hold in a window.
#[derive(Debug, Clone, PartialEq)]
pub enum CorrelationTest {
    /// The number of signals.
    EventCount(Bounds),
    /// The number of distinct values.
    ValueCount(Bounds),
    /// The sum of values.
    ValueSum(Bounds),
    /// The mean of values.
    ValueAvg(Bounds),
    /// The value below which so many of a hundred lie, between neighbours in proportion.
    ValuePercentile(u64, Bounds),
    /// Which members are there.
    Temporal(Expression),
    /// Every member, one after the other in the order of their names, and what besides.
    TemporalOrdered(Option<Expression>),
    /// The first member without the second within the span after it.
    Absence,
    /// A value that the group did not have within the span before.
    FirstSeen {
        /// How long the group must have been known, in microseconds.
        learn_us: i64,
    },
    /// Two places too far apart for the time between.
    Travel(Travel),
    /// Any signal, those without a group together: many matches are one alert.
    Any,
}

/// What counts as impossible.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Travel {
    /// Slowest speed that is told, in kilometres an hour.
    pub kmh: f64,
    /// Shortest distance that is told, in kilometres: addresses are located by town at best.
    pub km: f64,
}

/// Bounds that a number must keep, all of them.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Bounds(pub Vec<(ConditionOperator, u64)>);

impl Bounds {
    /// True for a number in millionths, times `scale`.
    pub(crate) fn hold(&self, number: i128, scale: i128) -> bool {
        self.0.iter().all(|(operator, bound)| {
            let bound = i128::from(*bound)
                .saturating_mul(MILLION)
                .saturating_mul(scale);
            match operator {
                ConditionOperator::Lt => number < bound,
                ConditionOperator::Lte => number <= bound,
                ConditionOperator::Gt => number > bound,
                ConditionOperator::Gte => number >= bound,
                ConditionOperator::Eq => number == bound,
                ConditionOperator::Neq => number != bound,
            }
        })
    }
}

/// Which members of a correlation must be in a window.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Expression {
    /// All of these hold.
    And(Vec<Self>),
    /// One of these holds.
    Or(Vec<Self>),
    /// This does not hold.
    Not(Box<Self>),
    /// The member is there.
    Member(usize),
    /// So many of the members are there as the bounds say.
    Number(Bounds, Vec<usize>),
}

impl Expression {
    /// True if it holds where `is_there` says which members are.
    pub(crate) fn holds(&self, is_there: &dyn Fn(usize) -> bool) -> bool {
        match self {
            Self::And(parts) => parts.iter().all(|part| part.holds(is_there)),
            Self::Or(parts) => parts.iter().any(|part| part.holds(is_there)),
            Self::Not(part) => !part.holds(is_there),
            Self::Member(member) => is_there(*member),
            Self::Number(bounds, members) => {
                let found = members.iter().filter(|member| is_there(**member)).count();
                bounds.hold(i128::try_from(found).unwrap_or(i128::MAX) * MILLION, 1)
            }
        }
    }
}

impl Definition {
    /// Length of a period, in microseconds: an outcome never reaches over the bound of two.
    ///
    /// A day, or whole days that the span fits into; windows that lie side by side are their own periods.
    pub(crate) fn period_us(&self) -> i64 {
        if self.window == Window::Tumbling {
            return self.span_us;
        }
        let days = self.span_us.saturating_add(DAY_US - 1) / DAY_US;
        days.max(1).saturating_mul(DAY_US)
    }

    /// How far back signals decide about one that is late by `lateness_us`, in microseconds.
    pub fn memory_us(&self, lateness_us: i64) -> i64 {
        let reach_us = self
            .period_us()
            .saturating_add(self.span_us)
            .saturating_mul(2);
        lateness_us.saturating_add(reach_us)
    }

    /// Start of the period that a time is in.
    pub(crate) fn period_of(&self, time_us: i64) -> i64 {
        let period_us = self.period_us();
        time_us.div_euclid(period_us).saturating_mul(period_us)
    }

    /// True if it is what a rule asks of its own matches: its outcomes are about a record.
    pub(crate) fn is_of_records(&self) -> bool {
        matches!(
            self.test,
            CorrelationTest::FirstSeen { .. } | CorrelationTest::Travel(_) | CorrelationTest::Any
        )
    }

    /// True if values of signals are asked for; those without are left out.
    pub(crate) fn needs_value(&self) -> bool {
        !matches!(
            self.test,
            CorrelationTest::EventCount(_)
                | CorrelationTest::Temporal(_)
                | CorrelationTest::TemporalOrdered(_)
                | CorrelationTest::Absence
                | CorrelationTest::Any
        )
    }
}

/// Seconds in microseconds.
pub(super) fn micros(seconds: u64) -> i64 {
    i64::try_from(seconds)
        .unwrap_or(i64::MAX)
        .saturating_mul(SECOND_US)
}
