//! Where conformance tests find the public corpora; each crate's `conformance` target takes this file in.

use std::path::{Path, PathBuf};

/// The environment variable that names the folder of the corpora.
const VARIABLE: &str = "VEDETTE_CORPUS";

/// A file or folder of the corpora.
///
/// A test that cannot find what it is about has proved nothing, so it fails.
pub(crate) fn corpus(name: &str) -> PathBuf {
    let folder = std::env::var_os(VARIABLE).unwrap_or_else(|| {
        panic!(
            "{VARIABLE} does not name the folder of the corpora: run `make conformance CORPUS=DIR`"
        )
    });
    let path = Path::new(&folder).join(name);
    assert!(
        path.exists(),
        "{} is not there, and nothing is proved without it",
        path.display()
    );
    path
}
