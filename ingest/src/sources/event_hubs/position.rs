//! Where a partition is read from, and whether a message is the next one. Pure.

use serde::{Deserialize, Serialize};

/// Where a partition stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Cursor {
    /// Sequence number of the first message that is not published.
    pub(super) next: i64,
    /// When the hub was made, in microseconds since the Unix epoch.
    pub(super) created_us: i64,
}

/// What the hub says about a partition.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Facts {
    pub(super) created_us: i64,
    /// Sequence number of its oldest message.
    pub(super) first: i64,
    /// Sequence number of its newest message.
    pub(super) last: i64,
    pub(super) is_empty: bool,
}

/// Messages that will not come.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Missing {
    pub(super) from: i64,
    /// Exclusive.
    pub(super) to: i64,
    pub(super) why: &'static str,
}

/// Where a partition is read from.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Start {
    pub(super) next: i64,
    pub(super) missing: Option<Missing>,
}

/// Decides where a partition is read from.
pub(super) fn start(cursor: Option<Cursor>, facts: Facts) -> Start {
    let first = facts.first.max(0);
    // A partition that was never written to says 0 and -1, or 0 and 0 with a mark.
    let end = if facts.is_empty && facts.last <= 0 {
        first
    } else {
        facts.last.saturating_add(1)
    };
    let Some(cursor) = cursor else {
        return Start {
            next: first,
            missing: None,
        };
    };
    let is_other =
        cursor.created_us != 0 && facts.created_us != 0 && cursor.created_us != facts.created_us;
    if is_other || cursor.next > end {
        // Sequence numbers begin anew in a hub that was made again.
        return Start {
            next: first,
            missing: Some(Missing {
                from: cursor.next,
                to: cursor.next.saturating_add(1),
                why: "the hub was made again: what came after this number in the old one is unknown",
            }),
        };
    }
    let is_expired = cursor.next < first;
    Start {
        next: cursor.next.max(first),
        missing: is_expired.then_some(Missing {
            from: cursor.next,
            to: first,
            why: "older than the hub keeps",
        }),
    }
}

/// What a message is to a reader that waits for `next`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Order {
    /// The one that is waited for.
    Next,
    /// Read already.
    Again,
    /// Some before it did not come.
    Hole,
}

/// Tells what a message is.
pub(super) fn order(next: i64, sequence: i64) -> Order {
    match sequence.cmp(&next) {
        std::cmp::Ordering::Less => Order::Again,
        std::cmp::Ordering::Equal => Order::Next,
        std::cmp::Ordering::Greater => Order::Hole,
    }
}

#[cfg(test)]
mod tests {
    use super::{Cursor, Facts, Order, Start, order, start};

    fn facts(first: i64, last: i64) -> Facts {
        Facts {
            created_us: 7,
            first,
            last,
            is_empty: last < first,
        }
    }

    fn cursor(next: i64) -> Cursor {
        Cursor {
            next,
            created_us: 7,
        }
    }

    #[test]
    fn goes_on_where_it_was_left_and_never_at_the_latest() {
        assert_eq!(
            start(None, facts(5, 9)),
            Start {
                next: 5,
                missing: None
            }
        );
        assert_eq!(
            start(None, facts(0, -1)),
            Start {
                next: 0,
                missing: None
            }
        );
        assert_eq!(
            start(Some(cursor(7)), facts(5, 9)),
            Start {
                next: 7,
                missing: None
            }
        );
        assert_eq!(
            start(Some(cursor(10)), facts(5, 9)),
            Start {
                next: 10,
                missing: None
            }
        );
        assert_eq!(
            start(Some(cursor(0)), facts(0, -1)),
            Start {
                next: 0,
                missing: None
            }
        );
    }

    #[test]
    fn an_empty_partition_that_was_full_once_keeps_the_cursor() {
        let emptied = Facts {
            created_us: 7,
            first: 10,
            last: 9,
            is_empty: true,
        };
        assert_eq!(
            start(Some(cursor(10)), emptied),
            Start {
                next: 10,
                missing: None
            }
        );
    }

    #[test]
    fn what_the_hub_keeps_no_longer_is_missing() {
        let start = start(Some(cursor(2)), facts(5, 9));
        let missing = start.missing.unwrap();
        assert_eq!((start.next, missing.from, missing.to), (5, 2, 5));
    }

    #[test]
    fn a_hub_that_was_made_again_is_read_from_its_beginning() {
        let beyond = start(Some(cursor(100)), facts(0, 9));
        assert_eq!(beyond.next, 0);
        assert!(beyond.missing.is_some());
        let other = start(
            Some(cursor(5)),
            Facts {
                created_us: 8,
                ..facts(0, 9)
            },
        );
        assert_eq!(other.next, 0);
        assert!(other.missing.is_some());
    }

    #[test]
    fn a_message_is_next_again_or_behind_a_hole() {
        assert_eq!(order(5, 5), Order::Next);
        assert_eq!(order(5, 4), Order::Again);
        assert_eq!(order(5, 6), Order::Hole);
    }
}
