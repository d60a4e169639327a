//! Which destinations there are, and what goes where.

use serde::{Deserialize, Serialize};

use crate::destinations::Target;

/// How notices are forwarded.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct ForwardConfig {
    /// The destinations; given by the caller.
    #[serde(skip)]
    pub destinations: Vec<DestinationConfig>,
}

/// One destination.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct DestinationConfig {
    /// Its name, for routes, commands and metrics; its place on the bus belongs to the name.
    pub name: String,
    /// Where it is.
    pub to: Target,
}
