//! Which object ids and names belong together, as the journal keeps it.

use std::collections::BTreeSet;

use rusqlite::{Connection, OptionalExtension, Transaction, params};

use super::{JournalError, rows};
use crate::accounts::{Half, PAIRS_MAX, Pair};
use crate::cases::SeenAlert;

/// Keeps pairs, each at the newest time at which it was seen; forgets what is beyond [`PAIRS_MAX`].
pub(super) fn learn(transaction: &Transaction<'_>, pairs: &[Pair]) -> Result<(), JournalError> {
    learn_at_most(transaction, pairs, PAIRS_MAX)
}

fn learn_at_most(
    transaction: &Transaction<'_>,
    pairs: &[Pair],
    count_max: usize,
) -> Result<(), JournalError> {
    let mut put = transaction.prepare_cached(
        "INSERT INTO pairs (tenant_id, user_id, user, seen_time_us) VALUES (?1, ?2, ?3, ?4) \
         ON CONFLICT (tenant_id, user_id, user) \
         DO UPDATE SET seen_time_us = max(seen_time_us, excluded.seen_time_us)",
    )?;
    for pair in pairs {
        put.execute(params![
            pair.tenant_id,
            pair.user_id,
            pair.user,
            pair.seen_time_us
        ])?;
    }
    let tenants: BTreeSet<&str> = pairs.iter().map(|pair| pair.tenant_id.as_str()).collect();
    let mut forget = transaction.prepare_cached(
        "DELETE FROM pairs WHERE (tenant_id, user_id, user) IN (SELECT tenant_id, user_id, user FROM pairs \
         WHERE tenant_id = ?1 ORDER BY seen_time_us DESC LIMIT -1 OFFSET ?2)",
    )?;
    for tenant_id in tenants {
        forget.execute(params![tenant_id, rows::bound(count_max)])?;
    }
    Ok(())
}

/// The newest pair with this half, or none.
fn pair_of(connection: &Connection, half: &Half) -> Result<Option<Pair>, JournalError> {
    let pair = connection
        .prepare_cached(
            "SELECT user_id, user, seen_time_us FROM pairs WHERE tenant_id = ?1 AND (user_id = ?2 OR user = ?2) \
             ORDER BY seen_time_us DESC, user_id, user LIMIT 1",
        )?
        .query_row(params![half.tenant_id, half.text], |row| {
            Ok(Pair {
                tenant_id: half.tenant_id.clone(),
                user_id: row.get(0)?,
                user: row.get(1)?,
                seen_time_us: row.get(2)?,
            })
        })
        .optional()?;
    Ok(pair)
}

/// The alert with the half that it lacks, as far as the journal knows it of late.
pub(super) fn complete(
    connection: &Connection,
    alert: &SeenAlert,
    now_us: i64,
) -> Result<SeenAlert, JournalError> {
    let mut alert = alert.clone();
    if let Some(half) = Half::of(&alert)
        && let Some(pair) = pair_of(connection, &half)?
        && pair.is_fresh_for(&alert, now_us)
    {
        pair.complete(&mut alert);
    }
    Ok(alert)
}

/// What the alerts know of accounts, each once, where neither another of them nor the journal knows the rest.
pub(super) fn halves(
    connection: &Connection,
    alerts: &[SeenAlert],
    now_us: i64,
) -> Result<Vec<Half>, JournalError> {
    let told: Vec<Pair> = alerts
        .iter()
        .filter_map(|alert| Pair::of(alert, now_us))
        .collect();
    let mut found = BTreeSet::new();
    for alert in alerts {
        let Some(half) = Half::of(alert) else {
            continue;
        };
        let is_told = told.iter().any(|pair| {
            pair.tenant_id == half.tenant_id
                && (pair.user == half.text || pair.user_id == half.text)
                && pair.is_fresh_for(alert, now_us)
        });
        if is_told || found.contains(&half) {
            continue;
        }
        let known = pair_of(connection, &half)?;
        if !known.is_some_and(|pair| pair.is_fresh_for(alert, now_us)) {
            found.insert(half);
        }
    }
    Ok(found.into_iter().collect())
}

/// Every pair of a tenant with one of these names.
pub(super) fn of_names(
    connection: &Connection,
    tenant_id: &str,
    names: &[String],
) -> Result<Vec<Pair>, JournalError> {
    let mut statement = connection.prepare_cached(
        "SELECT user_id, user, seen_time_us FROM pairs WHERE tenant_id = ?1 AND user = ?2 \
         ORDER BY seen_time_us DESC, user_id",
    )?;
    let mut found = Vec::new();
    for name in names {
        let rows = statement.query_map(params![tenant_id, name], |row| {
            Ok(Pair {
                tenant_id: tenant_id.to_owned(),
                user_id: row.get(0)?,
                user: row.get(1)?,
                seen_time_us: row.get(2)?,
            })
        })?;
        for row in rows {
            found.push(row?);
        }
    }
    Ok(found)
}

#[cfg(test)]
mod tests {
    use super::{Half, Pair, learn_at_most, pair_of};
    use crate::journal::tables;
    use rusqlite::Connection;

    fn pair(user_id: &str, user: &str, seen_time_us: i64) -> Pair {
        Pair {
            tenant_id: "t".to_owned(),
            user_id: user_id.to_owned(),
            user: user.to_owned(),
            seen_time_us,
        }
    }

    /// What is known of `text` after the pairs were learnt one by one.
    fn known(pairs: &[Pair], count_max: usize, text: &str) -> Option<String> {
        let mut connection = Connection::open_in_memory().unwrap();
        tables::bring_up_to_date(&mut connection).unwrap();
        for pair in pairs {
            let transaction = connection.transaction().unwrap();
            learn_at_most(&transaction, std::slice::from_ref(pair), count_max).unwrap();
            transaction.commit().unwrap();
        }
        let half = Half {
            tenant_id: "t".to_owned(),
            text: text.to_owned(),
        };
        let found = pair_of(&connection, &half).unwrap()?;
        Some(format!("{} {}", found.user_id, found.user))
    }

    #[test]
    fn the_newest_pair_wins_whatever_the_order_of_arrival() {
        // One is renamed from x to y; then two is named x.
        let pairs = [pair("1", "x", 1), pair("1", "y", 2), pair("2", "x", 3)];
        let mut backwards = pairs.clone();
        backwards.reverse();
        for order in [pairs, backwards] {
            assert_eq!(known(&order, 9, "1").as_deref(), Some("1 y"));
            assert_eq!(known(&order, 9, "x").as_deref(), Some("2 x"));
            assert_eq!(known(&order, 9, "2").as_deref(), Some("2 x"));
        }
        // Until then the old name leads to whom it belonged to.
        assert_eq!(
            known(&[pair("1", "x", 1), pair("1", "y", 2)], 9, "x").as_deref(),
            Some("1 x")
        );
        // A pair is as new as it was last seen.
        let again = [pair("1", "x", 4), pair("2", "x", 3), pair("1", "x", 1)];
        assert_eq!(known(&again, 9, "x").as_deref(), Some("1 x"));
    }

    #[test]
    fn what_was_not_seen_for_longest_is_forgotten() {
        let pairs = [pair("1", "x", 1), pair("2", "y", 3), pair("3", "z", 2)];
        assert_eq!(known(&pairs, 2, "x"), None);
        assert!(known(&pairs, 2, "y").is_some() && known(&pairs, 2, "z").is_some());
    }

    #[test]
    fn another_tenants_pair_says_nothing() {
        let mut other = pair("1", "x", 1);
        other.tenant_id = "u".to_owned();
        assert_eq!(known(&[other], 9, "x"), None);
    }
}
