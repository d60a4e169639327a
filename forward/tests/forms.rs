//! What is sent, in every form: the contract against its schema, OCSF and ECS against theirs, hostile text through all.
#![expect(clippy::expect_used, reason = "a test: it fails loudly")]
#![expect(
    clippy::print_stdout,
    reason = "how many were checked is read in CI's log"
)]

#[path = "forms/contract.rs"]
mod contract;
#[path = "forms/hostile.rs"]
mod hostile;
#[path = "forms/injection.rs"]
mod injection;
#[path = "forms/published.rs"]
mod published;
#[path = "forms/readers.rs"]
mod readers;
#[path = "forms/samples.rs"]
mod samples;
