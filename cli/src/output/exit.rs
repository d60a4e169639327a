//! Exit codes, the same for every command.
//!
//! | code | meaning |
//! |---|---|
//! | 0 | done; also after one SIGTERM or SIGINT, when all has drained |
//! | 1 | done, and something was found: dead letters in an import, a broken audit chain, an alert that does not come out again |
//! | 2 | wrong usage: clap's own, and names of what is not there, such as a rule or an alert |
//! | 3 | the configuration cannot be used |
//! | 4 | something needed could not be reached, or a stage has ended |
//! | 130, 143 | ended by a second SIGINT or SIGTERM, or by the first one's limit, before it had drained |

use std::io::Write;
use std::process::ExitCode;

use super::printer::stderr;

/// How a command ended, where it did not fail.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Verdict {
    /// Done.
    Done,
    /// Done, and something was found.
    Findings,
}

/// What was written on the command line names nothing, or cannot be: another spelling may do.
#[derive(Debug, thiserror::Error)]
#[error("{0}")]
pub(crate) struct WrongUsage(pub(crate) String);

/// Refuses what was written on the command line.
pub(crate) fn wrong_usage<T>(why: impl Into<String>) -> anyhow::Result<T> {
    Err(WrongUsage(why.into()).into())
}

/// Exit code where something needed could not be reached, or has ended.
pub(crate) const UNREACHABLE: u8 = 4;

/// The configuration cannot be used; tells its exit code apart from other failures.
#[derive(Debug, thiserror::Error)]
#[error("cannot use the configuration")]
pub(crate) struct BadConfiguration;

/// The process was told to end before it had drained; nothing is lost, for what was not committed is read again.
#[derive(Debug, thiserror::Error)]
#[error("stopped by {signal} before it had drained: {why}")]
pub(crate) struct Interrupted {
    /// Which signal.
    pub(crate) signal: Signal,
    /// What ended it at last.
    pub(crate) why: String,
}

/// A signal that tells the process to end.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Signal {
    /// From a terminal.
    Interrupt,
    /// From whoever runs services.
    Terminate,
}

impl Signal {
    /// 128 and the signal's number, as shells have it.
    const fn code(self) -> u8 {
        match self {
            Self::Interrupt => 130,
            Self::Terminate => 143,
        }
    }
}

impl std::fmt::Display for Signal {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter.write_str(match self {
            Self::Interrupt => "SIGINT",
            Self::Terminate => "SIGTERM",
        })
    }
}

/// An error with its causes, each of which is told once.
///
/// Some libraries repeat their causes in their own text.
pub(crate) fn chain(error: &anyhow::Error) -> String {
    let mut told = String::new();
    for cause in error.chain() {
        let cause = cause.to_string();
        if told.is_empty() {
            told = cause;
        } else if !told.contains(&cause) {
            told = format!("{told}: {cause}");
        }
    }
    told
}

/// Turns the outcome into an exit code, and tells a person why it failed.
pub(crate) fn report(outcome: anyhow::Result<Verdict>) -> ExitCode {
    match outcome {
        Ok(Verdict::Done) => ExitCode::SUCCESS,
        Ok(Verdict::Findings) => ExitCode::from(1),
        Err(error) => {
            // Nothing is left to do if standard error is closed.
            drop(writeln!(stderr(), "vedette: {}", chain(&error)));
            if let Some(interrupted) = error.downcast_ref::<Interrupted>() {
                ExitCode::from(interrupted.signal.code())
            } else if error.is::<WrongUsage>() {
                ExitCode::from(2)
            } else if error.is::<BadConfiguration>() {
                ExitCode::from(3)
            } else {
                ExitCode::from(UNREACHABLE)
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::chain;
    use anyhow::Context as _;

    #[test]
    fn a_cause_is_told_once() {
        let inner = anyhow::anyhow!("no field named shoe");
        let error = Err::<(), _>(inner)
            .context("schema error: no field named shoe")
            .context("could not plan")
            .expect_err("it is one");
        assert_eq!(
            chain(&error),
            "could not plan: schema error: no field named shoe"
        );
    }
}
