//! `vedette completions`: what a shell needs to complete commands.

use clap::{Args, CommandFactory};

use crate::output::Verdict;

/// Prints completions for a shell.
#[derive(Debug, Args)]
pub(crate) struct Completions {
    /// The shell.
    shell: clap_complete::Shell,
}

impl Completions {
    /// Prints those of the command line `Whole`.
    #[expect(clippy::unnecessary_wraps, reason = "as every command")]
    pub(crate) fn run<Whole: CommandFactory>(&self) -> anyhow::Result<Verdict> {
        clap_complete::generate(
            self.shell,
            &mut Whole::command(),
            "vedette",
            &mut std::io::stdout(),
        );
        Ok(Verdict::Done)
    }
}
