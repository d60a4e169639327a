//! What an operator relies on: exit codes, what is said of a configuration, who may read what is kept, readiness, and
//! that nothing a tenant wrote acts on a terminal.
#![expect(clippy::unwrap_used, reason = "a test: it fails loudly")]

use std::fs;
use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::net::TcpStream;
use std::os::unix::fs::PermissionsExt as _;
use std::path::Path;
use std::process::{Child, ChildStderr, Command, Output, Stdio};
use std::time::{Duration, Instant};

use tempfile::TempDir;

#[path = "trust/audit.rs"]
mod audit;
#[path = "trust/folder.rs"]
mod folder;

/// Longest that a test waits for what must come.
const PATIENCE: Duration = Duration::from_mins(2);

const CONFIGURATION: &str = "[health]\naddress = \"127.0.0.1:0\"\n";

/// A folder with a configuration, whose processes run as an ordinary user's do: what they make is for all to read.
struct House(TempDir);

impl House {
    fn new(configuration: &str) -> Self {
        let folder = TempDir::new().unwrap();
        fs::write(folder.path().join("vedette.toml"), configuration).unwrap();
        Self(folder)
    }

    fn path(&self, name: &str) -> std::path::PathBuf {
        self.0.path().join(name)
    }

    fn command(&self, arguments: &[&str]) -> Command {
        let mut command = Command::new("sh");
        command
            .arg("-c")
            .arg("umask 022; exec \"$0\" \"$@\"")
            .arg(env!("CARGO_BIN_EXE_vedette"))
            .args(["--config", "vedette.toml"])
            .args(arguments)
            .current_dir(self.0.path())
            .stdin(Stdio::null());
        command
    }

    fn vedette(&self, arguments: &[&str]) -> Output {
        self.command(arguments).output().unwrap()
    }

    fn start(&self, arguments: &[&str]) -> Running {
        let mut child = self
            .command(arguments)
            .stderr(Stdio::piped())
            .spawn()
            .unwrap();
        let log = BufReader::new(child.stderr.take().unwrap());
        Running { child, log }
    }
}

/// A process of stages; killed if the test ends first.
struct Running {
    child: Child,
    log: BufReader<ChildStderr>,
}

impl Running {
    /// Reads its log up to a line that has `words`.
    fn line_with(&mut self, words: &str) -> String {
        let mut all = String::new();
        loop {
            let mut line = String::new();
            assert_ne!(
                self.log.read_line(&mut line).unwrap(),
                0,
                "no {words}: {all}"
            );
            if line.contains(words) {
                return line;
            }
            all.push_str(&line);
        }
    }

    fn signal(&self, name: &str) {
        let sent = Command::new("kill")
            .args(["-s", name, &self.child.id().to_string()])
            .status()
            .unwrap();
        assert!(sent.success());
    }

    /// Waits for its end, and tells its exit code.
    fn code(&mut self) -> Option<i32> {
        let started = Instant::now();
        loop {
            if let Some(status) = self.child.try_wait().unwrap() {
                return status.code();
            }
            assert!(started.elapsed() < PATIENCE, "it does not end");
            std::thread::sleep(Duration::from_millis(20));
        }
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        // It may have ended already.
        drop(self.child.kill());
        drop(self.child.wait());
    }
}

fn text(output: &Output) -> String {
    String::from_utf8(output.stdout.clone()).unwrap()
        + &String::from_utf8(output.stderr.clone()).unwrap()
}

fn record(number: usize, user: &str) -> String {
    let record = serde_json::json!({
        "Id": format!("record-{number}"), "CreationTime": "2026-03-01T10:00:00", "Operation": "FileAccessed",
        "Workload": "OneDrive", "RecordType": 6, "OrganizationId": "tenant-one", "UserId": user,
    });
    record.to_string() + "\n"
}

#[test]
fn one_signal_drains_and_a_second_one_does_not_wait() {
    let house = House::new(CONFIGURATION);
    for signal in ["TERM", "INT"] {
        let mut running = house.start(&["run"]);
        running.line_with("health and metrics are served");
        running.signal(signal);
        assert_eq!(running.code(), Some(0), "one SIG{signal}");
    }
    // Detect reads a pipe that nobody writes to, so that it never drains.
    let made = Command::new("mkfifo").arg(house.path("pipe.yml")).status();
    assert!(made.unwrap().success());
    let configuration = format!("{CONFIGURATION}[detect]\nmappings = [\"pipe.yml\"]\n");
    fs::write(house.path("vedette.toml"), configuration).unwrap();
    for (signal, code) in [("TERM", 143), ("INT", 130)] {
        let mut running = house.start(&["run"]);
        running.line_with("health and metrics are served");
        running.signal("TERM");
        running.line_with("draining");
        running.signal(signal);
        assert_eq!(running.code(), Some(code), "a second SIG{signal}");
        running.line_with(&format!("stopped by SIG{signal} before it had drained"));
    }
}

#[test]
fn a_configuration_that_cannot_work_is_refused_before_anything_runs() {
    let house = House::new(
        "[lake]\nreplaced_files_hours = 0\n[respond]\nautomatic = [\"allow_sign_in\"]\n",
    );
    let checked = house.vedette(&["config", "check"]);
    assert_eq!(checked.status.code(), Some(3), "{}", text(&checked));
    for words in [
        "fault: lake.replaced_files_hours: is 0\n  why: ",
        "fault: respond.automatic: has allow_sign_in\n  why: ",
        "\n  fix: ",
    ] {
        assert!(text(&checked).contains(words), "{}", text(&checked));
    }
    let started = house.vedette(&["run"]);
    assert_eq!(started.status.code(), Some(3), "{}", text(&started));
    assert!(
        text(&started).contains("respond.automatic"),
        "{}",
        text(&started)
    );
    assert!(!house.path("data").exists(), "nothing has run");
    let house = House::new(CONFIGURATION);
    let checked = house.vedette(&["config", "check"]);
    assert_eq!(checked.status.code(), Some(0), "{}", text(&checked));
}

#[test]
fn no_secret_is_shown_and_references_lead_to_them() {
    let house = House::new(
        "[bus.kafka]\nbrokers = \"127.0.0.1:1\"\n[bus.kafka.settings]\n\"sasl.password\" = \"hunter2\"\n\
         \"ssl.key.password\" = \"file:/run/secrets/key\"\n\"sasl.username\" = \"vedette\"\n\
         [http]\nproxy = \"http://ada:hunter2@proxy.example:3128\"\n",
    );
    let shown = house.vedette(&["config", "show"]);
    assert_eq!(shown.status.code(), Some(0), "{}", text(&shown));
    assert!(!text(&shown).contains("hunter2"), "{}", text(&shown));
    for words in [
        "(not shown)",
        "file:/run/secrets/key",
        "@proxy.example:3128",
        "\"sasl.username\" = \"vedette\"",
    ] {
        assert!(text(&shown).contains(words), "no {words}: {}", text(&shown));
    }
    let asked = house.vedette(&["lag"]);
    assert_eq!(asked.status.code(), Some(3), "{}", text(&asked));
    assert!(
        text(&asked).contains("bus.kafka.settings.sasl.password"),
        "{}",
        text(&asked)
    );
    assert!(!text(&asked).contains("hunter2"), "{}", text(&asked));
}

/// Every file and folder below, with its permission bits.
fn modes(folder: &Path, found: &mut Vec<(String, u32)>) {
    for entry in fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        let facts = fs::symlink_metadata(&path).unwrap();
        found.push((
            path.display().to_string(),
            facts.permissions().mode() & 0o777,
        ));
        if facts.is_dir() {
            modes(&path, found);
        }
    }
}

#[test]
fn nobody_else_reads_what_is_kept() {
    let house = House::new(CONFIGURATION);
    fs::write(
        house.path("export.ndjson"),
        record(1, "ada@contoso.example"),
    )
    .unwrap();
    let imported = house.vedette(&["import", "export.ndjson", "--report", "report.html"]);
    assert_eq!(imported.status.code(), Some(0), "{}", text(&imported));
    let mut running = house.start(&["run"]);
    running.line_with("health and metrics are served");
    std::thread::sleep(Duration::from_secs(1));
    running.signal("TERM");
    assert_eq!(running.code(), Some(0));
    let mut shell = house
        .command(&["sql"])
        .stdin(Stdio::piped())
        .spawn()
        .unwrap();
    shell
        .stdin
        .take()
        .unwrap()
        .write_all(b"SELECT 1;\n\\q\n")
        .unwrap();
    assert!(shell.wait().unwrap().success());
    let data = house.path("data");
    let mut found = vec![(
        "data".to_owned(),
        fs::metadata(&data).unwrap().permissions().mode() & 0o777,
    )];
    modes(&data, &mut found);
    found.push((
        "report".to_owned(),
        fs::metadata(house.path("report.html"))
            .unwrap()
            .permissions()
            .mode()
            & 0o777,
    ));
    for name in [
        "log.sqlite",
        "respond.sqlite",
        "ingest-cursors.sqlite",
        ".parquet",
        "_delta_log",
        "sql_history",
    ] {
        assert!(
            found.iter().any(|(path, _)| path.ends_with(name)),
            "no {name}: {found:?}"
        );
    }
    for (path, mode) in &found {
        assert_eq!(mode & 0o077, 0, "{path} has mode {mode:o}");
    }
}

#[test]
fn a_folder_of_before_is_closed_and_another_persons_is_refused() {
    let house = House::new(CONFIGURATION);
    fs::write(
        house.path("export.ndjson"),
        record(1, "ada@contoso.example"),
    )
    .unwrap();
    let data = house.path("data");
    fs::create_dir(&data).unwrap();
    fs::set_permissions(&data, fs::Permissions::from_mode(0o755)).unwrap();
    assert_eq!(
        house.vedette(&["import", "export.ndjson"]).status.code(),
        Some(0)
    );
    assert_eq!(
        fs::metadata(&data).unwrap().permissions().mode() & 0o777,
        0o700
    );
    fs::create_dir(house.path("home")).unwrap();
    fs::write(house.path("home/letter.txt"), "").unwrap();
    fs::set_permissions(house.path("home"), fs::Permissions::from_mode(0o755)).unwrap();
    fs::write(
        house.path("vedette.toml"),
        format!("data = \"home\"\n{CONFIGURATION}"),
    )
    .unwrap();
    let refused = house.vedette(&["import", "export.ndjson"]);
    assert_eq!(refused.status.code(), Some(3), "{}", text(&refused));
    assert!(
        text(&refused).contains("chmod 700 home"),
        "{}",
        text(&refused)
    );
}

/// The answer of a health port.
fn get(address: &str, path: &str) -> String {
    let mut stream = TcpStream::connect(address).unwrap();
    write!(stream, "GET {path} HTTP/1.1\r\nHost: x\r\n\r\n").unwrap();
    let mut text = String::new();
    stream.read_to_string(&mut text).unwrap();
    text
}

#[test]
fn readiness_says_what_is_wrong_and_since_when() {
    let configuration = format!("{CONFIGURATION}disk_reserve_megabytes = 1000000000\n");
    let house = House::new(&configuration);
    let mut running = house.start(&["run"]);
    let line = running.line_with("health and metrics are served");
    let address = line
        .split("address=")
        .nth(1)
        .unwrap()
        .split_whitespace()
        .next()
        .unwrap();
    let started = Instant::now();
    let mut answer = get(address, "/readyz");
    while answer.starts_with("HTTP/1.1 200")
        || answer.contains("starting")
        || answer.contains("not ready after")
        || !answer.contains("disk/data: ")
    {
        assert!(started.elapsed() < PATIENCE, "{answer}");
        std::thread::sleep(Duration::from_millis(200));
        answer = get(address, "/readyz");
    }
    for words in [
        "HTTP/1.1 503",
        "lake: running",
        "1000000000 MB at least",
        "(since 20",
    ] {
        assert!(answer.contains(words), "no {words}: {answer}");
    }
    assert!(get(address, "/livez").starts_with("HTTP/1.1 200"));
    let metrics = get(address, "/metrics");
    for words in [
        "vedette_invariant_checks_total{id=\"offsets_with_rows\",passed=\"true\"}",
        "vedette_disk_free_bytes{folder=\"data\"}",
        "vedette_lag_messages{stage=\"lake\"}",
    ] {
        assert!(metrics.contains(words), "no {words}: {metrics}");
    }
    running.signal("TERM");
    assert_eq!(running.code(), Some(0));
}

#[test]
fn nothing_that_was_imported_acts_on_a_terminal() {
    const HOSTILE: &str = "\u{1b}]0;owned\u{7}\u{9b}31m\u{202e}\u{85}x";
    let house = House::new(CONFIGURATION);
    let records = record(1, HOSTILE) + &record(2, "＝HYPERLINK(1)");
    let name = format!("export{HOSTILE}.ndjson");
    fs::write(house.path(&name), records).unwrap();
    let mut said = text(&house.vedette(&["import", &name, &format!("no{HOSTILE}.json")]));
    let imported = house.vedette(&["import", &name]);
    assert_eq!(imported.status.code(), Some(0), "{}", text(&imported));
    assert!(
        text(&imported).contains("2 records are kept as imported evidence"),
        "{}",
        text(&imported)
    );
    said += &text(&imported);
    let query = "SELECT user_id, raw FROM m365_activity ORDER BY event_id";
    for form in ["csv", "json", "table"] {
        let answered = house.vedette(&["sql", "-o", form, query]);
        assert_eq!(answered.status.code(), Some(0), "{}", text(&answered));
        assert!(text(&answered).contains(if form == "csv" {
            "'＝HYPERLINK"
        } else {
            "＝HYPERLINK"
        }));
        said += &text(&answered);
    }
    let json = house.vedette(&["sql", "-o", "json", query]);
    let first = String::from_utf8(json.stdout).unwrap();
    let first: serde_json::Value = serde_json::from_str(first.lines().next().unwrap()).unwrap();
    assert_eq!(first["user_id"], HOSTILE, "JSON keeps every character");
    let acting = said.chars().filter(|character| {
        (character.is_control() && *character != '\n')
            || matches!(character, '\u{200e}'..='\u{200f}' | '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}')
    });
    assert_eq!(acting.collect::<String>(), "");
    let unknown = text(&house.vedette(&["sql", "SELECT shoe_size FROM m365_activity"]));
    assert_eq!(unknown.matches("shoe_size").count(), 1, "{unknown}");
}

#[test]
fn the_switch_needs_no_secret_of_the_services() {
    let house = House::new(
        "[health]\naddress = \"127.0.0.1:0\"\n[bus.kafka]\nbrokers = \"kafka.example:9093\"\n\
         [bus.kafka.settings]\n\"sasl.password\" = \"env:VEDETTE_TEST_NOT_SET\"\n",
    );
    let stopped = house.vedette(&["stop-actions", "--by", "kim"]);
    // It is set, and nobody who runs has acknowledged it.
    assert_eq!(stopped.status.code(), Some(4), "{}", text(&stopped));
    assert!(text(&stopped).contains("nobody has acknowledged it"));
    assert!(house.path("data/respond.stop").exists());
    let connects = house.vedette(&["lag"]);
    assert_eq!(connects.status.code(), Some(3), "{}", text(&connects));
}
