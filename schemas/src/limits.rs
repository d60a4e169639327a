//! Every bound of the pipeline, with its unit and its reason.

use std::time::Duration;

/// Largest message on a topic, in bytes; topics are created with it.
///
/// Event Hubs sends at most 1 MiB a message and Microsoft's audit records stay far below;
/// the rest is room for a large import.
pub const MESSAGE_BYTES_MAX: usize = 8 * 1024 * 1024;

/// Largest record that becomes an event, in bytes; larger ones are dead letters, whole, in parts.
pub const RECORD_BYTES_MAX: usize = 4 * 1024 * 1024;

/// Most bytes of a dead letter in one message; a larger letter travels in parts.
pub const DEAD_LETTER_PART_BYTES_MAX: usize = 4 * 1024 * 1024;

/// Deepest nesting of a record that becomes an event, in levels.
///
/// `serde_json` refuses 128; Microsoft's deepest documented record has 9.
pub const JSON_DEPTH_MAX: usize = 120;

/// Largest HTTP body that is read, in bytes.
///
/// A blob of the Management Activity API has been seen at tens of megabytes.
pub const BODY_BYTES_MAX: usize = 256 * 1024 * 1024;

/// Most records published in one call, so that a publisher holds a bounded amount.
pub const PUBLISH_RECORDS_MAX: usize = 10_000;

/// Most records of one tenant that stand before the lake while its sources do not wait: what another tenant may have to
/// wait behind, well below a second of the lake's work.
pub const TENANT_BACKLOG_RECORDS_MAX: u64 = 20_000;

/// Most rows of a batch of the lake.
pub const BATCH_ROWS_MAX: usize = 50_000;

/// Most bytes of raw records in a batch of the lake.
pub const BATCH_BYTES_MAX: usize = 128 * 1024 * 1024;

/// Files of a batch from which on it is closed: one for each tenant and day, so that a crafted import of a tenant for each
/// record stays many small commits. What was taken from the bus at once may exceed it.
pub const BATCH_FILES_MAX: usize = 2_000;

/// Most bytes of one announcement of files; a commit of more is announced in several.
pub const ANNOUNCEMENT_BYTES_MAX: usize = 1024 * 1024;

/// Longest that a record waits for its batch, where the configuration does not say.
pub const BATCH_WAIT_DEFAULT: Duration = Duration::from_secs(1);

/// Shortest time that identities are remembered, in days: blobs live 7 days.
pub const DEDUPLICATION_DAYS_MIN: i64 = 7;

/// How far ahead of us a record's time may be before it is noted as a problem, in microseconds.
pub const FUTURE_TOLERANCE_US: i64 = 24 * 3600 * 1_000_000;

/// Partitions of each events topic on Kafka.
pub const EVENT_PARTITIONS: i32 = 4;

/// Most entries of the audit chain that a responder with a key leaves without a signature: what who can write the journal
/// could change unseen, and one signature for a few actions.
pub const AUDIT_UNSIGNED_MAX: u64 = 64;

/// Longest that a responder with a key leaves an entry of the audit chain without a signature.
pub const AUDIT_UNSIGNED_WAIT: Duration = Duration::from_mins(1);

/// Longest that the file system is waited for before it gives a small file, such as a rule: a local disk takes
/// milliseconds, a server that is away takes for ever.
pub const SMALL_FILE_WAIT: Duration = Duration::from_secs(10);

/// Bytes of a file that are waited for a second longer: the slowest disk that a large IP database is read from.
pub const SMALL_FILE_BYTES_PER_SECOND: u64 = 20_000_000;

/// Largest configuration, secret, key, certificate, playbook or mapping that is read, in bytes: a bundle of all public
/// certificates has a quarter of it.
pub const SETTING_BYTES_MAX: u64 = 1024 * 1024;

/// Longest that a stage may take to drain after SIGTERM.
pub const DRAIN_WAIT: Duration = Duration::from_secs(30);

/// Longest that one request may take that changes something at Microsoft: the answer is a few bytes, and whoever takes
/// over from a responder that is gone waits for as long.
pub const CHANGE_WAIT_MAX: Duration = Duration::from_secs(30);

/// How long a responder relies on its lease after it was confirmed: a burst of calls asks once, and a call goes out
/// within milliseconds of its turn.
pub const LEASE_CONFIRMED_FOR: Duration = Duration::from_secs(1);

/// What whoever takes a lease over waits beyond the longest call of the holder before: a request that is written, and
/// clocks that do not run alike.
pub const TAKE_OVER_MARGIN: Duration = Duration::from_secs(2);

// A record of the largest size fits in one message with its envelope.
const _: () = assert!(RECORD_BYTES_MAX + 1024 * 1024 <= MESSAGE_BYTES_MAX);
// A part of a dead letter too.
const _: () = assert!(DEAD_LETTER_PART_BYTES_MAX + 1024 * 1024 <= MESSAGE_BYTES_MAX);
