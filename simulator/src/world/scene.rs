//! The scene of the day: people, applications, the clock, and the recorder of what happens.
//!
//! It is all that a story, an errand or a response may touch. What is planned, and what becomes visible when, is the
//! world's.

use super::chance::Chance;
use super::recorder::Recorder;
use super::service_principals::ServicePrincipal;
use super::users::User;

/// The tenant's people and applications as they are now.
pub(crate) struct Scene {
    /// Everybody, with accounts, sessions, rules and roles.
    pub(crate) users: Vec<User>,
    /// The tenant's own applications.
    pub(crate) service_principals: Vec<ServicePrincipal>,
    /// The seed, as a source of ids and dice by name.
    pub(crate) chance: Chance,
    /// The simulated time.
    pub(crate) now_us: i64,
    /// Writes what happens into every log that tells of it.
    pub(crate) recorder: Recorder,
    /// How many responses there were: each has records of its own.
    pub(crate) responses: u64,
}

impl Scene {
    /// The id of a message by its name, as mail servers write it.
    pub(crate) fn message_id(&self, name: &[&str]) -> String {
        format!(
            "<{}@{}>",
            self.chance.hex(name),
            self.recorder.tenant.domain
        )
    }
}
