//! The `vedette` command: arguments in, exit code out.

mod arguments;
mod commands;
mod config;
mod data_folder;
mod exit;
mod health;
mod inert;
mod memory;
mod operator;
mod report;
mod stages;
mod telemetry;

use std::process::ExitCode;

use clap::Parser;

use crate::arguments::Arguments;

fn main() -> ExitCode {
    exit::report(arguments::run(Arguments::parse()))
}
