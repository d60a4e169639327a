//! What may be said on the command line, and which file does it.

use std::io::Write as _;
use std::path::PathBuf;

use clap::{Parser, Subcommand};

use crate::commands::{
    audit, completions, config, demo, forward, import, lag, reproduce, rules, run, simulate, sql,
    stop_actions,
};
use crate::config::{Config, Origin};
use crate::data_folder::Readers;
use crate::output::{self, Verdict};
use crate::stages::Stage;

const EXAMPLES: &str = "\
Examples:
  vedette demo                                  the whole loop against a simulated tenant
  vedette import exports/ --config vedette.toml read audit exports into the lake
  vedette sql \"SELECT operation, count(*) FROM m365_activity GROUP BY 1\"
  vedette run --config vedette.toml             all stages in one process
  vedette stop-actions --by kim                 nothing more is sent to Microsoft, until --resume
  vedette lake --config vedette.toml            one stage as a service on Kafka

Exit codes: 0 done, 1 something was found (dead letters, a broken audit chain), 2 wrong usage,
3 bad configuration, 4 something could not be reached or has ended, 130/143 stopped before it had drained.";

/// Identity threat detection and response for Microsoft Entra ID and Microsoft 365.
#[derive(Debug, Parser)]
#[command(name = "vedette", version, about, after_help = EXAMPLES)]
pub(crate) struct Arguments {
    /// The configuration file; `vedette.toml` of this folder if none is named.
    #[arg(long, short, global = true, value_name = "FILE")]
    config: Option<PathBuf>,
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Run every stage in one process until SIGTERM.
    Run,
    /// Read sources and publish their records.
    Ingest,
    /// Keep published records in Delta tables.
    Lake,
    /// Run rules over every batch of the lake.
    Detect,
    /// Turn alerts into cases and actions.
    Respond,
    /// Send alerts, cases and gaps to SIEMs and people; or look at the destinations.
    #[command(after_help = forward::EXAMPLES)]
    Forward(forward::Forward),
    /// Read files that people have into the lake, and run the rules over them.
    #[command(after_help = import::EXAMPLES)]
    Import(import::Import),
    /// Ask the lake; without a query, an interactive shell.
    #[command(after_help = sql::EXAMPLES)]
    Sql(sql::Sql),
    /// Run the whole loop against a simulated tenant, from attack to containment.
    Demo(demo::Demo),
    /// Run the simulated tenant alone.
    Simulate(simulate::Simulate),
    /// Look at rules: list them, or evaluate them over the whole lake.
    #[command(subcommand)]
    Rules(rules::Rules),
    /// Run the rule of an alert again over the very files and rows that the alert names.
    #[command(after_help = reproduce::EXAMPLES)]
    Reproduce(reproduce::Reproduce),
    /// Show how many messages each stage has yet to finish with.
    Lag,
    /// Look at cases and actions, and verify the audit chain.
    #[command(subcommand)]
    Audit(audit::Audit),
    /// Stop every action at once, and wait until the responder says that nothing more is sent.
    #[command(after_help = stop_actions::EXAMPLES)]
    StopActions(stop_actions::StopActions),
    /// Check the configuration, or print it with every default.
    Config(config::ShowConfig),
    /// Print completions for a shell.
    Completions(completions::Completions),
}

/// Does what was asked.
pub(crate) fn run(arguments: Arguments) -> anyhow::Result<Verdict> {
    // As it is written: enough for what does not connect, where the secrets of the services need not be at hand.
    let written = || {
        let config = Config::load(arguments.config.as_deref())?;
        if let Origin::Found(path) = &config.origin {
            // Whoever is in another folder than he thinks should see it.
            writeln!(
                output::stderr(),
                "the configuration is {} of this folder",
                path.display()
            )?;
        }
        config.readers.restrict_new_files();
        anyhow::Ok(config)
    };
    let config = || written()?.with_settings_read();
    match arguments.command {
        Command::Run => run::run(&config()?, &Stage::ALL),
        Command::Ingest => run::run(&config()?, &[Stage::Ingest]),
        Command::Lake => run::run(&config()?, &[Stage::Lake]),
        Command::Detect => run::run(&config()?, &[Stage::Detect]),
        Command::Respond => run::run(&config()?, &[Stage::Respond]),
        Command::Forward(forward) => forward.run(&config()?),
        Command::Import(import) => import.run(&config()?),
        Command::Sql(sql) => sql.run(&config()?),
        Command::Demo(demo) => {
            Readers::Owner.restrict_new_files();
            demo.run()
        }
        Command::Simulate(simulate) => simulate.run(),
        Command::Rules(rules) => rules.run(&config()?),
        Command::Reproduce(reproduce) => reproduce.run(&config()?),
        Command::Lag => lag::run(&config()?),
        Command::Audit(audit) => audit.run(&written()?),
        Command::StopActions(stop) => stop.run(&written()?),
        Command::Config(asked) => asked.run(&written()?),
        Command::Completions(completions) => completions.run::<Arguments>(),
    }
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use clap::CommandFactory as _;

    use super::Arguments;

    /// Those that are `run` with some of its stages.
    const STAGES: [&str; 4] = ["ingest", "lake", "detect", "respond"];

    #[test]
    fn each_command_has_a_file_of_its_name() {
        let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("src/commands");
        let command = Arguments::command();
        command.clone().debug_assert();
        let names: Vec<&str> = command
            .get_subcommands()
            .map(clap::Command::get_name)
            .collect();
        assert!(names.contains(&"import"), "{names:?}");
        for name in names.iter().filter(|name| !STAGES.contains(name)) {
            let file = folder.join(name.replace('-', "_")).with_extension("rs");
            assert!(file.is_file(), "{}", file.display());
        }
        for entry in std::fs::read_dir(&folder).expect("it is there") {
            let path = entry.expect("an entry").path();
            let name = path
                .file_stem()
                .and_then(|stem| stem.to_str())
                .expect("a name");
            assert!(
                names.contains(&name.replace('_', "-").as_str()),
                "{name} is no command"
            );
        }
    }
}
