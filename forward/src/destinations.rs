//! The closed set of destinations; one file each, which opens with its delivery contract.

use serde::{Deserialize, Serialize};

use crate::destination::Destination;
use crate::error::ForwardError;

/// Where a destination is, by its kind: `to.file = { … }`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Target {}

impl Target {
    /// The kind's name, as the configuration has it.
    pub const fn kind(&self) -> &'static str {
        match *self {}
    }

    /// Makes the destination; nothing is connected yet.
    ///
    /// # Errors
    /// [`ForwardError`] if a setting cannot be used or a secret cannot be read.
    pub fn open(&self) -> Result<Box<dyn Destination>, ForwardError> {
        match *self {}
    }
}
