//! Which of Microsoft's services a token is for.

use std::fmt;

/// What a token is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Audience {
    /// Microsoft Graph.
    Graph,
    /// The Office 365 Management Activity API.
    Management,
    /// Azure Event Hubs.
    EventHubs,
}

impl Audience {
    /// Every audience.
    pub const ALL: [Self; 3] = [Self::Graph, Self::Management, Self::EventHubs];

    /// The word in metrics and messages.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Graph => "graph",
            Self::Management => "management",
            Self::EventHubs => "event_hubs",
        }
    }
}

impl fmt::Display for Audience {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(self.as_str())
    }
}
