//! What a page of alerts says about the next. Pure.

use schemas::time;
use serde::Deserialize;

const SECOND_US: i64 = 1_000_000;
const DAY_US: i64 = 24 * 3_600 * SECOND_US;

/// A page, as far as paging needs it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Page {
    /// The times of its alerts, in its order; an alert without one counts as 0.
    updates_us: Vec<i64>,
    next: Option<String>,
}

impl Page {
    /// The newest change that has happened by now: a cursor must not follow an alert that says it is of 2099.
    pub(super) fn newest_by(&self, now_us: i64) -> Option<i64> {
        let past = self.updates_us.iter().copied();
        past.filter(|update_us| (1..=now_us).contains(update_us))
            .max()
    }

    fn newest_us(&self) -> Option<i64> {
        self.updates_us
            .iter()
            .copied()
            .max()
            .filter(|newest_us| *newest_us > 0)
    }
}

/// How far ahead a time may lie, for clocks that differ.
const SLACK_US: i64 = 5 * 60 * SECOND_US;

/// True if a time lies ahead of the time.
pub(super) fn is_ahead(time_us: i64, now_us: i64) -> bool {
    time_us > now_us.saturating_add(SLACK_US)
}

/// What follows a page.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Then {
    /// Nothing.
    Done,
    /// The page behind this link.
    Next(String),
    /// A new listing from this time on.
    Boundary(i64),
    /// Something may be missing and cannot be asked for.
    Stuck(&'static str),
}

/// Where a poll begins: before the newest known change, because alerts appear late.
pub(super) fn from_us(cursor_us: Option<i64>, now_us: i64, first_days: u32, overlap_s: u32) -> i64 {
    match cursor_us {
        Some(cursor_us) => cursor_us
            .min(now_us)
            .saturating_sub(i64::from(overlap_s) * SECOND_US),
        None => now_us.saturating_sub(i64::from(first_days) * DAY_US).max(0),
    }
}

/// How far back a poll without a cursor looks, where sources are read again that had been begun at a time.
pub(super) fn days_back(first_days: u32, begun_us: Option<i64>, now_us: i64) -> u32 {
    let Some(begun_us) = begun_us else {
        return first_days;
    };
    let since_us = now_us.saturating_sub(begun_us).max(0);
    let since_days = since_us.div_euclid(DAY_US).saturating_add(1);
    u32::try_from(since_days)
        .unwrap_or(u32::MAX)
        .saturating_add(first_days)
}

#[derive(Deserialize)]
struct Body {
    #[serde(rename = "@odata.nextLink", default)]
    next: Option<String>,
    value: Vec<Item>,
}

#[derive(Deserialize)]
struct Item {
    #[serde(rename = "lastUpdateDateTime", default)]
    last_update: Option<String>,
}

/// Reads a page.
///
/// # Errors
/// A word on what it is instead.
pub(super) fn read(body: &[u8]) -> Result<Page, &'static str> {
    let body = body.strip_prefix(b"\xEF\xBB\xBF").unwrap_or(body);
    let body: Body = serde_json::from_slice(body).map_err(|_| "no page of alerts")?;
    let update_us = |item: &Item| {
        item.last_update
            .as_deref()
            .and_then(time::parse_us)
            .unwrap_or(0)
    };
    Ok(Page {
        updates_us: body.value.iter().map(update_us).collect(),
        next: body.next.filter(|next| !next.is_empty()),
    })
}

/// What follows `page`, which was asked for from `boundary_us` on with `top` alerts.
///
/// The service is known to leave the link out of full pages, and to ignore the order.
pub(super) fn then(page: &Page, top: u32, boundary_us: i64) -> Then {
    if let Some(next) = &page.next {
        return Then::Next(next.clone());
    }
    if page.updates_us.len() < top as usize {
        return Then::Done;
    }
    if !page.updates_us.is_sorted() {
        return Then::Stuck("a full page without order and without a next page");
    }
    match page.newest_us() {
        // The filter takes milliseconds: the boundary must move by one at least.
        Some(newest_us) if newest_us / 1_000 > boundary_us / 1_000 => Then::Boundary(newest_us),
        _ => Then::Stuck("a full page of one time without a next page"),
    }
}

#[cfg(test)]
mod tests {
    use super::{Page, SLACK_US, Then, days_back, from_us, is_ahead, read, then};

    fn page(updates_us: &[i64], next: Option<&str>) -> Page {
        Page {
            updates_us: updates_us.to_vec(),
            next: next.map(str::to_owned),
        }
    }

    #[test]
    fn a_page_says_what_follows() {
        for (page, expected) in [
            (page(&[], None), Then::Done),
            (page(&[1_000], None), Then::Done),
            (page(&[1_000, 2_000], Some("n")), Then::Next("n".to_owned())),
            (page(&[1_000, 2_000], None), Then::Boundary(2_000)),
            (
                page(&[2_000, 1_000], None),
                Then::Stuck("a full page without order and without a next page"),
            ),
            (
                page(&[0, 500], None),
                Then::Stuck("a full page of one time without a next page"),
            ),
        ] {
            assert_eq!(then(&page, 2, 0), expected, "{page:?}");
        }
    }

    #[test]
    fn a_poll_begins_before_what_is_known() {
        assert_eq!(from_us(Some(100_000_000), 200_000_000, 30, 60), 40_000_000);
        assert_eq!(from_us(Some(900_000_000), 200_000_000, 30, 60), 140_000_000);
        assert_eq!(from_us(None, 2 * super::DAY_US, 1, 60), super::DAY_US);
    }

    #[test]
    fn what_is_read_again_is_read_back_to_where_it_began() {
        let now_us = 90 * super::DAY_US;
        assert_eq!(days_back(30, None, now_us), 30);
        assert_eq!(days_back(30, Some(20 * super::DAY_US), now_us), 101);
        assert_eq!(days_back(30, Some(0), now_us), 121);
        // Begun by a clock that was ahead.
        assert_eq!(days_back(30, Some(99 * super::DAY_US), now_us), 31);
    }

    #[test]
    fn an_alert_of_the_future_moves_no_cursor() {
        let now_us = 5_000;
        assert_eq!(
            page(&[1, 4_000, 9_000], None).newest_by(now_us),
            Some(4_000)
        );
        assert_eq!(page(&[9_000], None).newest_by(now_us), None);
        assert!(!is_ahead(now_us + SLACK_US, now_us));
        assert!(is_ahead(now_us + SLACK_US + 1, now_us));
    }

    #[test]
    fn what_is_no_page_is_named() {
        assert!(read(b"<html>").is_err());
        assert!(read(b"[]").is_err());
        let page =
            read(br#"{"value":[{"lastUpdateDateTime":"1970-01-01T00:00:01.5Z"},{}]}"#).unwrap();
        assert_eq!(page.updates_us, [1_500_000, 0]);
    }
}
