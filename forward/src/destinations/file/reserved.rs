//! Whether a path leads to something of vedette's own, which lines would destroy.

use std::fs;
use std::os::unix::fs::MetadataExt as _;
use std::path::{Path, PathBuf};

/// Which of `reserved` a path is, is in, or is beside, as `log.sqlite-wal` is beside `log.sqlite`; by whatever name.
pub(super) fn of<'a>(path: &Path, reserved: &'a [PathBuf]) -> Option<&'a Path> {
    let path = resolved(path);
    let facts = fs::metadata(&path).ok();
    let is_it = |own: &&PathBuf| {
        let own = resolved(own);
        let is_same_file = facts.as_ref().is_some_and(|facts| {
            fs::metadata(&own).is_ok_and(|own| (own.dev(), own.ino()) == (facts.dev(), facts.ino()))
        });
        is_same_file || path.starts_with(&own) || is_beside(&path, &own)
    };
    reserved.iter().find(is_it).map(PathBuf::as_path)
}

/// Why it is refused, and what to do.
pub(super) fn why(own: &Path) -> String {
    format!(
        "{} is vedette's own, and lines would destroy it; fix: name a file of its own, such as alerts.ndjson",
        own.display()
    )
}

/// Whether SQLite keeps it beside its file.
fn is_beside(path: &Path, own: &Path) -> bool {
    let name = |path: &Path| {
        path.file_name()
            .map(|name| name.to_string_lossy().into_owned())
    };
    let (Some(name), Some(own_name)) = (name(path), name(own)) else {
        return false;
    };
    let rest = name.strip_prefix(&own_name);
    path.parent() == own.parent()
        && rest.is_some_and(|rest| matches!(rest, "-wal" | "-shm" | "-journal"))
}

/// Without links, as far as it is there.
fn resolved(path: &Path) -> PathBuf {
    if let Ok(path) = fs::canonicalize(path) {
        return path;
    }
    match (path.parent(), path.file_name()) {
        (Some(folder), Some(name)) => resolved(folder).join(name),
        _ => path.to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use std::fs;

    use super::of;

    #[test]
    fn what_is_vedettes_own_is_known_by_every_name() {
        let folder = tempfile::tempdir().expect("a folder");
        let path = |name: &str| folder.path().join(name);
        fs::write(path("log.sqlite"), "").expect("a log");
        fs::hard_link(path("log.sqlite"), path("other-name")).expect("a second name");
        std::os::unix::fs::symlink(path("log.sqlite"), path("link")).expect("a link");
        std::os::unix::fs::symlink(folder.path(), path("here")).expect("a link");
        let reserved = [path("log.sqlite"), path("lake"), path("respond.sqlite")];
        for own in [
            "log.sqlite",
            "log.sqlite-wal",
            "other-name",
            "link",
            "here/log.sqlite",
            "lake",
            "lake/events/part.parquet",
            "respond.sqlite",
            "here/respond.sqlite-shm",
        ] {
            assert!(of(&path(own), &reserved).is_some(), "{own}");
        }
        for free in [
            "alerts.ndjson",
            "lake.ndjson",
            "log.sqlite.ndjson",
            "here/alerts.ndjson",
        ] {
            assert!(of(&path(free), &reserved).is_none(), "{free}");
        }
    }
}
