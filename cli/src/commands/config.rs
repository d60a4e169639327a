//! `vedette config`: whether the configuration can be used, and what it is with every default.

use std::io::Write as _;

use clap::{Args, ValueEnum};

use crate::config::Config;
use crate::config::check::faults;
use crate::output::exit::BadConfiguration;
use crate::output::{self, Verdict};

/// Looks at the configuration.
#[derive(Debug, Args)]
pub(crate) struct ShowConfig {
    /// What to do.
    #[arg(value_enum)]
    what: ConfigCommand,
}

#[derive(Debug, Clone, Copy, ValueEnum)]
enum ConfigCommand {
    /// Read it, and say what is wrong with it.
    Check,
    /// Print it with every default; secrets are shown as their references.
    Show,
}

impl ShowConfig {
    /// Does it.
    pub(crate) fn run(&self, config: &Config) -> anyhow::Result<Verdict> {
        let mut out = output::stdout();
        match self.what {
            ConfigCommand::Check => {
                let findings = config.check();
                for finding in &findings {
                    writeln!(out, "{finding}")?;
                }
                let faults = faults(&findings);
                if faults > 0 {
                    return Err(
                        anyhow::anyhow!("{faults} fault(s), see above").context(BadConfiguration)
                    );
                }
                match config.origin.file() {
                    Some(path) => {
                        writeln!(out, "the configuration can be used: {}", path.display())?;
                    }
                    None => writeln!(
                        out,
                        "no configuration was named, and there is no vedette.toml in this folder: the defaults are without \
                     fault, and no tenant is watched"
                    )?,
                }
            }
            ConfigCommand::Show => write!(out, "{}", config.to_toml()?)?,
        }
        Ok(Verdict::Done)
    }
}
