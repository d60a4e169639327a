//! What a window holds, kept up to date as signals come into it and leave it.
//!
//! Exact: the same signals give the same answer whatever was in the window before.

use std::sync::Arc;

use ahash::HashMap;

use super::definition::{CorrelationTest, Definition, Expression, MILLION};
use super::point::{Point, PointValue};

/// The running answer to a [`CorrelationTest`].
pub(super) struct Counter<'a> {
    test: &'a CorrelationTest,
    points: usize,
    values: HashMap<Arc<str>, usize>,
    sum: i128,
    ranks: Ranks,
    members: Vec<usize>,
    chain: Chain,
}

impl<'a> Counter<'a> {
    /// Nothing is in the window yet; `points` are all that may come.
    pub(super) fn new(definition: &'a Definition, points: &[Point]) -> Self {
        let ranks = match definition.test {
            CorrelationTest::ValuePercentile(..) => Ranks::new(points),
            _ => Ranks::default(),
        };
        Self {
            test: &definition.test,
            points: 0,
            values: HashMap::default(),
            sum: 0,
            ranks,
            members: vec![0; definition.members.len()],
            chain: Chain(vec![None; definition.members.len()]),
        }
    }

    pub(super) fn add(&mut self, point: &Point) {
        self.points += 1;
        match (self.test, &point.value) {
            (CorrelationTest::ValueCount(_), PointValue::Text(value)) => {
                *self.values.entry(Arc::clone(value)).or_default() += 1;
            }
            (
                CorrelationTest::ValueSum(_) | CorrelationTest::ValueAvg(_),
                PointValue::Number(number),
            ) => self.sum += number,
            (CorrelationTest::ValuePercentile(..), PointValue::Number(number)) => {
                self.ranks.add(*number);
            }
            (CorrelationTest::Temporal(_), _) => self.members[point.member] += 1,
            (CorrelationTest::TemporalOrdered(_), _) => {
                self.members[point.member] += 1;
                self.chain.add(point);
            }
            _ => {}
        }
    }

    pub(super) fn remove(&mut self, point: &Point) {
        self.points -= 1;
        match (self.test, &point.value) {
            (CorrelationTest::ValueCount(_), PointValue::Text(value)) => {
                if let Some(count) = self.values.get_mut(value) {
                    *count -= 1;
                    if *count == 0 {
                        self.values.remove(value);
                    }
                }
            }
            (
                CorrelationTest::ValueSum(_) | CorrelationTest::ValueAvg(_),
                PointValue::Number(number),
            ) => self.sum -= number,
            (CorrelationTest::ValuePercentile(..), PointValue::Number(number)) => {
                self.ranks.remove(*number);
            }
            (CorrelationTest::Temporal(_) | CorrelationTest::TemporalOrdered(_), _) => {
                self.members[point.member] -= 1;
            }
            _ => {}
        }
    }

    /// True if the window's signals, none of them before `start_us`, pass the test.
    pub(super) fn holds(&self, start_us: i64) -> bool {
        let count = |count: usize| i128::try_from(count).unwrap_or(i128::MAX / MILLION) * MILLION;
        let expression =
            |expression: &Expression| expression.holds(&|member| self.members[member] > 0);
        match self.test {
            CorrelationTest::EventCount(bounds) => bounds.hold(count(self.points), 1),
            CorrelationTest::ValueCount(bounds) => bounds.hold(count(self.values.len()), 1),
            CorrelationTest::ValueSum(bounds) => bounds.hold(self.sum, 1),
            // The mean is compared without dividing: a quotient would be rounded.
            CorrelationTest::ValueAvg(bounds) => {
                bounds.hold(self.sum, count(self.points) / MILLION)
            }
            CorrelationTest::ValuePercentile(rank, bounds) => self
                .ranks
                .percentile(*rank)
                .is_some_and(|(number, scale)| bounds.hold(number, scale)),
            CorrelationTest::Temporal(wanted) => expression(wanted),
            CorrelationTest::TemporalOrdered(wanted) => {
                self.chain.is_whole(start_us) && wanted.as_ref().is_none_or(expression)
            }
            CorrelationTest::Any => true,
            CorrelationTest::Absence
            | CorrelationTest::FirstSeen { .. }
            | CorrelationTest::Travel(_) => false,
        }
    }
}

/// For each member, the latest beginning of a chain of all members up to it.
struct Chain(Vec<Option<i64>>);

impl Chain {
    fn add(&mut self, point: &Point) {
        let begins = match point.member.checked_sub(1) {
            None => Some(point.time_us),
            Some(before) => self.0[before],
        };
        self.0[point.member] = self.0[point.member].max(begins);
    }

    fn is_whole(&self, start_us: i64) -> bool {
        let begins = self.0.last().copied().flatten();
        begins.is_some_and(|begins_us| begins_us >= start_us)
    }
}

/// Numbers in a window by rank: a Fenwick tree over all numbers that may come.
#[derive(Default)]
struct Ranks {
    numbers: Vec<i128>,
    tree: Vec<usize>,
    count: usize,
}

impl Ranks {
    fn new(points: &[Point]) -> Self {
        let number = |point: &Point| match point.value {
            PointValue::Number(number) => Some(number),
            _ => None,
        };
        let mut numbers: Vec<i128> = points.iter().filter_map(number).collect();
        numbers.sort_unstable();
        numbers.dedup();
        Self {
            tree: vec![0; numbers.len() + 1],
            numbers,
            count: 0,
        }
    }

    fn add(&mut self, number: i128) {
        self.count += 1;
        self.change(number, |count| count + 1);
    }

    fn remove(&mut self, number: i128) {
        self.count -= 1;
        self.change(number, |count| count - 1);
    }

    fn change(&mut self, number: i128, change: impl Fn(usize) -> usize) {
        let mut at = self.numbers.partition_point(|known| *known < number) + 1;
        while at < self.tree.len() {
            self.tree[at] = change(self.tree[at]);
            at += at & at.wrapping_neg();
        }
    }

    /// The number with so many smaller or equal ones before it.
    fn at(&self, mut rank: usize) -> Option<i128> {
        let mut at = 0;
        let mut step = self.tree.len().next_power_of_two();
        while step > 0 {
            if at + step < self.tree.len() && self.tree[at + step] <= rank {
                at += step;
                rank -= self.tree[at];
            }
            step /= 2;
        }
        self.numbers.get(at).copied()
    }

    /// The percentile, times the second number.
    fn percentile(&self, rank: u64) -> Option<(i128, i128)> {
        let last = self.count.checked_sub(1)?;
        let position = i128::try_from(last).ok()? * i128::from(rank);
        let below = self.at(usize::try_from(position / 100).ok()?)?;
        let above = self.at(usize::try_from((position + 99) / 100).ok()?)?;
        Some((below * 100 + (above - below) * (position % 100), 100))
    }
}
