//! What is written can be resolved by whoever reads it: no number of a list that is not here, no file that is not there.

use std::fs;
use std::path::{Path, PathBuf};

use super::root;

/// Kinds of files whose words are read.
const ENDINGS: [&str; 6] = ["rs", "toml", "md", "py", "proto", "yml"];

/// What looks like a number of a list, and is a name of the world.
const NAMES: [&str; 6] = [
    "Entra ID P1",
    "Entra ID P2",
    "Galaxy S25",
    "PS256",
    "S256",
    "SHA1",
];

fn files(folder: &Path, found: &mut Vec<PathBuf>) {
    for entry in fs::read_dir(folder).expect("a folder of the repository is readable") {
        let path = entry.expect("an entry is readable").path();
        let name = path
            .file_name()
            .and_then(|name| name.to_str())
            .unwrap_or_default();
        if path.is_dir() {
            if !["target", ".git"].contains(&name) {
                files(&path, found);
            }
        } else if name == "Makefile"
            || ENDINGS
                .iter()
                .any(|ending| name.ends_with(&format!(".{ending}")))
        {
            found.push(path);
        }
    }
}

/// Words such as `P12` or `S3`: a letter of our lists and up to three digits, standing alone.
fn numbers_of_lists(line: &str) -> Vec<String> {
    let mut line = line.to_owned();
    for name in NAMES {
        line = line.replace(name, "");
    }
    line.split(|character: char| !character.is_ascii_alphanumeric() && character != '_')
        .filter(|word| {
            let digits = word.get(1..).unwrap_or_default();
            word.starts_with(['P', 'S', 'F', 'N', 'I'])
                && (1..=3).contains(&digits.len())
                && digits.bytes().all(|byte| byte.is_ascii_digit())
        })
        .map(str::to_owned)
        .collect()
}

/// Lines of a file in which somebody is sent to a list that he does not have.
fn unresolved(text: &str, is_code: bool) -> Vec<usize> {
    let is_read = |line: &str| !is_code || line.contains("//") || line.contains('"');
    let lines = text.lines().enumerate();
    lines
        .filter(|(_, line)| is_read(line) && !numbers_of_lists(line).is_empty())
        .map(|(at, _)| at + 1)
        .collect()
}

#[test]
fn nobody_is_sent_to_a_list_that_is_not_here() {
    let mut found = Vec::new();
    files(&root(), &mut found);
    assert!(
        found.len() > 300,
        "the walk finds the files: {}",
        found.len()
    );
    let mut faults = Vec::new();
    for path in found {
        let Ok(text) = fs::read_to_string(&path) else {
            continue;
        };
        // This file has the samples.
        if path.ends_with("tidy/words.rs") {
            continue;
        }
        let is_code = path.extension().is_some_and(|ending| ending == "rs");
        let lines = unresolved(&text, is_code);
        faults.extend(
            lines
                .iter()
                .map(|line| format!("{}:{line}", path.display())),
        );
    }
    assert!(
        faults.is_empty(),
        "say the sentence instead of its number:\n{}",
        faults.join("\n")
    );
}

#[test]
fn the_finder_of_numbers_finds() {
    for bad in [
        "/// Alerts appear late (P34).",
        "// S89",
        "#   F12: lost",
        "N1 and I7 hold",
    ] {
        assert!(!numbers_of_lists(bad).is_empty(), "{bad}");
    }
    for good in [
        "\"alg\": \"PS256\", \"x5t#S256\"",
        "a licence of Entra ID P2",
        "P1D and PT5M are durations, X509 and E5 are names, S3Client is a type",
        "STIX 2.1, section 5.4",
    ] {
        assert!(numbers_of_lists(good).is_empty(), "{good}");
    }
    assert_eq!(
        unresolved("let P1 = 1;\n// P1\n", true),
        [2],
        "code has names of its own"
    );
}

/// Names of Rust files in a comment, such as `stage/intake.rs`.
fn named_files(line: &str) -> Vec<String> {
    let Some((_, comment)) = line.split_once("//") else {
        return Vec::new();
    };
    let is_part = |character: char| character.is_ascii_alphanumeric() || "_-./".contains(character);
    comment
        .split(|character: char| !is_part(character))
        .map(|word| word.trim_matches('.'))
        .filter(|word| {
            Path::new(word)
                .extension()
                .is_some_and(|ending| ending == "rs")
        })
        .filter(|word| !word.contains("docs.rs"))
        .map(str::to_owned)
        .collect()
}

#[test]
fn every_file_that_a_comment_names_is_there() {
    let mut all = Vec::new();
    files(&root(), &mut all);
    let mut faults = Vec::new();
    for path in all
        .iter()
        .filter(|path| path.extension().is_some_and(|ending| ending == "rs"))
    {
        if path.ends_with("tidy/words.rs") {
            continue;
        }
        let text = fs::read_to_string(path).expect("a file of the repository is readable");
        for (at, line) in text.lines().enumerate() {
            for name in named_files(line) {
                if !all
                    .iter()
                    .any(|known| known.ends_with(name.trim_start_matches("./")))
                {
                    faults.push(format!("{}:{}: {name}", path.display(), at + 1));
                }
            }
        }
    }
    assert!(
        faults.is_empty(),
        "there is no such file:\n{}",
        faults.join("\n")
    );
}

/// Paths in backticks or links of a document that begin with one of our folders, or lead up to it.
fn named_paths(line: &str) -> Vec<String> {
    let is_path = |word: &&str| {
        let first = word
            .trim_start_matches("../")
            .split('/')
            .next()
            .unwrap_or_default();
        word.contains('/')
            && !word.contains([' ', '*', ':', '|'])
            && root().join(first).is_dir()
            && !first.is_empty()
    };
    line.split(['`', '(', ')'])
        .skip(1)
        .filter(is_path)
        .map(str::to_owned)
        .collect()
}

#[test]
fn every_path_that_a_document_names_is_there() {
    let mut all = Vec::new();
    files(&root(), &mut all);
    let mut faults = Vec::new();
    for path in all
        .iter()
        .filter(|path| path.extension().is_some_and(|ending| ending == "md"))
    {
        let text = fs::read_to_string(path).expect("a file of the repository is readable");
        for (at, line) in text.lines().enumerate() {
            for name in named_paths(line) {
                let from = path.parent().expect("a file is in a folder");
                let name = name.split('#').next().unwrap_or_default();
                // What running makes is not there yet.
                let is_made = name.starts_with("target/");
                if !is_made && !root().join(name).exists() && !from.join(name).exists() {
                    faults.push(format!("{}:{}: {name}", path.display(), at + 1));
                }
            }
        }
    }
    assert!(
        faults.is_empty(),
        "there is no such path:\n{}",
        faults.join("\n")
    );
}

#[test]
fn the_finder_of_named_paths_finds() {
    assert_eq!(named_paths("see `bus/src/lease.rs`"), ["bus/src/lease.rs"]);
    assert_eq!(
        named_paths("[words](docs/glossary.md)"),
        ["docs/glossary.md"]
    );
    assert!(named_paths("`https://docs.rs/x` and `a/b`, `/readyz`").is_empty());
}

#[test]
fn the_finder_of_named_files_finds() {
    assert_eq!(
        named_files("/// As `stage/intake.rs` does."),
        ["stage/intake.rs"]
    );
    assert_eq!(named_files("//! See worker.rs."), ["worker.rs"]);
    assert!(named_files("let path = \"a.rs\";").is_empty());
    assert!(named_files("// https://docs.rs/rdkafka").is_empty());
}
