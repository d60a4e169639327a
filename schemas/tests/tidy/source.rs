//! Rust source as the checks read it: without comments, texts and tests, as words and marks.

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;

use super::{root, rust_files};

/// A module by the names on its way; empty for `lib.rs` and `main.rs`.
pub(crate) type Module = Vec<String>;

/// The modules of a crate with their source, apart from those that only tests use.
pub(crate) fn modules(name: &str) -> BTreeMap<Module, String> {
    let folder = root().join(name).join("src");
    let mut files = Vec::new();
    rust_files(&folder, &mut files);
    let mut found = BTreeMap::new();
    let mut of_tests: Vec<Module> = Vec::new();
    for file in files {
        let text = fs::read_to_string(&file).expect("a source file is UTF-8");
        let module = module_of(file.strip_prefix(&folder).expect("a file of the folder"));
        let (source, tests) = without_tests(&without_words(&text));
        of_tests.extend(tests.into_iter().map(|test| child(&module, &test)));
        found.insert(module, source);
    }
    found.retain(|module, _| !of_tests.iter().any(|test| module.starts_with(test)));
    found
}

pub(crate) fn child(module: &[String], name: &str) -> Module {
    let mut child = module.to_vec();
    child.push(name.to_owned());
    child
}

fn module_of(file: &Path) -> Module {
    let file = file.with_extension("");
    let parts = file.iter().map(|part| part.to_string_lossy().into_owned());
    let parts: Module = parts.collect();
    match parts.as_slice() {
        [only] if only == "lib" || only == "main" => Module::new(),
        _ => parts,
    }
}

/// The source with comments, texts and characters as blanks; lines stay where they are.
pub(crate) fn without_words(text: &str) -> String {
    let mut found = String::with_capacity(text.len());
    let mut rest = text;
    let mut last = ' ';
    while let Some(first) = rest.chars().next() {
        let is_in_word = last.is_alphanumeric() || last == '_';
        let length = match first {
            '/' if rest.starts_with("//") => rest.find('\n').unwrap_or(rest.len()),
            '/' if rest.starts_with("/*") => rest.find("*/").map_or(rest.len(), |end| end + 2),
            '"' => text_length(rest),
            'r' | 'b' if !is_in_word => raw_length(rest),
            '\'' => character_length(rest),
            _ => 0,
        };
        last = first;
        if length == 0 {
            found.push(first);
            rest = &rest[first.len_utf8()..];
            continue;
        }
        let blank = |character| if character == '\n' { '\n' } else { ' ' };
        found.extend(rest[..length].chars().map(blank));
        rest = &rest[length..];
    }
    found
}

fn text_length(rest: &str) -> usize {
    let mut is_escaped = false;
    for (at, character) in rest.char_indices().skip(1) {
        match character {
            '"' if !is_escaped => return at + 1,
            '\\' => is_escaped = !is_escaped,
            _ => is_escaped = false,
        }
    }
    rest.len()
}

/// The length of a raw text; nothing if none begins here.
fn raw_length(rest: &str) -> usize {
    let opening = rest.trim_start_matches('b');
    let Some(marks) = opening.strip_prefix('r') else {
        return 0;
    };
    let quoted = marks.trim_start_matches('#');
    if rest.len() - opening.len() > 1 || !quoted.starts_with('"') {
        return 0;
    }
    let closing = format!("\"{}", "#".repeat(marks.len() - quoted.len()));
    let before = rest.len() - quoted.len() + 1;
    rest[before..]
        .find(&closing)
        .map_or(rest.len(), |end| before + end + closing.len())
}

/// The length of a character; nothing where a lifetime begins.
fn character_length(rest: &str) -> usize {
    let inside = &rest[1..];
    let one = inside.chars().next().map_or(0, char::len_utf8);
    if let Some(escaped) = inside.strip_prefix('\\') {
        let skipped = escaped.chars().next().map_or(0, char::len_utf8);
        let end = escaped[skipped..].find('\'');
        return end.map_or(0, |end| 2 + skipped + end + 1);
    }
    if inside[one..].starts_with('\'') {
        return one + 2;
    }
    0
}

/// The source without what only tests have, and the names of modules of tests that stand in files of their own.
pub(crate) fn without_tests(source: &str) -> (String, Vec<String>) {
    let mut left = String::with_capacity(source.len());
    let mut names = Vec::new();
    let mut rest = source;
    while let Some(at) = rest.find("#[cfg(test)]") {
        left.push_str(&rest[..at]);
        let item = &rest[at..];
        let end = item_length(item);
        let words: Vec<&str> = item[..end].split_whitespace().collect();
        if let Some(place) = words.iter().position(|word| *word == "mod") {
            let name = words.get(place + 1).and_then(|word| word.strip_suffix(';'));
            names.extend(name.map(str::to_owned));
        }
        rest = &item[end..];
    }
    left.push_str(rest);
    (left, names)
}

/// How long an item is: up to the semicolon or the brace that closes it.
fn item_length(item: &str) -> usize {
    let mut depth = 0_usize;
    for (at, character) in item.char_indices() {
        match character {
            '{' => depth += 1,
            '}' if depth <= 1 => return at + 1,
            '}' => depth -= 1,
            ';' if depth == 0 => return at + 1,
            _ => {}
        }
    }
    item.len()
}

/// Words, `::`, and every other mark by itself.
pub(crate) fn tokens(source: &str) -> Vec<&str> {
    let mut found = Vec::new();
    let mut rest = source.trim_start();
    while let Some(first) = rest.chars().next() {
        let is_word = |character: char| character.is_alphanumeric() || character == '_';
        let length = if is_word(first) {
            rest.find(|character| !is_word(character))
                .unwrap_or(rest.len())
        } else if rest.starts_with("::") {
            2
        } else {
            first.len_utf8()
        };
        found.push(&rest[..length]);
        rest = rest[length..].trim_start();
    }
    found
}

#[test]
fn words_are_blanks_and_code_is_not() {
    for (text, expected) in [
        ("a // b\nc", "a     \nc"),
        ("a(\"b\\\"c\", 'd', '\\'')", "a(      ,    ,     )"),
        ("fn a<'b>(r#\"c\"d\"#)", "fn a<'b>(          )"),
        ("/* a\n */b", "    \n   b"),
    ] {
        let found = without_words(text);
        let trimmed = |text: &str| text.split_whitespace().collect::<Vec<_>>().join(" ");
        assert_eq!(trimmed(&found), trimmed(expected), "{text}");
        assert_eq!(found.lines().count(), text.lines().count());
    }
}

#[test]
fn what_only_tests_have_is_left_out() {
    let source =
        "use a::B;\n#[cfg(test)]\nmod c;\n#[cfg(test)]\nmod d {\n fn e() {}\n}\nfn f() {}\n";
    let (left, names) = without_tests(source);
    assert_eq!(
        left.split_whitespace().collect::<Vec<_>>().join(" "),
        "use a::B; fn f() {}"
    );
    assert_eq!(names, ["c"]);
}
