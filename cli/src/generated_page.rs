//! Pages of `docs/` that are written from the code: a stale one fails its test, which also writes it anew.

use std::path::{Path, PathBuf};

/// The root of the repository.
pub(crate) fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("..")
}

/// Compares a page, named from the root, with what the code says now; with `UPDATE_DOCS` set it is written first.
///
/// `test` is the filter that runs the test which calls this.
pub(crate) fn check(page: &str, made: &str, test: &str) {
    let path = root().join(page);
    if std::env::var_os("UPDATE_DOCS").is_some() {
        std::fs::write(&path, made).expect("the page is written");
    }
    let kept = std::fs::read_to_string(&path).unwrap_or_default();
    assert!(
        kept == made,
        "{page} is stale; fix: UPDATE_DOCS=1 cargo test -p cli --bins {test}"
    );
}
