//! Which windows are listed: at most 24 h wide, at most 7 days back. Pure.

/// One hour in microseconds.
pub(super) const HOUR_US: i64 = 3_600 * 1_000_000;

/// Widest window that the API lists; a wider one may be cut without a word.
const WINDOW_US_MAX: i64 = 24 * HOUR_US;

/// Furthest that a window may begin in the past.
const BACK_US_MAX: i64 = 7 * 24 * HOUR_US;

/// How much later than the limit a window begins, for clocks that differ.
const SLACK_US: i64 = 5 * 60 * 1_000_000;

/// Polls that are no further apart list the last day only: content appears within hours, as a rule within minutes.
const POLLS_APART_US: i64 = HOUR_US;

/// A window of creation times of content; the end is exclusive.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Window {
    pub(super) from_us: i64,
    pub(super) to_us: i64,
}

/// What is to be listed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Plan {
    /// Where the first window begins.
    pub(super) from_us: i64,
    /// In order of time.
    pub(super) windows: Vec<Window>,
    /// What lies further back than can be listed.
    pub(super) lost: Option<Window>,
    /// What was read, and lies further back than can be listed: what was listed late in it is out of reach.
    pub(super) unseen: Option<Window>,
}

/// Plans the windows of a poll.
///
/// At each poll the 24 h before the cursor, which stands at the end of what has been read whole, are listed again,
/// because content appears late. While polls follow each other that is the last day.
pub(super) fn plan(cursor_us: Option<i64>, now_us: i64, first_hours: u32) -> Plan {
    let to_us = whole_second(now_us);
    let earliest_us = to_us - BACK_US_MAX + SLACK_US;
    let day_us = to_us - WINDOW_US_MAX;
    let wanted_us = match cursor_us.map(whole_second) {
        Some(cursor_us) if to_us.saturating_sub(cursor_us) <= POLLS_APART_US => day_us,
        Some(cursor_us) => cursor_us.saturating_sub(WINDOW_US_MAX).min(day_us),
        None => {
            let hours = i64::from(first_hours).saturating_mul(HOUR_US);
            (to_us - hours.min(BACK_US_MAX)).min(day_us)
        }
    };
    let from_us = wanted_us.max(earliest_us);
    // What a first poll cannot see was never promised.
    let read_to_us = cursor_us.map_or(from_us, whole_second);
    let between = |from_us, to_us| (from_us < to_us).then_some(Window { from_us, to_us });
    let lost = between(read_to_us, from_us);
    let unseen = cursor_us.and_then(|_| between(wanted_us, from_us.min(read_to_us)));
    let mut windows = Vec::new();
    let mut start_us = from_us;
    while start_us < to_us {
        let end_us = (start_us + WINDOW_US_MAX).min(to_us);
        windows.push(Window {
            from_us: start_us,
            to_us: end_us,
        });
        start_us = end_us;
    }
    Plan {
        from_us,
        windows,
        lost,
        unseen,
    }
}

/// Where a cursor stands ahead of the time, so that nobody knows what was read: all that can be listed.
pub(super) fn ahead(cursor_us: i64, now_us: i64) -> Option<Window> {
    let from_us = whole_second(now_us) - BACK_US_MAX + SLACK_US;
    (cursor_us > now_us.saturating_add(SLACK_US)).then_some(Window {
        from_us,
        to_us: cursor_us,
    })
}

/// The UTC days that a window touches.
pub(super) fn day_of(window: Window) -> Window {
    let from_us = window.from_us.div_euclid(WINDOW_US_MAX) * WINDOW_US_MAX;
    let to_us = (window.to_us - 1).div_euclid(WINDOW_US_MAX) * WINDOW_US_MAX + WINDOW_US_MAX;
    Window { from_us, to_us }
}

/// A time as the API takes it: UTC, whole seconds, no zone.
pub(super) fn text(time_us: i64) -> String {
    schemas::time::iso_ms(time_us)
        .chars()
        .take("2026-09-14T08:00:00".len())
        .collect()
}

fn whole_second(time_us: i64) -> i64 {
    time_us.div_euclid(1_000_000) * 1_000_000
}

#[cfg(test)]
mod tests {
    use super::{HOUR_US, SLACK_US, Window, ahead, day_of, plan, text};

    const NOW_US: i64 = 1_789_000_000_500_000;
    const NOW_S_US: i64 = 1_789_000_000_000_000;
    const DAY_US: i64 = 24 * HOUR_US;

    #[test]
    fn a_steady_poll_lists_the_last_day_again() {
        let plan = plan(Some(NOW_US - 60_000_000), NOW_US, 168);
        assert_eq!(
            plan.windows,
            [Window {
                from_us: NOW_S_US - DAY_US,
                to_us: NOW_S_US
            }]
        );
        assert_eq!(plan.lost, None);
    }

    #[test]
    fn catches_up_in_windows_of_a_day_without_holes() {
        let cursor = NOW_S_US - 3 * DAY_US - HOUR_US;
        let plan = plan(Some(cursor), NOW_US, 168);
        assert_eq!(plan.windows.len(), 5);
        assert_eq!(plan.windows[0].from_us, cursor - DAY_US);
        for pair in plan.windows.windows(2) {
            assert_eq!(pair[0].to_us, pair[1].from_us);
            assert_eq!(pair[0].to_us - pair[0].from_us, DAY_US);
        }
        assert_eq!(plan.windows[4].to_us, NOW_S_US);
        assert_eq!((plan.lost, plan.unseen), (None, None));
    }

    #[test]
    fn what_was_listed_late_before_an_outage_is_listed_again() {
        for hours in [2, 20, 40, 140] {
            let cursor = NOW_S_US - hours * HOUR_US;
            let plan = plan(Some(cursor), NOW_US, 168);
            assert_eq!(plan.windows[0].from_us, cursor - DAY_US, "{hours} h");
        }
        // As far as it can be; the rest is said.
        let cursor = NOW_S_US - 160 * HOUR_US;
        let earliest = NOW_S_US - 7 * DAY_US + SLACK_US;
        let plan = plan(Some(cursor), NOW_US, 168);
        assert_eq!(plan.windows[0].from_us, earliest);
        assert_eq!(plan.lost, None);
        let unseen = Window {
            from_us: cursor - DAY_US,
            to_us: earliest,
        };
        assert_eq!(plan.unseen, Some(unseen));
    }

    #[test]
    fn what_is_older_than_seven_days_is_lost_and_said_so() {
        let cursor = NOW_S_US - 9 * DAY_US;
        let plan = plan(Some(cursor), NOW_US, 168);
        let earliest = NOW_S_US - 7 * DAY_US + SLACK_US;
        assert_eq!(
            plan.lost,
            Some(Window {
                from_us: cursor,
                to_us: earliest
            })
        );
        assert_eq!(plan.windows[0].from_us, earliest);
        assert_eq!(plan.windows.len(), 7);
        let unseen = Window {
            from_us: cursor - DAY_US,
            to_us: cursor,
        };
        assert_eq!(plan.unseen, Some(unseen));
    }

    #[test]
    fn a_first_poll_looks_back_as_far_as_configured_and_loses_nothing() {
        let week = plan(None, NOW_US, 168);
        assert_eq!((week.windows.len(), week.lost), (7, None));
        assert_eq!(plan(None, NOW_US, 1).windows.len(), 1);
        assert_eq!(plan(None, NOW_US, u32::MAX).windows.len(), 7);
    }

    #[test]
    fn a_cursor_ahead_of_the_time_means_that_all_is_listed_again() {
        assert_eq!(ahead(NOW_US + SLACK_US, NOW_US), None);
        let jumped = NOW_US + 99 * HOUR_US;
        let window = Window {
            from_us: NOW_S_US - 7 * DAY_US + SLACK_US,
            to_us: jumped,
        };
        assert_eq!(ahead(jumped, NOW_US), Some(window));
    }

    #[test]
    fn a_cursor_in_the_future_is_no_window() {
        let plan = plan(Some(NOW_US + 99 * HOUR_US), NOW_US, 168);
        assert_eq!(
            plan.windows,
            [Window {
                from_us: NOW_S_US - DAY_US,
                to_us: NOW_S_US
            }]
        );
    }

    #[test]
    fn times_have_no_zone() {
        assert_eq!(text(1_789_372_800_999_000), "2026-09-14T08:00:00");
        let window = Window {
            from_us: DAY_US + 5,
            to_us: 2 * DAY_US,
        };
        assert_eq!(
            day_of(window),
            Window {
                from_us: DAY_US,
                to_us: 2 * DAY_US
            }
        );
    }
}
