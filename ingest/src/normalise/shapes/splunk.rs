//! Splunk's exports: a result of a search, a row with `_raw`, and what is sent to its collector.
//! Samples: `splunk.sample.ndjson`.
//!
//! `_raw` is what Splunk's collector got from Microsoft, byte for byte; `_time` is in the searcher's zone and not read.

use crate::normalise::shape::{Place, Shape};

pub(super) const RESULT: Shape = Shape {
    name: "a result of Splunk's",
    known_by: &["result._raw"],
    record: Place::Inside(&["result._raw"]),
    whole: &[],
    says: &[],
    is_kept: false,
};

pub(super) const ROW: Shape = Shape {
    name: "a row of Splunk's",
    known_by: &["_raw"],
    record: Place::Inside(&["_raw"]),
    whole: &[],
    says: &[],
    is_kept: false,
};

pub(super) const COLLECTED: Shape = Shape {
    name: "an event for Splunk's collector",
    known_by: &["event", "sourcetype|index", "!@timestamp"],
    record: Place::Inside(&["event"]),
    whole: &[],
    says: &[],
    is_kept: false,
};
