//! How far each destination is behind, and whether what waits for it will still be there.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::Duration;

use bus::behind;
use schemas::topics::Topic;

use super::left_behind::left_behind;
use super::standing::{STAGE, Shared, Standing};
use crate::config::{DestinationConfig, group};
use crate::error::ForwardError;
use crate::routes::Routes;

/// How often it is looked.
const LOOK_EVERY: Duration = Duration::from_secs(10);

/// How often the loops are looked at.
const ROUND_EVERY: Duration = Duration::from_secs(1);

/// How often the bus is asked how long it keeps messages: somebody may change it.
const ASK_EVERY_LOOKS: u32 = 360;

/// Looks until the stage is stopped.
pub(super) async fn run(
    standings: Vec<Arc<Standing>>,
    routes: Arc<Routes>,
    configured: Vec<DestinationConfig>,
    shared: Shared,
) -> Result<(), ForwardError> {
    let mut looks: u32 = 0;
    let mut retention = BTreeMap::new();
    let mut rounds: u64 = 0;
    let mut left = BTreeSet::new();
    while !shared.stop.is_cancelled() {
        // The loop that stands still longest is what is told.
        let round_us = standings.iter().map(|standing| standing.round_us()).min();
        let now_us = shared.clock.now_us();
        shared.health.comes_round(STAGE, round_us.unwrap_or(now_us));
        if rounds.is_multiple_of(LOOK_EVERY.as_secs() / ROUND_EVERY.as_secs()) {
            if looks.is_multiple_of(ASK_EVERY_LOOKS) {
                retention = ask(&shared, &standings, &routes, retention).await;
            }
            looks = looks.wrapping_add(1);
            for standing in &standings {
                look(standing, &routes, &retention, &shared).await;
            }
            left = tell_left_behind(&shared, &configured, left).await;
        }
        rounds += 1;
        tokio::select! {
            () = shared.stop.cancelled() => {}
            () = tokio::time::sleep(ROUND_EVERY) => {}
        }
    }
    Ok(())
}

/// Says which destinations are configured no more and have messages kept for them; `told` is of whom that is said already.
async fn tell_left_behind(
    shared: &Shared,
    configured: &[DestinationConfig],
    mut told: BTreeSet<String>,
) -> BTreeSet<String> {
    let left = match left_behind(&shared.bus, configured).await {
        Ok(left) => left,
        Err(error) => {
            tracing::warn!(error = %error, "cannot tell whose messages the bus keeps");
            return told;
        }
    };
    let part = |name: &str| format!("{STAGE}/{name}");
    told.retain(|name| {
        let is_left = left.contains_key(name);
        if !is_left {
            shared.health.well(&part(name));
        }
        is_left
    });
    for (name, messages) in left {
        let what = format!(
            "no destination has this name any more, and the log keeps {messages} messages for it; fix: \
             `vedette forward forget {name} --yes`, or configure it again"
        );
        if told.insert(name.clone()) {
            tracing::warn!(destination = name, "{what}");
        }
        shared.health.note(&part(&name), what);
    }
    told
}

/// How long the bus keeps what nobody has read, by topic; what it does not say now is as it was known.
async fn ask(
    shared: &Shared,
    standings: &[Arc<Standing>],
    routes: &Routes,
    mut known: BTreeMap<Topic, Option<Duration>>,
) -> BTreeMap<Topic, Option<Duration>> {
    let topics: BTreeSet<Topic> = standings
        .iter()
        .flat_map(|standing| routes.topics_of(&standing.name))
        .collect();
    for topic in topics {
        match shared.bus.retention(topic).await {
            Ok(retention) => {
                known.insert(topic, retention);
            }
            Err(error) => {
                tracing::warn!(%topic, error = %error, "cannot tell how long the bus keeps messages");
            }
        }
    }
    known
}

async fn look(
    standing: &Standing,
    routes: &Routes,
    retention: &BTreeMap<Topic, Option<Duration>>,
    shared: &Shared,
) {
    let name = || standing.name.clone();
    let mut lag = 0;
    let mut shortest: Option<Duration> = None;
    for topic in routes.topics_of(&standing.name) {
        let kept = retention.get(&topic).copied().flatten();
        shortest = match (shortest, kept) {
            (Some(one), Some(other)) => Some(one.min(other)),
            (one, other) => one.or(other),
        };
        let asked = async {
            let ends = shared.bus.ends(topic).await?;
            let committed = shared.bus.committed(&group(&standing.name), topic).await?;
            Ok::<_, bus::BusError>(behind(&ends, &committed))
        };
        match asked.await {
            Ok(messages) => lag += messages,
            Err(error) => {
                tracing::warn!(destination = standing.name, %topic, error = %error, "cannot tell the lag");
                return;
            }
        }
    }
    let now_us = shared.clock.now_us();
    let age = standing.oldest_us().map_or(Duration::ZERO, |oldest_us| {
        Duration::from_micros(now_us.saturating_sub(oldest_us).max(0).unsigned_abs())
    });
    metrics::gauge!("forward_lag_messages", "destination" => name()).set(precise(lag));
    metrics::gauge!("forward_oldest_age_seconds", "destination" => name()).set(age.as_secs_f64());
    metrics::gauge!("forward_in_hand", "destination" => name()).set(precise(
        i64::try_from(standing.in_hand()).unwrap_or(i64::MAX),
    ));
    let part = format!("{STAGE}/{}/retention", standing.name);
    match warning(age, shortest, lag) {
        None => shared.health.well(&part),
        Some(why) => {
            tracing::error!(destination = standing.name, "{why}");
            shared.health.trouble(&part, why, now_us);
        }
    }
}

/// What is to be said while there is still time: half of it is gone.
fn warning(age: Duration, retention: Option<Duration>, lag: i64) -> Option<String> {
    let retention = retention?;
    let left = retention.saturating_sub(age);
    (left <= retention / 2).then(|| {
        format!(
            "{lag} messages wait, the oldest for {:.1} h, and the bus removes it in {:.1} h: then it is lost to this \
             destination; fix: mend the destination, or raise retention.ms of the topics",
            hours(age),
            hours(left)
        )
    })
}

fn hours(duration: Duration) -> f64 {
    duration.as_secs_f64() / 3_600.0
}

#[expect(
    clippy::cast_precision_loss,
    reason = "a gauge; lags stay far below 2^53"
)]
fn precise(number: i64) -> f64 {
    number as f64
}

#[cfg(test)]
mod tests {
    use super::warning;
    use std::time::Duration;

    #[test]
    fn it_is_said_when_half_of_the_time_is_gone() {
        let hours = |hours: u64| Duration::from_secs(hours * 3_600);
        assert_eq!(warning(hours(1), Some(hours(24)), 5), None);
        assert_eq!(warning(hours(1_000), None, 5), None, "it waits for ever");
        let said = warning(hours(12), Some(hours(24)), 5).expect("half is gone");
        assert!(
            said.contains("12.0 h") && said.contains("5 messages"),
            "{said}"
        );
        let late = warning(hours(30), Some(hours(24)), 5).expect("it is gone");
        assert!(late.contains("in 0.0 h"), "{late}");
    }
}
