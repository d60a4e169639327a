//! What becomes of lines when files are cut, moved, full, or not ours.

use std::fs;
use std::os::unix::fs::PermissionsExt as _;
use std::sync::Arc;

use schemas::wire::Alert;

use super::rotation::rotated_at;
use super::{FileConfig, FileDestination};
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

/// What validation says is wrong.
async fn fault(config: &FileConfig) -> Option<String> {
    let mut destination = FileDestination::new("siem", config).expect("a destination");
    destination.validate().await.remove(0).fault
}

#[tokio::test]
async fn what_is_no_file_of_notices_is_refused_and_left_as_it_is() {
    let folder = tempfile::tempdir().expect("a folder");
    let config = config(&folder);
    for strange in [
        vec![b'x'; 400_000],
        b"one line\nand half of".to_vec(),
        vec![0; 70],
    ] {
        fs::write(&config.path, &strange).expect("a file of another");
        let mut destination = FileDestination::new("siem", &config).expect("a destination");
        let reply = destination.deliver(&[notice("a")]).await;
        let Answer::Later(retry) = reply.answer else {
            panic!("it was written: {}", reply.said);
        };
        assert!(
            retry.why.contains("no file of notices") && retry.why.contains("fix:"),
            "{}",
            retry.why
        );
        assert!(retry.why.contains("alerts.ndjson"), "{}", retry.why);
        assert!(fault(&config).await.is_some());
        assert_eq!(fs::read(&config.path).expect("the file"), strange);
    }
}

#[tokio::test]
async fn validation_makes_nothing_and_writes_nothing() {
    let folder = tempfile::tempdir().expect("a folder");
    let config = config(&folder);
    assert_eq!(fault(&config).await, None, "it could be made");
    assert!(!config.path.exists());
    let cut = "{\"id\":\"a\"}\n{\"id\":\"b";
    fs::write(&config.path, cut).expect("a cut file");
    assert_eq!(fault(&config).await, None, "its end is ours to cut");
    assert_eq!(fs::read_to_string(&config.path).expect("the file"), cut);
}

#[tokio::test]
async fn a_notice_without_the_end_of_its_line_is_kept() {
    let folder = tempfile::tempdir().expect("a folder");
    let config = config(&folder);
    fs::write(&config.path, "{\"contract\":\"1\",\"id\":\"a\"}").expect("a file");
    let mut destination = FileDestination::new("siem", &config).expect("a destination");
    deliver(&mut destination, "b").await;
    let text = fs::read_to_string(&config.path).expect("the file");
    assert_eq!(ids(&text), ["a", "b"]);
}

#[tokio::test]
async fn a_link_stays_and_what_it_leads_to_is_rotated() {
    let folder = tempfile::tempdir().expect("a folder");
    let far = tempfile::tempdir().expect("another folder");
    let config = config(&folder);
    let target = far.path().join("far.ndjson");
    std::os::unix::fs::symlink(&target, &config.path).expect("a link");
    assert_eq!(fault(&config).await, None);
    let mut destination = FileDestination::new("siem", &config).expect("a destination");
    for id in ["a", "b", "c"] {
        deliver(&mut destination, id).await;
    }
    let link = fs::symlink_metadata(&config.path).expect("it is there");
    assert!(link.is_symlink());
    assert_eq!(ids(&fs::read_to_string(&target).expect("the file")), ["c"]);
    let there = fs::read_dir(far.path()).expect("the folder").count();
    assert_eq!(there, 3, "the file and two rotated");
    assert_eq!(fs::read_dir(folder.path()).expect("the folder").count(), 1);
}

#[tokio::test]
async fn one_that_another_has_locked_is_told_with_who_has_it() {
    let folder = tempfile::tempdir().expect("a folder");
    let config = config(&folder);
    let held = fs::File::create(&config.path).expect("a file");
    held.lock().expect("it is locked");
    let why = fault(&config).await.expect("it is locked");
    let who = format!("process {}", std::process::id());
    assert!(why.contains("locked") && why.contains("fix:"), "{why}");
    if cfg!(target_os = "linux") {
        assert!(why.contains(&who), "{why}");
    }
    drop(held);
    assert_eq!(fault(&config).await, None);
}

#[tokio::test]
async fn one_that_is_moved_while_its_lock_is_waited_for_is_opened_anew() {
    let folder = tempfile::tempdir().expect("a folder");
    let config = config(&folder);
    let held = fs::File::create(&config.path).expect("a file");
    held.lock().expect("it is locked");
    let mut destination = FileDestination::new("siem", &config).expect("a destination");
    let moved = folder.path().join("moved");
    let from = config.path.clone();
    let task = tokio::task::spawn_blocking({
        let moved = moved.clone();
        move || {
            std::thread::sleep(std::time::Duration::from_millis(500));
            fs::rename(from, moved).expect("it is moved");
            drop(held);
        }
    });
    deliver(&mut destination, "a").await;
    task.await.expect("it is moved");
    assert_eq!(fs::read_to_string(moved).expect("the file"), "");
    assert_eq!(
        ids(&fs::read_to_string(&config.path).expect("the file")),
        ["a"]
    );
}

#[test]
fn a_file_of_vedettes_own_is_refused() {
    let folder = tempfile::tempdir().expect("a folder");
    let config = FileConfig {
        reserved: vec![folder.path().join("log.sqlite")],
        path: folder.path().join("log.sqlite"),
        ..FileConfig::default()
    };
    let error = FileDestination::new("siem", &config)
        .err()
        .expect("it is refused");
    let error = error.to_string();
    assert!(
        error.contains("log.sqlite") && error.contains("fix:"),
        "{error}"
    );
}
