//! A Microsoft tenant in a box: real protocols in front of one shared state.
//!
//! | part | what it is |
//! |---|---|
//! | `world` | people, their day, the attacks and what becomes visible of it when; pure |
//! | `world/stories` | one file for each attack, listed in [`STORIES`] |
//! | `world/recorder.rs` | the one place where what happens becomes records of each log |
//! | `tenant` | the world as its clients find it: tokens, directory, faults, ledger |
//! | `http` | token endpoint, Graph, Management Activity API; ledger, calls, story and faults at `/simulator/…` |
//! | `event_hubs` | Event Hubs, over AMQP 1.0 |
//! | [`export()`] | the same day in files, without a network |
//!
//! Nothing here reaches Microsoft, and no secret in it is worth anything elsewhere. What is published is a function of
//! the configuration, the simulated time and the responses alone: the same seed gives the same bytes.
//!
//! To add a story: a file below `world/stories` that implements its trait `Story`, named and listed in
//! `world/stories.rs`. To add an endpoint: a handler that takes a `Caller`, and a line in the `routes` of its file.
//!
//! ```
//! use simulator::{STORIES, SimulatorConfig, export};
//!
//! // What can happen, and what a detection should find of it.
//! for story in STORIES {
//!     println!("{}: {} {:?}", story.name, story.sentence, story.truth.fires);
//! }
//!
//! // A day of ten people, of whom everybody is sprayed with passwords.
//! let config = SimulatorConfig {
//!     users: 10,
//!     stories: vec!["password_spray".parse()?],
//!     ..SimulatorConfig::default()
//! };
//! let folder = tempfile::tempdir()?;
//! let written = export(&config, folder.path())?;
//! assert!(written.records["signins.ndjson"] > 100);
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```

pub mod config;
mod connection;
pub mod error;
mod event_hubs;
pub mod export;
mod http;
mod shared;
mod stage;
mod tenant;
mod world;

pub use config::{Lateness, SimulatorConfig, StoryName};
pub use connection::{Connection, Registration};
pub use error::SimulatorError;
pub use export::{Exported, export};
pub use stage::{Running, start};
pub use world::stories::{GroundTruth, STORIES, StoryEntry, ToldPhase};
