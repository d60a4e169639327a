//! A real Apache Kafka of the test's own, started and killed through `deploy/kafka/kafka`.

use std::net::TcpListener;
use std::path::{Path, PathBuf};
use std::process::Command;

/// A broker that ends with its value.
pub(crate) struct Broker {
    port: u16,
    data: tempfile::TempDir,
}

pub(crate) fn repository() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("..")
}

fn free_port() -> u16 {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    listener.local_addr().unwrap().port()
}

impl Broker {
    /// Starts a broker on a free port.
    pub(crate) fn start() -> Self {
        let broker = Self { port: free_port(), data: tempfile::tempdir().unwrap() };
        broker.script("start");
        broker
    }

    /// Where it listens.
    pub(crate) fn address(&self) -> String {
        format!("127.0.0.1:{}", self.port)
    }

    /// Kills it without warning, and starts it on the same data.
    pub(crate) fn kill_and_restart(&self) {
        self.script("kill");
        self.script("start");
    }

    fn script(&self, command: &str) {
        let output = Command::new(repository().join("deploy/kafka/kafka"))
            .arg(command)
            .arg("--data")
            .arg(self.data.path().join("kafka"))
            .arg("--port")
            .arg(self.port.to_string())
            .output()
            .unwrap();
        assert!(
            output.status.success(),
            "kafka {command}: {}{}",
            String::from_utf8_lossy(&output.stdout),
            String::from_utf8_lossy(&output.stderr)
        );
    }
}

impl Drop for Broker {
    fn drop(&mut self) {
        if !std::thread::panicking() {
            self.script("stop");
        } else {
            // The first panic says what is wrong; a second one would hide it.
            drop(
                Command::new(repository().join("deploy/kafka/kafka"))
                    .args(["kill", "--data"])
                    .arg(self.data.path().join("kafka"))
                    .args(["--port", &self.port.to_string()])
                    .output(),
            );
        }
    }
}
