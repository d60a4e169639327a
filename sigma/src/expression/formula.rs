//! A rule as a boolean formula over the answers to its tests.

use std::cmp::Ordering;

use super::rows::Rows;

/// A boolean formula; tests are numbered within their plan.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Formula {
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

/// What is known of all rows before any of them is looked at.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Ternary {
    /// It holds for no row.
    Never,
    /// It may hold for some.
    Maybe,
    /// It holds for every row.
    Always,
}

/// What is left of a formula under the ternaries of its tests.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Residual {
    /// It holds for no row.
    Never,
    /// It holds for every row.
    Always,
    /// This decides, and all of its tests are open.
    Open(Formula),
}

impl Formula {
    /// Puts cheap members first, so that dear ones see few rows; `cost` is that of a test.
    pub(crate) fn order(&mut self, cost: &dyn Fn(usize) -> u8) -> u8 {
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
    pub(crate) fn evaluate<E>(
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

    /// What the ternaries of its tests leave to be decided.
    pub(crate) fn residual(&self, test: &dyn Fn(usize) -> Ternary) -> Residual {
        match self {
            Self::Test(number) => match test(*number) {
                Ternary::Never => Residual::Never,
                Ternary::Always => Residual::Always,
                Ternary::Maybe => Residual::Open(self.clone()),
            },
            Self::Not(inner) => match inner.residual(test) {
                Residual::Never => Residual::Always,
                Residual::Always => Residual::Never,
                Residual::Open(inner) => Residual::Open(Self::Not(Box::new(inner))),
            },
            Self::And(members) => at_least_residual(members.len() as u64, members, test),
            Self::Or(members) => at_least_residual(1, members, test),
            Self::AtLeast(count, members) => at_least_residual(*count, members, test),
        }
    }

    /// Calls `found` with every test.
    pub(crate) fn visit_tests(&self, found: &mut dyn FnMut(usize)) {
        match self {
            Self::Test(number) => found(*number),
            Self::Not(inner) => inner.visit_tests(found),
            Self::And(members) | Self::Or(members) | Self::AtLeast(_, members) => {
                for member in members {
                    member.visit_tests(found);
                }
            }
        }
    }
}

/// "All" is at least as many as there are, and "one" is at least one.
fn at_least_residual(count: u64, members: &[Formula], test: &dyn Fn(usize) -> Ternary) -> Residual {
    let mut missing = count;
    let mut open = Vec::new();
    for member in members {
        match member.residual(test) {
            Residual::Never => {}
            Residual::Always => missing = missing.saturating_sub(1),
            Residual::Open(member) => open.push(member),
        }
    }
    if missing == 0 {
        return Residual::Always;
    }
    match (open.len() as u64).cmp(&missing) {
        Ordering::Less => Residual::Never,
        _ if open.len() == 1 => Residual::Open(open.swap_remove(0)),
        Ordering::Equal => Residual::Open(Formula::And(open)),
        Ordering::Greater if missing == 1 => Residual::Open(Formula::Or(open)),
        Ordering::Greater => Residual::Open(Formula::AtLeast(missing, open)),
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
    use super::{Formula, Residual, Rows, Ternary};
    use arrow::buffer::BooleanBuffer;

    /// Evaluates over four rows: test `n` holds for the rows of `answers[n]`.
    fn check(formula: &Formula, answers: &[[bool; 4]], expected: &[usize]) {
        let found = formula
            .evaluate(&Rows::All, &mut |test, _| {
                Ok::<_, ()>(Rows::of(BooleanBuffer::from(answers[test].to_vec())))
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

    #[test]
    fn what_is_known_of_all_rows_need_not_be_asked() {
        use Formula::{And, AtLeast, Not, Or, Test};
        let ternaries = [
            Ternary::Never,
            Ternary::Maybe,
            Ternary::Always,
            Ternary::Maybe,
        ];
        let check = |formula: Formula, expected: Residual| {
            assert_eq!(
                formula.residual(&|test| ternaries[test]),
                expected,
                "{formula:?}"
            );
        };
        check(And(vec![Test(0), Test(1)]), Residual::Never);
        check(And(vec![Test(1), Test(2)]), Residual::Open(Test(1)));
        check(
            Or(vec![And(vec![Test(0), Test(3)]), Test(1)]),
            Residual::Open(Test(1)),
        );
        check(Or(vec![Test(1), Test(2)]), Residual::Always);
        check(Not(Box::new(Test(0))), Residual::Always);
        check(
            Not(Box::new(Test(1))),
            Residual::Open(Not(Box::new(Test(1)))),
        );
        check(
            AtLeast(2, vec![Test(0), Test(1), Test(2), Test(3)]),
            Residual::Open(Or(vec![Test(1), Test(3)])),
        );
        check(
            AtLeast(3, vec![Test(1), Test(2), Test(3)]),
            Residual::Open(And(vec![Test(1), Test(3)])),
        );
        check(AtLeast(4, vec![Test(1), Test(2), Test(3)]), Residual::Never);
        check(And(vec![]), Residual::Always);
        check(Or(vec![]), Residual::Never);
    }
}
