//! A name leads to one type: what is visible outside its file is the only one of its name in its crate.

use std::collections::BTreeMap;

use super::ARROWS;
use super::source::{modules, tokens};

/// Names that still lead to more than one type: the crate, the name, and how many. The list only gets shorter.
const STANDING: &[(&str, &str, usize)] = &[
    ("ingest", "Order", 2),
    ("ingest", "Page", 3),
    ("ingest", "Then", 2),
    ("respond", "Meaning", 2),
    ("respond", "Policy", 2),
    ("respond", "Step", 2),
    ("cli", "Egress", 2),
];

/// The types of a source that others can name.
fn visible<'a>(tokens: &[&'a str]) -> Vec<&'a str> {
    let mut found = Vec::new();
    for (at, _) in tokens
        .iter()
        .enumerate()
        .filter(|(_, token)| **token == "pub")
    {
        let mut next = at + 1;
        if tokens.get(next) == Some(&"(") {
            let end = tokens[next..].iter().position(|token| *token == ")");
            next += end.unwrap_or_default() + 1;
        }
        let is_type = tokens
            .get(next)
            .is_some_and(|word| ["struct", "enum", "trait", "type", "union"].contains(word));
        if is_type {
            found.extend(tokens.get(next + 1));
        }
    }
    found
}

#[test]
fn a_visible_type_has_a_name_of_its_own_in_its_crate() {
    let mut faults = Vec::new();
    let mut standing: Vec<_> = STANDING.to_vec();
    for (name, _) in ARROWS {
        let mut by_name: BTreeMap<String, Vec<String>> = BTreeMap::new();
        for (module, source) in modules(name) {
            for visible in visible(&tokens(&source)) {
                by_name
                    .entry(visible.to_owned())
                    .or_default()
                    .push(module.join("/"));
            }
        }
        for (visible, files) in by_name.into_iter().filter(|(_, files)| files.len() > 1) {
            let known = (*name, visible.as_str(), files.len());
            match standing.iter().position(|one| *one == known) {
                Some(at) => drop(standing.remove(at)),
                None => faults.push(format!("{name}: {visible} is in {}", files.join(", "))),
            }
        }
    }
    faults.extend(standing.iter().map(|known| {
        format!(
            "{}: {} is no longer so often: mend the list",
            known.0, known.1
        )
    }));
    assert!(faults.is_empty(), "{}", faults.join("\n"));
}

#[test]
fn the_finder_of_types_finds() {
    let text = "pub struct A<'a>; pub(crate) enum B {} pub(in crate::x) type C = u8; struct D; pub fn e() {} pub trait F {}";
    assert_eq!(visible(&tokens(text)), ["A", "B", "C", "F"]);
}
