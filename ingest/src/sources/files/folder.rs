//! Which files an import reads: the named ones, and those in named folders, in order.

use std::path::{Path, PathBuf};

use crate::error::IngestError;

/// Deepest folder below a named one; a loop of links ends here.
const FOLDER_DEPTH_MAX: usize = 64;

/// A file to import.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Found {
    pub(super) path: PathBuf,
    /// Its path from the folder that holds the named one, so that the same import gives the same positions.
    pub(super) name: String,
    /// Size on disk.
    pub(super) bytes: u64,
}

/// Lists the files of `paths`, folders with everything below them.
pub(super) fn list(paths: &[PathBuf]) -> Result<Vec<Found>, IngestError> {
    let mut found = Vec::new();
    for path in paths {
        let name = path.file_name().map_or_else(
            || path.to_string_lossy().into_owned(),
            |name| name.to_string_lossy().into_owned(),
        );
        add(path, name, 0, &mut found)?;
    }
    Ok(found)
}

fn add(path: &Path, name: String, depth: usize, found: &mut Vec<Found>) -> Result<(), IngestError> {
    let failed = |cause| IngestError::File {
        path: path.to_owned(),
        cause,
    };
    let facts = std::fs::metadata(path).map_err(failed)?;
    if !facts.is_dir() {
        found.push(Found {
            path: path.to_owned(),
            name,
            bytes: facts.len(),
        });
        return Ok(());
    }
    if depth >= FOLDER_DEPTH_MAX {
        tracing::warn!(folder = %path.display(), "folder is too deep and is not read");
        return Ok(());
    }
    let entries = std::fs::read_dir(path).map_err(failed)?;
    let mut inside = Vec::new();
    for entry in entries {
        let entry = entry.map_err(failed)?;
        inside.push((entry.path(), entry.file_name()));
    }
    inside.sort();
    for (path, file_name) in inside {
        // A link that leads nowhere is no reason to leave the others.
        if !path.exists() {
            tracing::warn!(file = %path.display(), "link leads nowhere");
            continue;
        }
        add(
            &path,
            format!("{name}/{}", file_name.to_string_lossy()),
            depth + 1,
            found,
        )?;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::list;

    #[test]
    fn folders_are_read_in_order_and_names_do_not_depend_on_where_they_stand() {
        let folder = tempfile::tempdir().unwrap();
        let root = folder.path().join("export");
        std::fs::create_dir_all(root.join("b")).unwrap();
        for name in ["b/2.json", "b/1.json", "a.json"] {
            std::fs::write(root.join(name), "{}").unwrap();
        }
        let names: Vec<String> = list(&[root.clone(), root.join("a.json")])
            .unwrap()
            .into_iter()
            .map(|found| found.name)
            .collect();
        assert_eq!(
            names,
            [
                "export/a.json",
                "export/b/1.json",
                "export/b/2.json",
                "a.json"
            ]
        );
        assert!(list(&[root.join("nothing")]).is_err());
    }
}
