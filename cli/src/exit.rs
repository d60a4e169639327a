//! Exit codes, the same for every command.
//!
//! | code | meaning |
//! |---|---|
//! | 0 | done |
//! | 1 | done, and something was found: dead letters in an import, a broken audit chain, an alert that does not come out again |
//! | 2 | wrong usage (also clap's own) |
//! | 3 | the configuration cannot be used |
//! | 4 | something needed could not be reached |
//! | 130, 143 | stopped by a second SIGINT or SIGTERM before it had drained |

use std::io::Write;
use std::process::ExitCode;

/// How a command ended, where it did not fail.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Verdict {
    /// Done.
    Done,
    /// Done, and something was found.
    Findings,
}

/// The configuration cannot be used; tells its exit code apart from other failures.
#[derive(Debug, thiserror::Error)]
#[error("cannot use the configuration")]
pub(crate) struct BadConfiguration;

/// Turns the outcome into an exit code, and tells a person why it failed.
pub(crate) fn report(outcome: anyhow::Result<Verdict>) -> ExitCode {
    match outcome {
        Ok(Verdict::Done) => ExitCode::SUCCESS,
        Ok(Verdict::Findings) => ExitCode::from(1),
        Err(error) => {
            // Nothing is left to do if standard error is closed.
            drop(writeln!(std::io::stderr(), "vedette: {error:#}"));
            if error.is::<BadConfiguration>() {
                ExitCode::from(3)
            } else {
                ExitCode::from(4)
            }
        }
    }
}
