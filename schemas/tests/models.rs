//! The protocols that everything rests on, as small models of which every order of steps and faults is explored.
//!
//! The steps check the same predicates that the product checks ([`schemas::invariants`]). Each model can be broken on
//! purpose in named ways, and each of these is caught by a named property: so the properties are not empty words.
//! A model says nothing about the code that is not written as the model is; replays of traces tie the two together.
#![expect(
    clippy::print_stdout,
    reason = "a test harness: it says how much it has explored"
)]

#[path = "models/action.rs"]
mod action;
#[path = "models/explore.rs"]
mod explore;
#[path = "models/identity.rs"]
mod identity;
#[path = "models/offsets.rs"]
mod offsets;
