//! A real Apache Kafka of the test's own, started and killed through `deploy/kafka/kafka`.

use std::path::{Path, PathBuf};
use std::process::{Command, Output};

/// A broker that ends with its value.
pub(crate) struct Broker {
    address: String,
    data: tempfile::TempDir,
}

fn repository() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("..")
}

fn script(data: &Path, arguments: &[&str]) -> Output {
    Command::new(repository().join("deploy/kafka/kafka"))
        .args(arguments)
        .arg("--data")
        .arg(data.join("kafka"))
        .output()
        .unwrap()
}

/// Runs the script and gives what it printed on standard output.
fn must(data: &Path, arguments: &[&str]) -> String {
    let output = script(data, arguments);
    assert!(
        output.status.success(),
        "kafka {arguments:?}: {}",
        String::from_utf8_lossy(&output.stderr)
    );
    String::from_utf8(output.stdout).unwrap().trim().to_owned()
}

impl Broker {
    /// Starts a broker on a free port.
    pub(crate) fn start() -> Self {
        let data = tempfile::tempdir().unwrap();
        let address = must(data.path(), &["start", "--port", "0"]);
        Self { address, data }
    }

    /// Where it listens.
    pub(crate) fn address(&self) -> &str {
        &self.address
    }

    /// Kafka's own topic command.
    pub(crate) fn topics(&self, arguments: &[&str]) -> String {
        must(self.data.path(), &[&["topics"], arguments].concat())
    }

    /// Kills it without warning.
    pub(crate) fn kill(&self) {
        must(self.data.path(), &["kill"]);
    }

    /// Starts it again, on the same data.
    pub(crate) fn restart(&self) {
        assert_eq!(must(self.data.path(), &["start"]), self.address);
    }
}

impl Drop for Broker {
    fn drop(&mut self) {
        // A failure here must not hide the one that ended the test.
        drop(script(self.data.path(), &["stop"]));
    }
}
