//! A rule as a boolean formula over the answers to its tests.

use arrow::array::{Array, BooleanArray};
use arrow::buffer::BooleanBuffer;
use datafusion::common::ScalarValue;
use datafusion::logical_expr::{Expr, cast, lit};

/// A boolean formula; tests are numbered within their plan.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Formula {
    /// The answer to a test.
    Test(usize),
    /// All hold.
    And(Vec<Formula>),
    /// One holds.
    Or(Vec<Formula>),
    /// It does not hold.
    Not(Box<Formula>),
    /// At least so many hold.
    AtLeast(u64, Vec<Formula>),
}

/// The rows of a batch for which something holds.
#[derive(Debug, Clone)]
pub enum Rows {
    /// None: the common case, which costs nothing further.
    None,
    /// All.
    All,
    /// Those whose bit is set.
    Some(BooleanBuffer),
}

impl Rows {
    /// The rows where `array` is true.
    pub fn of(array: &BooleanArray) -> Self {
        let bits = match array.nulls() {
            Some(valid) => array.values() & valid.inner(),
            None => array.values().clone(),
        };
        Self::normal(bits)
    }

    fn normal(bits: BooleanBuffer) -> Self {
        match bits.count_set_bits() {
            0 => Self::None,
            all if all == bits.len() => Self::All,
            _ => Self::Some(bits),
        }
    }

    /// True if no row is in it.
    pub fn is_none(&self) -> bool {
        matches!(self, Self::None)
    }

    /// Rows in both.
    #[must_use]
    pub fn and(&self, other: &Self) -> Self {
        match (self, other) {
            (Self::None, _) | (_, Self::None) => Self::None,
            (Self::All, rows) | (rows, Self::All) => rows.clone(),
            (Self::Some(left), Self::Some(right)) => Self::normal(left & right),
        }
    }

    /// Rows in either.
    #[must_use]
    pub fn or(&self, other: &Self) -> Self {
        match (self, other) {
            (Self::All, _) | (_, Self::All) => Self::All,
            (Self::None, rows) | (rows, Self::None) => rows.clone(),
            (Self::Some(left), Self::Some(right)) => Self::normal(left | right),
        }
    }

    /// Rows not in it.
    #[must_use]
    pub fn not(&self) -> Self {
        match self {
            Self::None => Self::All,
            Self::All => Self::None,
            Self::Some(bits) => Self::Some(!bits),
        }
    }

    /// Their numbers, in order, in a batch of `rows` rows.
    pub fn numbers(&self, rows: usize) -> Vec<usize> {
        match self {
            Self::None => Vec::new(),
            Self::All => (0..rows).collect(),
            Self::Some(bits) => bits.set_indices().collect(),
        }
    }
}

impl Formula {
    /// Puts cheap members first, so that dear ones see few rows; `cost` is that of a test.
    pub fn order(&mut self, cost: &dyn Fn(usize) -> u8) -> u8 {
        match self {
            Self::Test(test) => cost(*test),
            Self::Not(inner) => inner.order(cost),
            Self::And(members) | Self::Or(members) | Self::AtLeast(_, members) => {
                members.sort_by_cached_key(|member| member.clone().order(cost));
                members
                    .iter_mut()
                    .map(|member| member.order(cost))
                    .max()
                    .unwrap_or(0)
            }
        }
    }

    /// The rows among `candidates` for which it holds; `ask` answers a test for some candidates.
    ///
    /// # Errors
    /// Whatever `ask` returns.
    pub fn evaluate<E>(
        &self,
        candidates: &Rows,
        ask: &mut dyn FnMut(usize, &Rows) -> Result<Rows, E>,
    ) -> Result<Rows, E> {
        if candidates.is_none() {
            return Ok(Rows::None);
        }
        match self {
            Self::Test(test) => Ok(ask(*test, candidates)?.and(candidates)),
            Self::Not(inner) => Ok(candidates.and(&inner.evaluate(candidates, ask)?.not())),
            Self::And(members) => {
                let mut found = candidates.clone();
                for member in members {
                    found = member.evaluate(&found, ask)?;
                    if found.is_none() {
                        break;
                    }
                }
                Ok(found)
            }
            Self::Or(members) => {
                let mut found = Rows::None;
                for member in members {
                    let open = candidates.and(&found.not());
                    found = found.or(&member.evaluate(&open, ask)?);
                }
                Ok(found)
            }
            Self::AtLeast(count, members) => at_least(*count, members, candidates, ask),
        }
    }

    /// The same as an expression for SQL; `test` gives the expression of a test.
    pub fn expression(&self, test: &dyn Fn(usize) -> Expr) -> Expr {
        let fold = |members: &[Self], empty: bool, join: fn(Expr, Expr) -> Expr| {
            members
                .iter()
                .map(|member| member.expression(test))
                .reduce(join)
                .unwrap_or_else(|| lit(empty))
        };
        match self {
            Self::Test(number) => test(*number),
            Self::Not(inner) => Expr::Not(Box::new(inner.expression(test))),
            Self::And(members) => fold(members, true, Expr::and),
            Self::Or(members) => fold(members, false, Expr::or),
            Self::AtLeast(count, members) => members
                .iter()
                .map(|member| cast(member.expression(test), arrow::datatypes::DataType::UInt64))
                .reduce(|left, right| left + right)
                .unwrap_or_else(|| lit(0_u64))
                .gt_eq(Expr::Literal(ScalarValue::UInt64(Some(*count)), None)),
        }
    }
}

/// Rows in at least `count` of the members: level `n` holds the rows that were in `n` of them so far.
fn at_least<E>(
    count: u64,
    members: &[Formula],
    candidates: &Rows,
    ask: &mut dyn FnMut(usize, &Rows) -> Result<Rows, E>,
) -> Result<Rows, E> {
    let needed = usize::try_from(count).unwrap_or(usize::MAX);
    if needed > members.len() {
        return Ok(Rows::None);
    }
    let mut levels = vec![Rows::None; needed + 1];
    levels[0] = candidates.clone();
    for member in members {
        let found = member.evaluate(candidates, ask)?;
        for level in (1..=needed).rev() {
            levels[level] = levels[level].or(&levels[level - 1].and(&found));
        }
    }
    Ok(levels.swap_remove(needed))
}

#[cfg(test)]
mod tests {
    use super::{Formula, Rows};
    use arrow::array::BooleanArray;

    /// Evaluates over four rows: test `n` holds for the rows of `answers[n]`.
    fn check(formula: &Formula, answers: &[[bool; 4]], expected: &[usize]) {
        let found = formula
            .evaluate(&Rows::All, &mut |test, _| {
                Ok::<_, ()>(Rows::of(&BooleanArray::from(answers[test].to_vec())))
            })
            .unwrap();
        assert_eq!(found.numbers(4), expected, "{formula:?}");
    }

    #[test]
    fn combines_rows() {
        use Formula::{And, AtLeast, Not, Or, Test};
        let answers = [
            [true, true, false, false],
            [true, false, true, false],
            [false, false, false, false],
        ];
        check(&And(vec![Test(0), Test(1)]), &answers, &[0]);
        check(&Or(vec![Test(0), Test(1), Test(2)]), &answers, &[0, 1, 2]);
        check(&Not(Box::new(Or(vec![Test(0), Test(1)]))), &answers, &[3]);
        check(&And(vec![Test(0), Not(Box::new(Test(1)))]), &answers, &[1]);
        check(&AtLeast(2, vec![Test(0), Test(1), Test(2)]), &answers, &[0]);
        check(&AtLeast(1, vec![Test(0), Test(1)]), &answers, &[0, 1, 2]);
        check(&AtLeast(4, vec![Test(0)]), &answers, &[]);
        check(&And(vec![]), &answers, &[0, 1, 2, 3]);
    }
}
