//! The rules that come with the binary: one file each in `rules/`, with its cases.

use sigma::Catalogue;

/// The files of `rules/`, as they were when the binary was built.
const BUILTIN: &[(&str, &str)] = include!(concat!(env!("OUT_DIR"), "/rules.rs"));

/// Names and texts of the rule files that come with the binary.
pub fn builtin_files() -> impl Iterator<Item = (&'static str, &'static str)> {
    BUILTIN.iter().copied()
}

/// The rules that come with the binary.
pub fn builtin() -> Catalogue {
    let mut catalogue = Catalogue::default();
    for (file, text) in builtin_files() {
        catalogue.add(file, text.as_bytes());
    }
    catalogue
}
