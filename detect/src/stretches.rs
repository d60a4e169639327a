//! Pure: stretches of time, in microseconds since the Unix epoch, UTC, both ends belonging to them.

use columns::DAY_US;

/// The parts of a stretch of time that none of some others has, which do not touch each other.
pub(crate) fn missing(others: &[(i64, i64)], from_us: i64, to_us: i64) -> Vec<(i64, i64)> {
    let mut others: Vec<(i64, i64)> = others.to_vec();
    others.sort_unstable();
    let mut parts = Vec::new();
    let mut next_us = from_us;
    for (first_us, last_us) in others {
        if first_us > to_us {
            break;
        }
        if first_us > next_us {
            parts.push((next_us, first_us));
        }
        next_us = next_us.max(last_us);
    }
    if next_us < to_us {
        parts.push((next_us, to_us));
    }
    parts
}

/// The start of the day, UTC, that a time is in.
pub(crate) fn start_of_day(time_us: i64) -> i64 {
    time_us.div_euclid(DAY_US).saturating_mul(DAY_US)
}

/// Adds a stretch of time to others; those that it touches become one.
pub(crate) fn join(stretches: &mut Vec<(i64, i64)>, mut from_us: i64, mut to_us: i64) {
    stretches.retain(|(first_us, last_us)| {
        let is_apart = *last_us < from_us || to_us < *first_us;
        if !is_apart {
            from_us = from_us.min(*first_us);
            to_us = to_us.max(*last_us);
        }
        is_apart
    });
    stretches.push((from_us, to_us));
}

#[cfg(test)]
mod tests {
    use super::{join, missing};

    #[track_caller]
    fn check(others: &[(i64, i64)], expected: &[(i64, i64)]) {
        assert_eq!(missing(others, 10, 20), expected, "{others:?}");
    }

    #[test]
    fn only_what_nobody_has_is_missing() {
        check(&[], &[(10, 20)]);
        check(&[(0, 30)], &[]);
        check(&[(10, 20)], &[]);
        check(&[(0, 5), (25, 30)], &[(10, 20)]);
        check(&[(0, 12)], &[(12, 20)]);
        check(&[(18, 30)], &[(10, 18)]);
        check(&[(15, 16), (12, 13)], &[(10, 12), (13, 15), (16, 20)]);
    }

    #[test]
    fn what_is_brought_is_missing_no_more() {
        let mut stretches = Vec::new();
        for (from_us, to_us) in [(10, 20), (40, 50), (20, 30), (0, 60)] {
            for (from_us, to_us) in missing(&stretches, from_us, to_us) {
                join(&mut stretches, from_us, to_us);
            }
            assert_eq!(missing(&stretches, from_us, to_us), []);
        }
        assert_eq!(stretches, [(0, 60)]);
    }
}
