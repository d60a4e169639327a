//! The contract of respond: what every action must survive, on a directory in memory and on the simulated
//! tenant over HTTP, and what the stage promises around it.

#![expect(
    clippy::unwrap_used,
    clippy::expect_used,
    reason = "a test that cannot go on ends"
)]

mod accounts;
mod actions;
mod crashes;
mod damaged;
mod decisions;
mod faulty;
mod graph;
mod held;
mod house;
mod kill_switch;
mod kit;
mod lease;
mod memory;
mod merges;
mod never_act;
mod newcomer;
mod noise;
mod publisher;
mod signed;
mod stage;
mod town;
mod tries;
mod verified;
mod world;
mod wrong_person;
