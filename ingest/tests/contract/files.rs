//! What people have on disk.

use std::io::Write;
use std::os::unix::fs::symlink;
use std::path::PathBuf;
use std::sync::Arc;

use ingest::sources::files::{ImportOptions, Summary, import};
use ingest::{ImportConfig, IngestError};
use schemas::environment::SystemClock;
use schemas::time::DateOrder;
use tokio_util::sync::CancellationToken;

use crate::lab::Lab;

fn options() -> ImportOptions {
    ImportOptions {
        tenant_id: None,
        is_tenant_of_all: false,
        dates: DateOrder::default(),
        bounds: ImportConfig::default(),
        clock: Arc::new(SystemClock),
        downstream: None,
        stop: CancellationToken::new(),
    }
}

async fn read(lab: &mut Lab, paths: &[PathBuf]) -> Summary {
    let mut last = None;
    let bus = lab.bus.clone();
    let summary = import(paths, &options(), &bus, |progress| {
        last = Some(progress.clone());
    })
    .await
    .unwrap();
    let last = last.unwrap();
    assert_eq!(
        (last.files_done, last.bytes_done),
        (last.files_total, last.bytes_total)
    );
    lab.look().await;
    // A file can say anything, also of a tenant whose connector runs.
    let is_imported = |event: &schemas::wire::Event| event.provenance == "imported";
    assert!(lab.arrived.events.iter().all(is_imported));
    assert_eq!(
        lab.arrived.lines("file", "read").len() as u64,
        summary.files
    );
    summary
}

fn record(id: &str) -> String {
    format!(
        r#"{{"CreationTime":"2026-09-14T08:02:41","Id":"{id}","Operation":"FileAccessed","OrganizationId":"T","RecordType":6,"Workload":"OneDrive"}}"#
    )
}

#[tokio::test]
async fn every_format_is_told_from_its_content() {
    let mut lab = Lab::new().await;
    let folder = lab.folder().join("export");
    std::fs::create_dir_all(&folder).unwrap();
    let put = |name: &str, bytes: &[u8]| std::fs::write(folder.join(name), bytes).unwrap();
    put(
        "lines.txt",
        format!("{}\n{{\"cut\n{}\n", record("1"), record("2")).as_bytes(),
    );
    put(
        "list.csv",
        format!("[{},\n{}]", record("3"), record("4")).as_bytes(),
    );
    put(
        "envelope",
        format!("\u{feff}{{\"records\":[{}]}}", record("5")).as_bytes(),
    );
    let quoted = record("6").replace('"', "\"\"");
    let rows = format!("RecordId,CreationDate,AuditData\r\n6,x,\"{quoted}\"\r\n7,x,\r\n");
    put("search.json", rows.as_bytes());
    let mut gzip = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
    gzip.write_all(record("8").as_bytes()).unwrap();
    put("packed", &gzip.finish().unwrap());
    put(
        "packed.too",
        &zstd::encode_all(record("9").as_bytes(), 1).unwrap(),
    );
    put("page.json", b"<html></html>");
    put("empty.json", b"");
    let summary = read(&mut lab, &[folder]).await;
    let ids: Vec<String> = lab.arrived.ids("m365_activity").into_iter().collect();
    assert_eq!(ids, ["1", "2", "3", "4", "5", "6", "8", "9"]);
    assert_eq!(
        (summary.files, summary.records, summary.dead_letters),
        (8, 8, 3)
    );
    assert!(
        lab.arrived
            .events
            .iter()
            .all(|event| event.tenant_id == "t")
    );
    assert_eq!(
        lab.arrived
            .events
            .iter()
            .find(|event| event.event_id == "6")
            .unwrap()
            .raw,
        record("6")
    );
}

#[tokio::test]
async fn an_export_of_the_directory_goes_to_its_tables() {
    // Pages of Graph Explorer, and objects one on a line.
    let mut lab = Lab::new().await;
    let folder = lab.folder().join("export");
    std::fs::create_dir_all(&folder).unwrap();
    let context = "https://graph.microsoft.com/v1.0/$metadata#";
    let user =
        r#""userPrincipalName":"ada@harbour.example","displayName":"Ada","mail":null,"id":"u1""#;
    let group = r#""id":"g1","displayName":"All","groupTypes":["Unified"],"securityEnabled":false"#;
    let domain = r#""id":"harbour.example","authenticationType":"Managed","isVerified":true"#;
    let put = |name: &str, text: String| std::fs::write(folder.join(name), text).unwrap();
    put(
        "users.json",
        format!(
            "{{\n \"@odata.context\": \"{context}users\",\n \"value\": [\n  {{{user}}}\n ]\n}}"
        ),
    );
    put(
        "user.json",
        format!("{{\"@odata.context\":\"{context}users/$entity\",{user}}}"),
    );
    put("rest.ndjson", format!("{{{group}}}\n{{{domain}}}\n"));
    let summary = read(&mut lab, &[folder]).await;
    assert_eq!((summary.records, summary.dead_letters), (4, 0));
    for table in ["directory_users", "directory_groups", "directory_domains"] {
        assert_eq!(lab.arrived.ids(table).len(), 1, "{table}");
    }
}

#[tokio::test]
async fn a_file_that_breaks_off_is_a_gap_and_its_beginning_is_kept() {
    let mut lab = Lab::new().await;
    let lines: Vec<String> = (0..20_000)
        .map(|number| record(&number.to_string()))
        .collect();
    let whole = zstd::encode_all(lines.join("\n").as_bytes(), 1).unwrap();
    let path = lab.folder().join("cut.zst");
    std::fs::write(&path, &whole[..whole.len() / 2]).unwrap();
    let summary = read(&mut lab, &[path]).await;
    assert_eq!(summary.failures.len(), 1);
    assert!(
        summary.records > 1_000 && summary.records < 20_000,
        "{}",
        summary.records
    );
    assert_eq!(lab.arrived.lines("file", "gap").len(), 1);
}

#[tokio::test]
async fn a_stopped_import_says_so_and_a_missing_path_publishes_nothing() {
    let lab = Lab::new().await;
    let path = lab.folder().join("one.json");
    std::fs::write(&path, record("1")).unwrap();
    let stopped = options();
    stopped.stop.cancel();
    let ended = import(std::slice::from_ref(&path), &stopped, &lab.bus, |_| {}).await;
    assert!(matches!(ended, Err(IngestError::Stopped)));
    let ended = import(
        &[path, lab.folder().join("none")],
        &options(),
        &lab.bus,
        |_| {},
    )
    .await;
    assert!(matches!(ended, Err(IngestError::File { .. })));
}

/// Imports into a lab without the checks of an import that is whole.
async fn read_part(lab: &mut Lab, path: PathBuf) -> Summary {
    let summary = import(&[path], &options(), &lab.bus, |_| {}).await.unwrap();
    lab.look().await;
    summary
}

#[tokio::test]
async fn a_hostile_folder_is_read_without_leaving_it() {
    let mut lab = Lab::new().await;
    let folder = lab.folder().join("evidence");
    std::fs::create_dir_all(folder.join("deep")).unwrap();
    std::fs::write(folder.join("a.json"), record("1")).unwrap();
    std::fs::write(lab.folder().join("secret"), "root:x:0:0").unwrap();
    // Two loops: the paths through them double at every level.
    symlink(&folder, folder.join("deep/1")).unwrap();
    symlink(&folder, folder.join("deep/2")).unwrap();
    symlink("../../secret", folder.join("deep/secret.json")).unwrap();
    let pipe = folder.join("pipe.json");
    let made = std::process::Command::new("mkfifo").arg(&pipe).status();
    assert!(made.unwrap().success());
    let summary = read_part(&mut lab, folder).await;
    assert_eq!((summary.records, summary.dead_letters), (1, 0));
    let told: Vec<&str> = summary
        .failures
        .iter()
        .map(|(_, why)| why.as_str())
        .collect();
    assert!(
        told[0].starts_with("it is a link that leads out of the folder"),
        "{told:?}"
    );
    assert_eq!(told[1..], ["it is a pipe, and only files are read"]);
    assert_eq!(lab.arrived.lines("file", "gap").len(), 2);
}

#[tokio::test]
async fn a_bomb_ends_at_its_bound_and_is_a_gap() {
    let mut lab = Lab::new().await;
    let path = lab.folder().join("bomb.gz");
    // The best: how far the fast one gets depends on the library that the build has chosen.
    let mut gzip = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::best());
    gzip.write_all(record("1").as_bytes()).unwrap();
    for _ in 0..80 {
        gzip.write_all(&vec![b'\n'; 1024 * 1024]).unwrap();
    }
    std::fs::write(&path, gzip.finish().unwrap()).unwrap();
    let summary = read_part(&mut lab, path.clone()).await;
    assert_eq!(summary.records, 1);
    let (_, why) = &summary.failures[0];
    assert!(why.starts_with("it expands to more than"), "{why}");
    assert_eq!(lab.arrived.lines("file", "gap").len(), 1);
    // All of an import together.
    let options = ImportOptions {
        bounds: ImportConfig {
            expanded_bytes_max: 1_000_000,
            ..ImportConfig::default()
        },
        ..options()
    };
    let summary = import(&[path], &options, &lab.bus, |_| {}).await.unwrap();
    let (_, why) = &summary.failures[0];
    assert!(
        why.starts_with("the compressed files of this import"),
        "{why}"
    );
}

#[tokio::test]
async fn an_export_in_utf_16_is_read() {
    let mut lab = Lab::new().await;
    let folder = lab.folder().join("windows");
    std::fs::create_dir_all(&folder).unwrap();
    let utf16 = |text: &str| -> Vec<u8> {
        let marked = format!("\u{feff}{text}");
        marked.encode_utf16().flat_map(u16::to_le_bytes).collect()
    };
    let lines = format!("{}\r\n{}\r\n", record("é1"), record("2"));
    std::fs::write(folder.join("lines.json"), utf16(&lines)).unwrap();
    let quoted = record("3").replace('"', "\"\"");
    let rows = format!("RecordId,AuditData\r\n3,\"{quoted}\"\r\n");
    std::fs::write(folder.join("search.csv"), utf16(&rows)).unwrap();
    let summary = read(&mut lab, &[folder]).await;
    assert_eq!((summary.records, summary.dead_letters), (3, 0));
    assert_eq!(lab.arrived.times("é1"), 1);
}
