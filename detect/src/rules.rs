//! The rules that come with the binary: one file each in `rules/`, with its cases.

use sigma::Catalogue;

/// The files of `rules/`, as they were when the binary was built.
const BUILTIN: &[(&str, &str)] = include!(concat!(env!("OUT_DIR"), "/rules.rs"));

/// The rules that come with the binary.
pub fn builtin() -> Catalogue {
    let mut catalogue = Catalogue::default();
    for (file, text) in BUILTIN {
        catalogue.add(file, text.as_bytes());
    }
    catalogue
}
