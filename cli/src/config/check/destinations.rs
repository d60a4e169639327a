//! Destinations: names and routes that lead somewhere, settings and secrets that can be used.

use forward::ForwardError;

use super::Findings;
use crate::config::Config;
use crate::config::forward::surroundings;

/// What the settings themselves say.
pub(super) fn check(config: &Config, findings: &mut Findings) {
    let forward = config.forward();
    if let Err(error) = forward.check() {
        fault(&error, findings);
    }
    let why = "a destination that is away would be asked without a pause";
    let wait_ms = config.forward.retry_wait_ms;
    findings.bounds("forward.retry_wait_ms", wait_ms, 1, 60_000, why);
    let routes = forward.routes();
    for destination in &forward.destinations {
        if routes.kinds_of(&destination.name).is_empty() {
            findings.note(
                format!("destinations.{}", destination.name),
                "no route leads to it",
                "nothing is ever sent there",
                "name it in `to` of a [[forward.routes]], or remove it",
            );
        }
    }
}

/// The same, and what its secrets and files say.
pub(super) fn check_secrets(config: &Config, findings: &mut Findings) {
    for destination in &config.forward().destinations {
        if let Err(error) = destination.to.open(&destination.name, &surroundings()) {
            fault(&error, findings);
        }
    }
}

fn fault(error: &ForwardError, findings: &mut Findings) {
    let (at, what) = match error {
        ForwardError::Setting { name, key, why } => {
            (format!("destinations.{name}.{key}"), why.clone())
        }
        other => ("destinations".to_owned(), other.to_string()),
    };
    findings.fault(
        at,
        what,
        "nothing would be sent there",
        "mend the setting; `vedette forward validate` asks the destination itself",
    );
}
