//! A Microsoft tenant in a box: real protocols in front of one shared state.
//!
//! | part | protocol |
//! |---|---|
//! | token endpoint, Graph, Management Activity API | HTTP, in `http` |
//! | Event Hubs | AMQP 1.0, in `event_hubs` |
//! | people, their day, the attacks | pure, in `world` |
//! | the same day in files, without a network | `export` |
//! | ledger, calls, story, faults | `/simulator/…` on the same HTTP port, loopback only |
//!
//! Nothing here reaches Microsoft, and no secret in it is worth anything elsewhere.

pub mod config;
mod directory;
pub mod error;
mod event_hubs;
pub mod export;
mod fault;
mod http;
mod ledger;
mod privileges;
mod shared;
mod stage;
mod telling;
mod tenant;
mod tokens;
mod world;

pub use config::{Lateness, SimulatorConfig, StoryName};
pub use error::SimulatorError;
pub use export::{Exported, export};
pub use stage::{Connection, Registration, Running, start};
