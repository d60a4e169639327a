//! The `vedette` command: arguments in, exit code out.

mod arguments;
mod audit;
mod config;
mod data_folder;
mod data_lock;
mod demo;
mod exit;
mod forward;
mod health;
mod import;
mod inert;
mod lag;
mod memory;
mod operator;
mod report;
mod reproduce;
mod rules;
mod run;
mod simulate;
mod sql;
mod stop_actions;
mod telemetry;

use std::process::ExitCode;

use clap::Parser;

use crate::arguments::Arguments;

fn main() -> ExitCode {
    exit::report(arguments::run(Arguments::parse()))
}
