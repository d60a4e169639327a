//! What a reader brings who only looks, and that nothing waits for it.
#![expect(
    clippy::expect_used,
    reason = "a test ends where its footing is missing"
)]

use bus::BusConfig;
use schemas::tables::Table;
use schemas::topics::Topic;

use crate::place::{Place, numbered, read};

const EVENTS: Topic = Topic::Events(Table::Signins);

/// Retention waits for groups; nobody would ever move on one that only looked.
pub(crate) async fn shows_everything_to_one_who_only_looks(place: &Place) {
    let bus = place.open().await;
    bus.publish(EVENTS, numbered(0..50, 5))
        .await
        .expect("published");
    for _ in 0..2 {
        let mut looker = bus.browse(&[EVENTS]).await.expect("it reads");
        assert_eq!(read(&mut looker, 50).await.len(), 50);
    }
    if let BusConfig::Log(config) = place.config() {
        let file = rusqlite::Connection::open(config.path).expect("the file");
        let groups: i64 = file
            .query_row("SELECT count(*) FROM positions", [], |row| row.get(0))
            .expect("a count");
        assert_eq!(groups, 0, "it is not waited for");
    }
}
