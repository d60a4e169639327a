//! Rows in ever smaller parts where one makes a rule panic: it is left out and named, the others are evaluated.

use std::ops::Range;
use std::panic::{AssertUnwindSafe, catch_unwind};

/// Does something with rows: all together, and where that panics in ever smaller parts; gives the rows at which it panics
/// by themselves.
///
/// # Errors
/// Whatever `each` returns.
pub(crate) fn halve<E>(
    rows: Range<usize>,
    mut each: impl FnMut(Range<usize>) -> Result<(), E>,
) -> Result<Vec<usize>, E> {
    let (mut waiting, mut panicked) = (vec![rows], Vec::new());
    while let Some(rows) = waiting.pop() {
        match catch_unwind(AssertUnwindSafe(|| each(rows.clone()))) {
            Ok(done) => done?,
            Err(_) if rows.len() <= 1 => panicked.extend(rows),
            Err(_) => {
                let middle = rows.start + rows.len() / 2;
                waiting.push(middle..rows.end);
                waiting.push(rows.start..middle);
            }
        }
    }
    Ok(panicked)
}

#[cfg(test)]
mod tests {
    use super::halve;

    #[test]
    fn only_the_rows_at_which_a_rule_panics_are_left_out() {
        let mut done = Vec::new();
        let panicked = halve(0..1_000, |rows| {
            assert!(!rows.contains(&3) && !rows.contains(&700), "of this row");
            done.extend(rows);
            Ok::<(), ()>(())
        });
        assert_eq!(panicked.unwrap(), [3, 700]);
        assert_eq!(done.len(), 998);
        assert!(done.is_sorted());
    }
}
