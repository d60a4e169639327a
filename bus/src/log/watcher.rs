//! Notices what other processes write to the embedded log.

use std::thread;
use std::time::Duration;

use rusqlite::Connection;
use tokio::sync::watch;

/// How often we look, and so the longest that a message of another process goes unnoticed.
const LOOK_INTERVAL: Duration = Duration::from_millis(25);

/// Starts the thread; it ends when nobody listens to `written` any more.
///
/// `data_version` changes when another connection has committed. Source:
/// <https://www.sqlite.org/pragma.html#pragma_data_version>.
pub(super) fn start(connection: Connection, written: watch::Sender<()>) -> std::io::Result<()> {
    thread::Builder::new()
        .name("bus-log-watcher".to_owned())
        .spawn(move || {
            let mut seen = None;
            while written.receiver_count() > 0 {
                // A version that cannot be read now is read the next time; readers meet the cause themselves.
                let version: Option<i64> = connection
                    .query_row("PRAGMA data_version", [], |row| row.get(0))
                    .ok();
                if version.is_some() && version != seen {
                    seen = version;
                    written.send_replace(());
                }
                thread::sleep(LOOK_INTERVAL);
            }
        })?;
    Ok(())
}
