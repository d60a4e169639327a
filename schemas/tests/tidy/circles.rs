//! What stands on a floor names only what stands below it: no circle of imports among more than two files.
//!
//! A file names another by a path, in `use` or in an expression; a parent that names its child and a child that names
//! its parent count like any others.

use std::collections::{BTreeMap, BTreeSet};

use super::ARROWS;
use super::source::{Module, modules, tokens};

/// Circles of more than two files that stand: the crate, one of the files, and how many they are.
///
/// The list only gets shorter, and its numbers smaller.
const STANDING: &[(&str, &str, usize)] = &[
    ("schemas", "invariants", 5),
    ("bus", "kafka", 17),
    ("columns", "events", 6),
    ("columns", "json", 3),
    ("respond", "action", 20),
    ("respond", "executor", 4),
    ("respond", "journal/chain", 3),
    ("respond", "stage", 8),
    ("cli", "config", 10),
];

/// Crates whose `lib.rs` lists its modules as floors, the lowest first.
const IN_FLOORS: &[&str] = &["sigma"];

/// Which modules each module names.
type Named = BTreeMap<Module, BTreeSet<Module>>;

fn named(modules: &BTreeMap<Module, String>) -> Named {
    let known: BTreeSet<&Module> = modules.keys().collect();
    let of = |module: &Module, source: &String| {
        let paths = paths(&tokens(source), &children(module, &known));
        let mut found: BTreeSet<Module> = paths
            .iter()
            .filter_map(|path| meant(module, path, &known))
            .collect();
        found.remove(module);
        found
    };
    let all = modules.iter();
    all.map(|(module, source)| (module.clone(), of(module, source)))
        .collect()
}

fn children<'a>(module: &Module, known: &BTreeSet<&'a Module>) -> BTreeSet<&'a str> {
    let own = known
        .iter()
        .filter(|one| one.len() == module.len() + 1 && one.starts_with(module));
    own.filter_map(|one| one.last().map(String::as_str))
        .collect()
}

/// The paths of a source that lead to modules of its crate, one for each leaf of a `use`.
fn paths(tokens: &[&str], children: &BTreeSet<&str>) -> Vec<Vec<String>> {
    let is_start =
        |token: &str| ["crate", "super", "self"].contains(&token) || children.contains(token);
    let mut found = Vec::new();
    let mut at = 0;
    while at < tokens.len() {
        let is_inside = at > 0 && ["::", "."].contains(&tokens[at - 1]);
        let is_path = is_start(tokens[at]) && !is_inside && tokens.get(at + 1) == Some(&"::");
        if tokens[at] == "use" {
            at += 1;
            let mut of_use = Vec::new();
            leaves(tokens, &mut at, &[], &mut of_use);
            found.extend(
                of_use
                    .into_iter()
                    .filter(|path| path.first().is_some_and(|first| is_start(first))),
            );
        } else if is_path {
            let mut path = Vec::new();
            while tokens.get(at + 1) == Some(&"::") {
                path.push(tokens[at].to_owned());
                at += 2;
            }
            path.extend(tokens.get(at).map(|token| (*token).to_owned()));
            found.push(path);
        } else {
            at += 1;
        }
    }
    found
}

fn leaves(tokens: &[&str], at: &mut usize, before: &[String], found: &mut Vec<Vec<String>>) {
    let mut path = before.to_vec();
    while let Some(token) = tokens.get(*at) {
        match *token {
            "," | "}" | ";" => break,
            "::" | "*" => *at += 1,
            "as" => *at += 2,
            "{" => {
                *at += 1;
                while tokens.get(*at).is_some_and(|token| *token != "}") {
                    if tokens[*at] == "," {
                        *at += 1;
                    } else {
                        leaves(tokens, at, &path, found);
                    }
                }
                *at += 1;
                return;
            }
            word => {
                path.push(word.to_owned());
                *at += 1;
            }
        }
    }
    found.push(path);
}

/// The module that a path within `module` leads to.
fn meant(module: &Module, path: &[String], known: &BTreeSet<&Module>) -> Option<Module> {
    let mut rest = path;
    let mut found = module.clone();
    match rest.first()?.as_str() {
        "crate" => {
            found.clear();
            rest = &rest[1..];
        }
        "self" => rest = &rest[1..],
        "super" => {
            while rest.first().is_some_and(|word| word == "super") {
                found.pop()?;
                rest = &rest[1..];
            }
        }
        _ => {}
    }
    for word in rest {
        found.push(word.clone());
        if !known.contains(&found) {
            found.pop();
            break;
        }
    }
    known.contains(&found).then_some(found)
}

/// Groups of more than two modules that all lead to each other.
fn circles(named: &Named) -> Vec<BTreeSet<Module>> {
    let reached = |from: &Module| {
        let mut seen = BTreeSet::new();
        let mut open = vec![from.clone()];
        while let Some(one) = open.pop() {
            for next in named.get(&one).into_iter().flatten() {
                if seen.insert(next.clone()) {
                    open.push(next.clone());
                }
            }
        }
        seen
    };
    let all: BTreeMap<&Module, BTreeSet<Module>> = named
        .keys()
        .map(|module| (module, reached(module)))
        .collect();
    let mut found: Vec<BTreeSet<Module>> = Vec::new();
    for (module, reach) in &all {
        let is_mutual = |one: &&Module| all.get(one).is_some_and(|back| back.contains(*module));
        let circle: BTreeSet<Module> = reach.iter().filter(is_mutual).cloned().collect();
        if circle.len() > 2 && !found.contains(&circle) {
            found.push(circle);
        }
    }
    found
}

fn shown(module: &Module) -> String {
    if module.is_empty() {
        return "lib".to_owned();
    }
    module.join("/")
}

#[test]
fn no_more_than_two_files_name_each_other_in_a_circle() {
    let mut faults = Vec::new();
    let mut seen = BTreeSet::new();
    for (name, _) in ARROWS {
        let named = named(&modules(name));
        for circle in circles(&named) {
            let files: Vec<String> = circle.iter().map(shown).collect();
            let standing = STANDING
                .iter()
                .find(|(of, file, _)| of == name && files.iter().any(|one| one == file));
            match standing {
                Some(known) if known.2 == files.len() => {
                    seen.insert(*known);
                }
                Some(known) if known.2 > files.len() => {
                    seen.insert(*known);
                    faults.push(format!(
                        "{name}: {} is a circle of {} now: write the smaller number",
                        known.1,
                        files.len()
                    ));
                }
                _ => faults.push(format!(
                    "{name}: {} files name each other: {}",
                    files.len(),
                    files.join(", ")
                )),
            }
        }
    }
    for known in STANDING.iter().filter(|known| !seen.contains(*known)) {
        faults.push(format!(
            "{}: {} is in no circle any more: take it out of the list",
            known.0, known.1
        ));
    }
    assert!(faults.is_empty(), "{}", faults.join("\n"));
}

/// Modules of `lib.rs`, in its order.
fn floors(source: &str) -> Vec<String> {
    let tokens = tokens(source);
    let declared = tokens
        .windows(3)
        .filter(|three| three[0] == "mod" && three[2] == ";");
    declared.map(|three| three[1].to_owned()).collect()
}

/// Who names somebody on a floor above.
fn upwards(named: &Named, floors: &[String]) -> Vec<String> {
    let floor = |module: &Module| floors.iter().position(|name| Some(name) == module.first());
    let mut found = Vec::new();
    for (module, all) in named {
        for other in all.iter().filter(|other| floor(other) > floor(module)) {
            if !module.is_empty() {
                found.push(format!("{} names {}", shown(module), shown(other)));
            }
        }
    }
    found
}

#[test]
fn each_floor_names_only_those_below_it() {
    for name in IN_FLOORS {
        let modules = modules(name);
        let floors = floors(&modules[&Module::new()]);
        assert!(floors.len() > 5, "{name}: the floors are found");
        let found = upwards(&named(&modules), &floors);
        assert!(found.is_empty(), "{name}: {}", found.join("\n"));
    }
}

fn sample(files: &[(&str, &str)]) -> BTreeMap<Module, String> {
    let module = |path: &str| {
        path.split('/')
            .filter(|part| !part.is_empty())
            .map(str::to_owned)
            .collect()
    };
    files
        .iter()
        .map(|(path, text)| (module(path), (*text).to_owned()))
        .collect()
}

#[test]
fn the_finder_of_circles_finds() {
    let bad = [
        ("", "mod a; mod b; mod c;"),
        ("a", "use crate::b::{self, B as Other};"),
        ("b", "fn b() { super::c::C::new() }"),
        ("c", "mod d; use self::d::D;"),
        ("c/d", "use super::super::{x::Y, a::{A, Z}};"),
    ];
    let found = circles(&named(&sample(&bad)));
    let files: Vec<String> = found.iter().flatten().map(shown).collect();
    assert_eq!(files, ["a", "b", "c", "c/d"]);
    let star = [
        ("a", "mod b; mod c; fn a() { b::b(c::c()) }"),
        ("a/b", "use super::A;"),
        ("a/c", "use super::A;"),
    ];
    assert_eq!(circles(&named(&sample(&star))).len(), 1);
    let good = [
        ("", "pub use crate::a::A;"),
        ("a", "mod b; pub use self::b::B; use other::c::C;"),
        ("a/b", "use super::A; fn b(d: &D) { d.c::<u8>() }"),
        ("c", "use crate::a::b::B;"),
    ];
    assert!(circles(&named(&sample(&good))).is_empty());
}

#[test]
fn the_finder_of_steps_up_finds() {
    let modules = sample(&[
        ("", "mod low; pub mod high; pub use crate::low::A;"),
        ("low", "use crate::high::B;"),
        ("high", "use crate::low::A;"),
    ]);
    let floors = floors(&modules[&Module::new()]);
    assert_eq!(floors, ["low", "high"]);
    assert_eq!(upwards(&named(&modules), &floors), ["low names high"]);
}
