//! The lake in other people's readers: DuckDB, Python deltalake and Spark count what `vedette sql` counts.
#![expect(clippy::unwrap_used, reason = "a test: it fails loudly")]

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};

use serde_json::Value;

/// Records of the test, and how many of them come twice.
const RECORDS: usize = 700;
const TWICE: usize = 90;

fn repository() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("..")
}

fn vedette(folder: &Path, arguments: &[&str]) -> Output {
    Command::new(env!("CARGO_BIN_EXE_vedette"))
        .current_dir(folder)
        .args(arguments)
        .output()
        .unwrap()
}

fn text(output: &Output) -> String {
    String::from_utf8_lossy(&output.stdout).into_owned() + &String::from_utf8_lossy(&output.stderr)
}

fn record(number: usize) -> String {
    let (operation, day) = [
        ("FileAccessed", 1),
        ("MailItemsAccessed", 2),
        ("New-InboxRule", 3),
    ][number % 3];
    format!(
        r#"{{"Id":"record-{number}","CreationTime":"2026-03-0{day}T10:00:00","Operation":"{operation}","Workload":"Exchange","OrganizationId":"{tenant}","UserId":"ada@contoso.example","Parameters":[{{"Name":"Name","Value":"."}}]}}"#,
        tenant = ["tenant-one", "tenant-two"][number % 2],
    )
}

/// Writes an export with duplicates and one line that is no record.
fn export(folder: &Path) -> PathBuf {
    let mut lines = String::new();
    for number in (0..RECORDS).chain(0..TWICE) {
        writeln!(lines, "{}", record(number)).unwrap();
    }
    lines.push_str("{\"Id\":\"cut\",\"CreationTime\":\"2026-03-0");
    let path = folder.join("export.ndjson");
    std::fs::write(&path, lines).unwrap();
    path
}

#[test]
fn everybody_counts_the_same_rows() {
    let folder = tempfile::tempdir().unwrap();
    let path = export(folder.path());
    for expected in [RECORDS, 0] {
        let imported = vedette(folder.path(), &["import", path.to_str().unwrap()]);
        // 1: the cut line is a dead letter, which is a finding.
        assert_eq!(imported.status.code(), Some(1), "{}", text(&imported));
        assert!(
            text(&imported).contains(&format!("{expected} rows added")),
            "{}",
            text(&imported)
        );
    }
    let counted = Command::new(repository().join("deploy/readers/count.py"))
        .arg(folder.path().join("data/lake"))
        .arg("--spark")
        .output()
        .unwrap();
    assert!(counted.status.success(), "{}", text(&counted));
    let mut counts = BTreeMap::new();
    for line in String::from_utf8(counted.stdout).unwrap().lines() {
        let line: Value = serde_json::from_str(line).unwrap();
        let table = line["table"].as_str().unwrap().to_owned();
        for reader in ["duckdb", "deltalake", "spark"] {
            let ours = vedette(
                folder.path(),
                &["sql", &format!("SELECT count(*) FROM {table}")],
            );
            assert!(ours.status.success(), "{}", text(&ours));
            let ours = String::from_utf8(ours.stdout).unwrap();
            assert_eq!(
                ours.lines().nth(1).unwrap(),
                line[reader].to_string(),
                "{table} in {reader}"
            );
        }
        counts.insert(table, line["duckdb"].as_u64().unwrap());
    }
    assert_eq!(counts["m365_activity"], RECORDS as u64);
    assert_eq!(counts["dead_letters"], 1);
    assert!(counts["alerts"] > 0, "rules ran over the import");
}
