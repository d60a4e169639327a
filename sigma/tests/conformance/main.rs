//! The rule engine against public rules, vectors and records, which stand outside of this repository.
//!
//! `make conformance CORPUS=DIR` runs it; without the folder every test fails.
#![expect(
    clippy::unwrap_used,
    clippy::print_stdout,
    reason = "test code: it fails loudly and prints what it found"
)]

mod contested;
#[path = "../../../schemas/tests/conformance/corpus.rs"]
mod corpus;
mod coverage;
mod outcome;
mod real_records;
#[path = "../corpus/records.rs"]
mod records;
mod sequences;
mod sigmahq;
#[path = "../signals/signals.rs"]
mod signals;
mod suzaku;
mod vectors;
