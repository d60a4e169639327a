//! Commands as they are given in the folder of a configuration, without naming it; and in a folder that has none.

use std::fs;
use std::process::{Command, Output, Stdio};
use std::time::Instant;

use crate::{CONFIGURATION, House, PATIENCE, text};

/// Without `--config`.
fn bare(house: &House, folder: &str, arguments: &[&str]) -> Output {
    Command::new(env!("CARGO_BIN_EXE_vedette"))
        .args(arguments)
        .current_dir(house.path(folder))
        .stdin(Stdio::null())
        .output()
        .unwrap()
}

#[test]
fn the_switch_of_the_folder_is_the_switch_of_its_responder() {
    let house = House::new(&format!("data = \"elsewhere\"\n{CONFIGURATION}"));
    let mut running = house.start(&["respond"]);
    running.line_with("health and metrics are served");
    let started = Instant::now();
    let stopped = loop {
        let stopped = bare(&house, "", &["stop-actions", "--by", "kim"]);
        if stopped.status.code() == Some(0) {
            break stopped;
        }
        assert!(started.elapsed() < PATIENCE, "{}", text(&stopped));
    };
    for words in ["acknowledged (entry ", "the configuration is vedette.toml"] {
        assert!(text(&stopped).contains(words), "{}", text(&stopped));
    }
    assert!(house.path("elsewhere/respond.stop").exists());
    assert!(!house.path("data").exists());
    let resumed = bare(&house, "", &["stop-actions", "--by", "kim", "--resume"]);
    assert_eq!(resumed.status.code(), Some(0), "{}", text(&resumed));
    assert!(text(&resumed).contains("acknowledged (entry "));
    // Nobody has set it since.
    let again = bare(&house, "", &["stop-actions", "--by", "kim", "--resume"]);
    assert_eq!(again.status.code(), Some(0), "{}", text(&again));
    assert!(text(&again).contains("was not set"), "{}", text(&again));
    running.signal("TERM");
    assert_eq!(running.code(), Some(0));
}

#[test]
fn nothing_is_said_to_be_stopped_where_nobody_runs() {
    let house = House::new(CONFIGURATION);
    fs::create_dir(house.path("empty")).unwrap();
    let stopped = bare(&house, "empty", &["stop-actions", "--by", "kim"]);
    assert_eq!(stopped.status.code(), Some(3), "{}", text(&stopped));
    assert!(text(&stopped).contains("nothing was stopped"));
    assert_eq!(fs::read_dir(house.path("empty")).unwrap().count(), 0);
    let stopped = bare(&house, "", &["stop-actions", "--by", "kim"]);
    assert_eq!(stopped.status.code(), Some(4), "{}", text(&stopped));
    assert!(house.path("data/respond.stop").exists());
}

#[test]
fn a_broken_configuration_of_the_folder_is_not_passed_over() {
    let house = House::new("nonsense = [");
    let checked = bare(&house, "", &["config", "check"]);
    assert_eq!(checked.status.code(), Some(3), "{}", text(&checked));
    fs::create_dir(house.path("empty")).unwrap();
    let checked = bare(&house, "empty", &["config", "check"]);
    assert_eq!(checked.status.code(), Some(0), "{}", text(&checked));
    assert!(text(&checked).contains("no configuration was named"));
    assert!(!text(&checked).contains("can be used"));
}

#[test]
fn nobody_decides_nothing() {
    let house = House::new(CONFIGURATION);
    for by in ["", " ", "\u{200b}", "kim\n", "playbook:x"] {
        for arguments in [
            &["stop-actions", "--by", by][..],
            &["audit", "approve", "x", "--by", by],
            &["audit", "deny", "x", "--by", by],
            &["audit", "retry", "x", "--by", by],
            &["audit", "undo", "x", "--by", by],
            &["audit", "request", "x", "block-sign-in", "--by", by],
            &["rules", "tune", "x", "--owner", by],
        ] {
            let refused = house.vedette(arguments);
            assert_eq!(
                refused.status.code(),
                Some(2),
                "{arguments:?}: {}",
                text(&refused)
            );
        }
    }
    assert!(!house.path("data").exists());
}
