//! The lake's contract, on real Delta tables in a temporary folder and the embedded log.

#![expect(
    clippy::unwrap_used,
    clippy::print_stdout,
    reason = "helpers of a test fail by panicking, and a failed one names its seed"
)]

#[path = "contract/broken_disk.rs"]
mod broken_disk;
#[path = "contract/compaction.rs"]
mod compaction;
#[path = "contract/crashes.rs"]
mod crashes;
#[path = "contract/damage.rs"]
mod damage;
#[path = "contract/fences.rs"]
mod fences;
#[path = "contract/house.rs"]
mod house;
#[path = "contract/identities.rs"]
mod identities;
#[path = "contract/queries.rs"]
mod queries;
#[path = "contract/replaced.rs"]
mod replaced;
