//! Holds the house in order: who may name whom, how long things are, what stands at the root.
//!
//! It stands in the lightest crate, so that it runs in seconds.
#![expect(clippy::expect_used, reason = "a test: it fails loudly")]

#[path = "tidy/circles.rs"]
mod circles;
#[path = "tidy/names.rs"]
mod names;
#[path = "tidy/source.rs"]
mod source;
#[path = "tidy/words.rs"]
mod words;

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};

/// Which crate may name which; anything else breaks the build. A new arrow is a decision of its own.
const ARROWS: &[(&str, &[&str])] = &[
    ("schemas", &[]),
    ("bus", &["schemas"]),
    ("microsoft", &["schemas"]),
    ("ingest", &["bus", "microsoft", "schemas"]),
    ("columns", &["schemas"]),
    ("lake", &["bus", "columns", "schemas"]),
    ("sigma", &["columns", "schemas"]),
    ("detect", &["bus", "columns", "lake", "schemas", "sigma"]),
    ("respond", &["bus", "microsoft", "schemas"]),
    ("forward", &["bus", "schemas"]),
    ("report", &["schemas"]),
    ("simulator", &["schemas"]),
    (
        "cli",
        &[
            "bus",
            "detect",
            "forward",
            "ingest",
            "lake",
            "microsoft",
            "report",
            "respond",
            "schemas",
            "sigma",
            "simulator",
        ],
    ),
    ("benches", &["bus", "columns", "ingest", "schemas", "sigma"]),
];

/// Crates that must build and test without `DataFusion`: its build is long.
const LIGHT: &[&str] = &[
    "schemas",
    "bus",
    "microsoft",
    "ingest",
    "respond",
    "forward",
    "report",
    "simulator",
    "columns",
    "sigma",
    "benches",
];

/// What may stand at the root. A new entry is a decision of its own.
const ROOT: &[&str] = &[
    ".ci",
    ".editorconfig",
    ".git",
    ".github",
    ".gitignore",
    "ARCHITECTURE.md",
    "CHANGELOG.md",
    "CONTRIBUTING.md",
    "Cargo.lock",
    "Cargo.toml",
    "LICENSE",
    "Makefile",
    "README.md",
    "SECURITY.md",
    "benches",
    "bus",
    "cli",
    "clippy.toml",
    "columns",
    "deny.toml",
    "deploy",
    "detect",
    "docs",
    "forward",
    "fuzz",
    "ingest",
    "lake",
    "microsoft",
    "report",
    "respond",
    "rust-toolchain.toml",
    "rustfmt.toml",
    "schemas",
    "sigma",
    "simulator",
];

const FILE_LINES_MAX: usize = 500;
const FUNCTION_LINES_MAX: usize = 70;

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("..")
}

fn rust_files(folder: &Path, found: &mut Vec<PathBuf>) {
    for entry in fs::read_dir(folder).expect("a folder of the repository is readable") {
        let path = entry.expect("an entry is readable").path();
        if path.is_dir() {
            if path.file_name().is_some_and(|name| name != "target") {
                rust_files(&path, found);
            }
        } else if path.extension().is_some_and(|extension| extension == "rs") {
            found.push(path);
        }
    }
}

fn all_rust_files() -> Vec<PathBuf> {
    let mut found = Vec::new();
    for (name, _) in ARROWS {
        rust_files(&root().join(name), &mut found);
    }
    assert!(found.len() > 50, "the walk finds the code");
    found
}

/// Names under `[dependencies]` and, if asked for, `[dev-dependencies]` of a crate.
fn dependencies(name: &str, section: &str) -> BTreeSet<String> {
    let manifest = fs::read_to_string(root().join(name).join("Cargo.toml")).expect("a manifest");
    manifest
        .split("\n[")
        .filter(|part| part.trim_start_matches('[').starts_with(section))
        .flat_map(str::lines)
        .skip(1)
        .filter_map(|line| line.split(['.', ' ', '=']).next())
        .filter(|word| !word.is_empty() && !word.starts_with('#'))
        .map(str::to_owned)
        .collect()
}

#[test]
fn crates_name_only_whom_they_may() {
    let ours: BTreeSet<&str> = ARROWS.iter().map(|(name, _)| *name).collect();
    for (name, may_name) in ARROWS {
        for dependency in dependencies(name, "dependencies]") {
            if ours.contains(dependency.as_str()) {
                assert!(
                    may_name.contains(&dependency.as_str()),
                    "{name}/Cargo.toml names {dependency}, which the table of arrows does not allow"
                );
            }
        }
    }
}

#[test]
fn light_crates_do_not_build_datafusion() {
    for name in LIGHT {
        for section in ["dependencies]", "dev-dependencies]"] {
            for heavy in ["datafusion", "deltalake", "lake", "detect", "cli"] {
                assert!(
                    !dependencies(name, section).contains(heavy),
                    "{name} names {heavy}: its tests would build DataFusion"
                );
            }
        }
    }
}

#[test]
fn files_are_short_and_open_with_what_they_are() {
    let mut faults = Vec::new();
    for file in all_rust_files() {
        let text = fs::read_to_string(&file).expect("a source file is UTF-8");
        let lines = text.lines().count();
        if lines > FILE_LINES_MAX {
            faults.push(format!("{}: {lines} lines", file.display()));
        }
        if !text.starts_with("//!") {
            faults.push(format!("{}: no module documentation", file.display()));
        }
        if file.file_name().is_some_and(|name| name == "mod.rs") {
            faults.push(format!(
                "{}: foo.rs beside foo/, not mod.rs",
                file.display()
            ));
        }
    }
    assert!(faults.is_empty(), "{}", faults.join("\n"));
}

/// The first line of each function and its number of lines, found by indentation, as rustfmt writes it.
fn functions(text: &str) -> Vec<(usize, usize)> {
    let lines: Vec<&str> = text.lines().collect();
    let mut found = Vec::new();
    for (start, line) in lines.iter().enumerate() {
        let code = line.trim_start();
        let indent = line.len() - code.len();
        let is_function = [
            "fn ",
            "pub fn ",
            "async fn ",
            "pub async fn ",
            "pub(crate) fn ",
            "pub(crate) async fn ",
            "pub(super) fn ",
            "pub(super) async fn ",
            "const fn ",
            "pub const fn ",
        ]
        .iter()
        .any(|opening| code.starts_with(opening));
        if !is_function {
            continue;
        }
        let closing = format!("{}}}", " ".repeat(indent));
        if let Some(length) = lines[start..].iter().position(|line| *line == closing) {
            found.push((start + 1, length + 1));
        }
    }
    found
}

#[test]
fn functions_fit_a_screen() {
    let mut faults = Vec::new();
    for file in all_rust_files() {
        let text = fs::read_to_string(&file).expect("a source file is UTF-8");
        for (line, length) in functions(&text) {
            if length > FUNCTION_LINES_MAX {
                faults.push(format!("{}:{line}: {length} lines", file.display()));
            }
        }
    }
    assert!(faults.is_empty(), "{}", faults.join("\n"));
}

#[test]
fn the_function_finder_finds() {
    let text =
        "fn a() {\n    x;\n}\nimpl B {\n    pub async fn c(\n        &self,\n    ) {\n    }\n}\n";
    assert_eq!(functions(text), vec![(1, 3), (5, 4)]);
}

#[test]
fn the_root_holds_what_it_may() {
    for entry in fs::read_dir(root()).expect("the root is readable") {
        let name = entry
            .expect("an entry")
            .file_name()
            .to_string_lossy()
            .into_owned();
        let ignored = ["target", "data"].contains(&name.as_str());
        assert!(
            ignored || ROOT.contains(&name.as_str()),
            "{name} stands at the root and is not in the list"
        );
    }
}

#[test]
fn every_crate_takes_the_lints_of_the_workspace() {
    for (name, _) in ARROWS {
        let manifest =
            fs::read_to_string(root().join(name).join("Cargo.toml")).expect("a manifest");
        assert!(manifest.contains("[lints]\nworkspace = true"), "{name}");
    }
}

#[test]
fn stage_crates_have_the_same_three_files() {
    for name in ["ingest", "lake", "detect", "respond", "forward"] {
        for file in ["config.rs", "error.rs", "stage.rs"] {
            assert!(
                root().join(name).join("src").join(file).is_file(),
                "{name}/src/{file}"
            );
        }
    }
}

#[test]
fn architecture_fits_one_screen_and_names_files_that_exist() {
    let text = fs::read_to_string(root().join("ARCHITECTURE.md")).expect("ARCHITECTURE.md");
    assert!(text.lines().count() <= 60, "one screen");
    let nevers = text.split("## Never").nth(1).expect("the nevers");
    let mut named = 0;
    for word in nevers
        .split_whitespace()
        .map(|word| word.trim_matches(['`', ',', '.', ';']))
    {
        let is_path = word.contains('/') && (word.contains(".rs") || word.contains(".toml"));
        if is_path {
            named += 1;
            assert!(root().join(word).exists(), "ARCHITECTURE.md names {word}");
        }
    }
    assert!(named >= 8, "each never names the file that keeps it");
}

/// Ways of a test to pass without having looked at anything, and of code to need what a clone has not.
fn passes_unread(text: &str) -> Vec<(usize, &'static str)> {
    let mut found = Vec::new();
    let lines: Vec<&str> = text.lines().collect();
    let mut test_ends = 0;
    for (at, line) in lines.iter().enumerate() {
        let code = line.trim_start();
        if code.starts_with("#[test]") || code.starts_with("#[tokio::test") {
            let closing = format!("{}}}", " ".repeat(line.len() - code.len()));
            let length = lines[at..].iter().position(|line| *line == closing);
            test_ends = at + length.unwrap_or_default();
        }
        if line.contains("../shared") {
            found.push((at + 1, "names a folder beside the repository"));
        }
        if code.starts_with("#[ignore") {
            found.push((at + 1, "is left out"));
        }
        let is_said = ["println!(\"", "writeln!("]
            .iter()
            .any(|print| line.contains(print));
        if is_said && line.contains(concat!("\"ski", "p")) {
            found.push((at + 1, "says that it passes unread"));
        }
        let next = lines.get(at + 1).map_or("", |line| line.trim());
        let gives_up = line.contains("else { return }")
            || line.contains("else { return; }")
            || (line.ends_with("else {") && next == "return;");
        if gives_up && at < test_ends {
            found.push((at + 1, "returns where something is absent"));
        }
    }
    found
}

#[test]
fn no_test_passes_by_not_running() {
    let mut faults = Vec::new();
    for file in all_rust_files() {
        let text = fs::read_to_string(&file).expect("a source file is UTF-8");
        let is_in_tests = file.components().any(|part| {
            let name = part.as_os_str();
            name == "tests" || name == "tests.rs"
        });
        // A test inside of a source file begins where its module does.
        let begin = if is_in_tests {
            0
        } else {
            text.find("#[cfg(test)]").unwrap_or(text.len())
        };
        let before = text[..begin].lines().count();
        if file.ends_with("schemas/tests/tidy.rs") {
            continue;
        }
        for (line, what) in passes_unread(&text[begin..]) {
            let line = before + line;
            faults.push(format!("{}:{line}: {what}; it must fail", file.display()));
        }
    }
    assert!(faults.is_empty(), "{}", faults.join("\n"));
}

#[test]
fn the_finder_of_unread_passes_finds() {
    for text in [
        "Path::new(\"../../shared/data\")",
        "#[ignore = \"slow\"]",
        concat!("println!(\"ski", "pped: it is absent\");"),
        "#[test]\nfn a() {\n    let Some(path) = path() else {\n        return;\n    };\n}",
        "#[tokio::test]\nasync fn a() {\n    let Some(path) = path() else { return };\n}",
    ] {
        assert_eq!(passes_unread(text).len(), 1, "{text}");
    }
    let not_a_test = "fn a() {\n    let Some(path) = path() else {\n        return;\n    };\n}";
    assert!(passes_unread(not_a_test).is_empty());
}
