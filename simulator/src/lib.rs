//! A Microsoft tenant in a box: real protocols in front of one shared state.
//!
//! | part | protocol |
//! |---|---|
//! | token endpoint, Graph, Management Activity API | HTTP, in `http` |
//! | Event Hubs | AMQP 1.0, in `event_hubs` |
//! | people, their day, the attack | pure, in `world` |
//! | ledger, calls, story, faults | `/simulator/…` on the same HTTP port, loopback only |
//!
//! Nothing here reaches Microsoft, and no secret in it is worth anything elsewhere.

pub mod config;
pub mod error;
mod event_hubs;
mod fault;
mod http;
mod ledger;
mod shared;
mod stage;
mod tenant;
mod tokens;
mod world;

pub use config::{Lateness, SimulatorConfig, StoryName};
pub use error::SimulatorError;
pub use stage::{Connection, Registration, Running, start};
