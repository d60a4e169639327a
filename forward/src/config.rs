//! Which destinations there are, and what goes where.

use serde::{Deserialize, Serialize};

use crate::destinations::Target;
use crate::error::ForwardError;
use crate::routes::{Match, Route, Routes};

/// Longest name of a destination: it is part of the name of its group.
const NAME_CHARACTERS_MAX: usize = 64;

/// How notices are forwarded.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct ForwardConfig {
    /// Which of the routes that match decide: `all` or `first`.
    pub routing: Match,
    /// What goes where; without any, everything goes to every destination.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub routes: Vec<Route>,
    /// Age of messages beyond which a destination that is new does not ask for them, in hours; `vedette forward replay`
    /// sends older ones.
    pub first_hours: u64,
    /// Wait before the second try, in milliseconds; it doubles with each one, up to a minute.
    pub retry_wait_ms: u64,
    /// The destinations; given by the caller.
    #[serde(skip)]
    pub destinations: Vec<DestinationConfig>,
}

impl Default for ForwardConfig {
    fn default() -> Self {
        Self {
            routing: Match::default(),
            routes: Vec::new(),
            first_hours: 24,
            retry_wait_ms: 1_000,
            destinations: Vec::new(),
        }
    }
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

impl DestinationConfig {
    /// The consumer group that it reads as.
    pub fn group(&self) -> String {
        group(&self.name)
    }
}

/// The consumer group that a destination of this name reads as.
pub fn group(name: &str) -> String {
    format!("forward.{name}")
}

impl ForwardConfig {
    /// The routes, as they are asked.
    pub fn routes(&self) -> Routes {
        Routes::new(self.routing, self.routes.clone())
    }

    /// Whether it can be used, but for what only a destination itself can tell.
    ///
    /// # Errors
    /// [`ForwardError::Setting`] for a name that cannot be one or is twice there, and for a route to nowhere.
    pub fn check(&self) -> Result<(), ForwardError> {
        let fault = |name: &str, key, why: String| ForwardError::Setting {
            name: name.to_owned(),
            key,
            why,
        };
        for (at, destination) in self.destinations.iter().enumerate() {
            let name = &destination.name;
            let is_name = |character: char| {
                character.is_ascii_lowercase()
                    || character.is_ascii_digit()
                    || matches!(character, '-' | '_')
            };
            if name.is_empty() || name.len() > NAME_CHARACTERS_MAX || !name.chars().all(is_name) {
                let why = format!(
                    "a name is of a-z, 0-9, - and _, at most {NAME_CHARACTERS_MAX} of them: it is part of the name \
                     of a consumer group"
                );
                return Err(fault(name, "name", why));
            }
            let is_taken = |other: &DestinationConfig| other.name == *name;
            if self.destinations[..at].iter().any(is_taken) {
                let why = "two destinations have it: each needs a place of its own on the bus";
                return Err(fault(name, "name", why.to_owned()));
            }
        }
        for to in self.routes.iter().flat_map(|route| &route.to) {
            if !self.destinations.iter().any(|known| known.name == *to) {
                let why = "a route leads to it, and there is no [[destinations]] of that name";
                return Err(fault(to, "forward.routes.to", why.to_owned()));
            }
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::{DestinationConfig, ForwardConfig};
    use crate::destinations::Target;
    use crate::destinations::file::FileConfig;
    use crate::routes::Route;

    fn with(names: &[&str]) -> ForwardConfig {
        let destination = |name: &&str| DestinationConfig {
            name: (*name).to_owned(),
            to: Target::File(FileConfig::default()),
        };
        ForwardConfig {
            destinations: names.iter().map(destination).collect(),
            ..ForwardConfig::default()
        }
    }

    #[test]
    fn names_are_their_own_and_fit_a_group() {
        assert!(with(&["siem", "chat-2"]).check().is_ok());
        for names in [&["siem", "siem"][..], &[""], &["Siem"], &["a.b"], &["a b"]] {
            assert!(with(names).check().is_err(), "{names:?}");
        }
    }

    #[test]
    fn a_route_to_nowhere_is_refused() {
        let mut config = with(&["siem"]);
        let route = r#"{"to": ["siem", "sim"], "kinds": ["alert"]}"#;
        let route: Route = serde_json::from_str(route).expect("a route");
        config.routes = vec![route];
        let error = config.check().expect_err("nobody is named sim");
        assert!(error.to_string().contains("\"sim\""), "{error}");
    }
}
