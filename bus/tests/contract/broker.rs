//! A real Apache Kafka for the tests, started by the project's own script and stopped with the last of them.
#![expect(
    clippy::expect_used,
    reason = "a test ends where its footing is missing"
)]

use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::{Arc, Mutex, PoisonError, Weak};

use tempfile::TempDir;

/// A broker that runs; stopped when it is dropped, unless it was there before us.
pub(crate) struct Broker {
    address: String,
    /// None for a broker that somebody else runs.
    data: Option<TempDir>,
}

impl Broker {
    /// The broker that tests share, for as long as one of them holds it.
    pub(crate) fn shared() -> Arc<Self> {
        static SHARED: Mutex<Weak<Broker>> = Mutex::new(Weak::new());
        let mut shared = SHARED.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(running) = shared.upgrade() {
            return running;
        }
        #[expect(
            clippy::disallowed_methods,
            reason = "the documented way to name a broker to tests"
        )]
        let given = std::env::var("VEDETTE_TEST_KAFKA").ok();
        let broker = Arc::new(match given {
            Some(address) => Self {
                address,
                data: None,
            },
            None => Self::start(),
        });
        *shared = Arc::downgrade(&broker);
        broker
    }

    /// Starts one of our own on a free port.
    pub(crate) fn start() -> Self {
        let data = TempDir::new().expect("a temporary folder");
        let address = script(&["start", "--port", "0"], data.path());
        Self {
            address,
            data: Some(data),
        }
    }

    pub(crate) fn address(&self) -> &str {
        &self.address
    }

    /// SIGKILLs it; its data stays.
    pub(crate) fn kill(&self) {
        script(&["kill"], self.data());
    }

    /// Starts it again, with the data and on the port that it had.
    pub(crate) fn restart(&self) {
        assert_eq!(script(&["start"], self.data()), self.address);
    }

    fn data(&self) -> &Path {
        self.data.as_ref().expect("a broker of our own").path()
    }
}

impl Drop for Broker {
    fn drop(&mut self) {
        if let Some(data) = &self.data {
            script(&["stop"], data.path());
        }
    }
}

/// Runs the project's Kafka script and returns what it printed.
fn script(arguments: &[&str], data: &Path) -> String {
    let script = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../deploy/kafka/kafka");
    let output = Command::new(&script)
        .args(arguments)
        .arg("--data")
        .arg(data)
        .stdin(Stdio::null())
        .output()
        .expect("deploy/kafka/kafka runs; it needs bash");
    assert!(
        output.status.success(),
        "deploy/kafka/kafka {arguments:?} failed; these tests need a real Apache Kafka: mend the cause, or \
         name one that runs in VEDETTE_TEST_KAFKA\n{}",
        String::from_utf8_lossy(&output.stderr)
    );
    String::from_utf8_lossy(&output.stdout).trim().to_owned()
}
