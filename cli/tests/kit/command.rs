//! Runs the command in a folder that has its configuration.

use std::path::Path;
use std::process::{Command, Output};

/// What a command of `vedette` came to.
pub(crate) fn vedette(folder: &Path, arguments: &[&str]) -> Output {
    let mut command = Command::new(env!("CARGO_BIN_EXE_vedette"));
    command.args(["--config", "vedette.toml"]).args(arguments);
    command.current_dir(folder).output().unwrap()
}

/// All that it printed.
pub(crate) fn text(output: &Output) -> String {
    [&output.stdout[..], &output.stderr]
        .map(String::from_utf8_lossy)
        .concat()
}
