//! The `vedette` command: arguments in, exit code out.

mod arguments;
mod commands;
mod config;
mod data_folder;
#[cfg(test)]
mod generated_page;
mod health;
mod memory;
mod operator;
mod output;
mod stages;
mod telemetry;

use std::process::ExitCode;

use clap::Parser;

use crate::arguments::Arguments;

fn main() -> ExitCode {
    output::exit::report(arguments::run(Arguments::parse()))
}
