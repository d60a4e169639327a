//! The forms in which a notice is written. Pure; text of a tenant is inert in each.

use serde::{Deserialize, Serialize};

use crate::contract::Notice;

/// A form in which a notice is written.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Format {
    /// The contract's own document, as JSON on one line.
    #[default]
    Json,
}

impl Format {
    /// The notice as text without a line break in it, and none at its end.
    pub fn render(self, notice: &Notice) -> String {
        match self {
            Self::Json => notice.document.to_string(),
        }
    }
}
