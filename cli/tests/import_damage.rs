//! An import goes on past what is damaged in the lake, and says what is lost.
#![expect(clippy::unwrap_used, reason = "a test fails loudly")]

use std::fs;
use std::path::{Path, PathBuf};

#[path = "kit/command.rs"]
mod command;

use command::{text, vedette};

fn record(number: usize, user: &str) -> String {
    let record = serde_json::json!({
        "Id": format!("record-{number}"), "CreationTime": "2026-03-01T10:00:00", "Operation": "FileAccessed",
        "Workload": "OneDrive", "RecordType": 6, "OrganizationId": "tenant-one", "UserId": user,
    });
    record.to_string() + "\n"
}

fn files_of(folder: &Path, ending: &str) -> Vec<PathBuf> {
    let mut found = Vec::new();
    for entry in fs::read_dir(folder).into_iter().flatten() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            found.extend(files_of(&path, ending));
        } else if path.to_str().unwrap().ends_with(ending) {
            found.push(path);
        }
    }
    found.sort();
    found
}

#[test]
fn an_import_goes_on_past_a_damaged_file_and_a_damaged_entry_and_counts_rightly() {
    let folder = tempfile::tempdir().unwrap();
    let place = folder.path();
    fs::write(place.join("vedette.toml"), "data = \"data\"\n").unwrap();
    let write = |name: &str, numbers: std::ops::Range<usize>| {
        let lines: Vec<String> = numbers
            .map(|number| record(number, "ada@harbour.example"))
            .collect();
        fs::write(place.join(name), lines.join("\n")).unwrap();
    };
    write("first.ndjson", 0..40);
    write("second.ndjson", 40..41);
    write("third.ndjson", 41..42);
    let first = vedette(place, &["import", "first.ndjson"]);
    assert_eq!(first.status.code(), Some(0), "{}", text(&first));
    let table = place.join("data/lake/m365_activity");
    for file in files_of(&table, ".parquet") {
        fs::write(file, "PAR1").unwrap();
    }
    let second = vedette(place, &["import", "second.ndjson"]);
    let said = text(&second);
    assert_eq!(second.status.code(), Some(0), "{said}");
    assert!(
        said.contains("1 rows added, 0 revisions, 0 duplicates"),
        "{said}"
    );
    assert!(
        said.contains("40 rows of before could not be read any more"),
        "{said}"
    );
    let entries = files_of(&place.join("data/lake/alerts/_delta_log"), ".json");
    fs::write(entries.last().unwrap(), [0; 64]).unwrap();
    let third = vedette(place, &["import", "third.ndjson"]);
    let said = text(&third);
    assert_eq!(third.status.code(), Some(0), "{said}");
    assert!(
        said.contains("1 rows added, 0 revisions, 0 duplicates"),
        "{said}"
    );
    assert!(
        said.contains("alerts: its log could not be read before the import"),
        "{said}"
    );
}
