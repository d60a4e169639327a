//! Holds every invariant to its word: it is checked by the code that keeps it, a test fails it, and the table names it.
#![expect(clippy::expect_used, reason = "a test: it fails loudly")]

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::fs;
use std::path::{Path, PathBuf};

use schemas::invariants::Invariant;

/// Those that only models and tests look after, so far. None may be added.
const NOT_CHECKED_YET: &[&str] = &[];

/// The table for readers, beside the code that it is made of.
const TABLE: &str = "schemas/INVARIANTS.md";

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("..")
}

fn read(path: &str) -> String {
    fs::read_to_string(root().join(path)).unwrap_or_else(|error| panic!("{path}: {error}"))
}

/// What stands before the tests of a file, and the tests.
fn parts(text: &str) -> (&str, &str) {
    text.split_once("#[cfg(test)]").unwrap_or((text, ""))
}

fn areas() -> Vec<String> {
    let folder = root().join("schemas/src/invariants");
    let mut areas: Vec<String> = fs::read_dir(folder)
        .expect("the areas")
        .map(|entry| entry.expect("an area").path())
        .map(|path| fs::read_to_string(path).expect("an area is readable"))
        .collect();
    areas.sort();
    areas
}

/// Names of the predicates by the invariant that each is a case of, as `Debug` writes it.
fn predicates() -> BTreeMap<String, Vec<String>> {
    let mut found: BTreeMap<String, Vec<String>> = BTreeMap::new();
    for area in areas() {
        for part in parts(&area).0.split("impl Predicate for ").skip(1) {
            let name = part.split([' ', '<']).next().expect("a name");
            let invariant = part
                .split_once("= Invariant::")
                .and_then(|(_, rest)| rest.split_once(';'))
                .expect("what it is a case of")
                .0;
            // `Response(Response::OneResponder)` in the source, `Response(OneResponder)` as a value.
            let (area, variant) = invariant.split_once('(').expect("an area");
            let variant = variant.rsplit("::").next().expect("a variant");
            let key = format!("{area}({variant}");
            found.entry(key).or_default().push(name.to_owned());
        }
    }
    found
}

fn table() -> String {
    let mut text = String::from(
        "# What must always hold\n\n\
         Written from `schemas/src/invariants/` by `UPDATE_INVARIANTS=1 cargo test -p schemas --test invariants`. Each is\n\
         checked where it is kept, at the moment that it could be broken: a test build stops, production counts it in\n\
         `vedette_invariant_checks_total{id,passed}`. The models in `schemas/tests/models/` and `make faults` check the same.\n\n\
         | what must always hold | id | kept by |\n|---|---|---|\n",
    );
    for invariant in Invariant::all() {
        let keepers: Vec<String> = invariant
            .keepers()
            .iter()
            .map(|keeper| format!("`{keeper}`"))
            .collect();
        let so_far = if NOT_CHECKED_YET.contains(&invariant.id()) {
            "; models and tests only, so far"
        } else {
            ""
        };
        writeln!(
            text,
            "| {} | `{}` | {}{so_far} |",
            invariant.sentence(),
            invariant.id(),
            keepers.join(", ")
        )
        .expect("text can be written");
    }
    text
}

#[test]
fn every_invariant_is_checked_by_who_keeps_it() {
    let predicates = predicates();
    let mut faults = Vec::new();
    for invariant in Invariant::all() {
        let Some(names) = predicates.get(&format!("{invariant:?}")) else {
            faults.push(format!("{invariant:?} has no predicate"));
            continue;
        };
        let is_checked = invariant.keepers().iter().any(|keeper| {
            let text = read(keeper);
            let code = parts(&text).0;
            names.iter().any(|name| code.contains(name)) && code.contains("check(")
        });
        if !is_checked && !NOT_CHECKED_YET.contains(&invariant.id()) {
            faults.push(format!(
                "{:?} do not check {}",
                invariant.keepers(),
                names.join(" or ")
            ));
        }
    }
    assert!(faults.is_empty(), "{}", faults.join("\n"));
}

#[test]
fn every_predicate_has_a_test_that_fails_it() {
    let areas = areas();
    for name in predicates().values().flatten() {
        let own = areas
            .iter()
            .find(|area| area.contains(&format!("impl Predicate for {name}")))
            .expect("the area of a predicate");
        let tests = parts(own).1;
        // The function that makes cases of it, and one of them that does not hold.
        let fails = tests
            .split("#[test]")
            .any(|test| test.contains(&format!("{name} {{")) && test.contains("assert!(!"));
        assert!(fails, "no test fails {name}");
    }
}

#[test]
fn the_table_is_what_the_code_says() {
    let table = table();
    if std::env::var_os("UPDATE_INVARIANTS").is_some() {
        fs::write(root().join(TABLE), &table).expect("the table can be written");
    }
    assert!(
        read(TABLE) == table,
        "{TABLE} is not what the code says: UPDATE_INVARIANTS=1 cargo test -p schemas --test invariants"
    );
}
