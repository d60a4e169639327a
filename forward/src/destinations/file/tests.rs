//! What becomes of lines when files are cut, moved, full, or not ours.

use std::fs;
use std::os::unix::fs::PermissionsExt as _;
use std::sync::Arc;

use schemas::wire::Alert;

use super::{FileConfig, FileDestination, rotated_at};
use crate::contract::Notice;
use crate::destination::{Answer, Destination as _, Outcome};

/// Two of them fill a file.
fn notice(id: &str) -> Arc<Notice> {
    let mut notice = Notice::of_alert(&Alert {
        alert_id: id.to_owned(),
        ..Alert::default()
    });
    notice.document["title"] = "x".repeat(600_000).into();
    Arc::new(notice)
}

fn ids(text: &str) -> Vec<String> {
    text.lines()
        .map(|line| {
            let value: serde_json::Value = serde_json::from_str(line).expect("a whole line");
            value["id"].as_str().expect("an id").to_owned()
        })
        .collect()
}

fn config(folder: &tempfile::TempDir) -> FileConfig {
    FileConfig {
        path: folder.path().join("alerts.ndjson"),
        rotate_megabytes: 1,
        keep: 2,
        ..FileConfig::default()
    }
}

async fn deliver(destination: &mut FileDestination, id: &str) {
    let reply = destination.deliver(&[notice(id)]).await;
    assert_eq!(
        reply.answer,
        Answer::Each(vec![Outcome::Delivered]),
        "{}",
        reply.said
    );
}

#[tokio::test]
async fn a_full_file_is_rotated_and_the_oldest_are_removed() {
    let folder = tempfile::tempdir().expect("a folder");
    let config = config(&folder);
    fs::write(folder.path().join("alerts-notes.ndjson"), "mine").expect("a file of another");
    let mut destination = FileDestination::new("siem", &config).expect("a destination");
    for id in ["a", "b", "c", "d", "e"] {
        deliver(&mut destination, id).await;
    }
    let mut names: Vec<String> = fs::read_dir(folder.path())
        .expect("the folder")
        .map(|entry| {
            entry
                .expect("an entry")
                .file_name()
                .into_string()
                .expect("a name")
        })
        .collect();
    names.sort();
    assert_eq!(
        names.len(),
        4,
        "{names:?}: the file, two rotated, and another's"
    );
    assert!(names.contains(&"alerts-notes.ndjson".to_owned()));
    let mut kept: Vec<String> = names
        .iter()
        .filter(|name| !name.contains("notes"))
        .flat_map(|name| ids(&fs::read_to_string(folder.path().join(name)).expect("a file")))
        .collect();
    kept.sort();
    assert_eq!(kept, ["c", "d", "e"]);
}

#[tokio::test]
async fn a_line_that_was_cut_is_removed_and_whole_ones_stay() {
    let folder = tempfile::tempdir().expect("a folder");
    let config = config(&folder);
    fs::write(&config.path, "{\"id\":\"a\"}\n{\"id\":\"b").expect("a cut file");
    let mut destination = FileDestination::new("siem", &config).expect("a destination");
    deliver(&mut destination, "b").await;
    let text = fs::read_to_string(&config.path).expect("the file");
    assert_eq!(ids(&text), ["a", "b"]);
}

#[tokio::test]
async fn a_file_that_another_program_moved_or_emptied_is_begun_anew() {
    let folder = tempfile::tempdir().expect("a folder");
    let config = config(&folder);
    let mut destination = FileDestination::new("siem", &config).expect("a destination");
    deliver(&mut destination, "a").await;
    let moved = folder.path().join("moved");
    fs::rename(&config.path, &moved).expect("it is moved");
    deliver(&mut destination, "b").await;
    fs::write(&config.path, "").expect("it is emptied");
    deliver(&mut destination, "c").await;
    let read = |path| ids(&fs::read_to_string(path).expect("a file"));
    assert_eq!(read(moved), ["a"]);
    assert_eq!(read(config.path), ["c"]);
}

#[tokio::test]
async fn a_folder_that_is_away_is_waited_for_and_told_with_the_fix() {
    let folder = tempfile::tempdir().expect("a folder");
    let away = folder.path().join("away");
    let config = FileConfig {
        path: away.join("alerts.ndjson"),
        ..FileConfig::default()
    };
    let mut destination = FileDestination::new("siem", &config).expect("a destination");
    let reply = destination.deliver(&[notice("a")]).await;
    assert!(matches!(&reply.answer, Answer::Later(retry) if retry.why.contains("make the folder")));
    let found = destination.validate().await;
    assert!(found[0].fault.is_some());
    fs::create_dir(&away).expect("it comes");
    deliver(&mut destination, "a").await;
    assert!(destination.validate().await[0].fault.is_none());
    let mode = fs::metadata(&config.path)
        .expect("the file")
        .permissions()
        .mode();
    assert_eq!(mode & 0o027, 0, "not for everybody: {mode:o}");
}

#[test]
fn only_names_that_a_rotation_gives_are_its_own() {
    for (name, expected) in [
        ("alerts-20261130T081500Z.ndjson", true),
        ("alerts-20261130T081500Z.3.ndjson", true),
        ("alerts-20261130T0815.ndjson", false),
        ("alerts-notes.ndjson", false),
        ("other-20261130T081500Z.ndjson", false),
        ("alerts-20261130T081500Z.ndjson.gz", false),
    ] {
        let found = rotated_at(name, "alerts-", ".ndjson");
        assert_eq!(found.is_some(), expected, "{name}");
    }
}

#[tokio::test]
async fn two_that_write_one_file_tear_no_line_of_each_other() {
    let folder = tempfile::tempdir().expect("a folder");
    let config = FileConfig {
        rotate_megabytes: 0,
        ..config(&folder)
    };
    let mut writers: Vec<FileDestination> = (0..2)
        .map(|_| FileDestination::new("siem", &config).expect("a destination"))
        .collect();
    for number in 0..6 {
        for (name, writer) in ["a", "b"].iter().zip(&mut writers) {
            deliver(writer, &format!("{name}{number}")).await;
        }
    }
    let text = fs::read_to_string(&config.path).expect("the file");
    assert_eq!(ids(&text).len(), 12);
}
