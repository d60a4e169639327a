//! The rule files in a folder, and their bytes: both bounded, because a folder may hold anything.

use std::io;
use std::path::{Path, PathBuf};

use schemas::limits::SMALL_FILE_WAIT;
use schemas::small_file;

use crate::error::{LoadDiagnostic, RuleError};

/// Largest file of rules, in bytes: the largest public one has 30 kB.
pub const FILE_BYTES_MAX: usize = 256 * 1024;

/// Most files in a folder, those in its subfolders included.
pub(crate) const FILES_MAX: usize = 20_000;

/// Deepest folder below the one that is named.
const FOLDER_DEPTH_MAX: usize = 16;

/// What a folder holds.
#[derive(Debug, Default)]
pub struct Listing {
    /// Its files ending in `.yml` or `.yaml`, subfolders included, in order.
    pub files: Vec<PathBuf>,
    /// Folders that could not be read, and what was left out.
    pub rejected: Vec<LoadDiagnostic>,
}

impl Listing {
    /// The rule files at `root`: those in a folder, or the one file that it is, however that is called.
    pub fn of(root: &Path) -> Self {
        let mut listing = Self::default();
        if root.is_file() {
            listing.files.push(root.to_owned());
        } else {
            listing.folder(root, 0);
        }
        listing.files.sort();
        if listing.files.len() > FILES_MAX {
            listing.files.truncate(FILES_MAX);
            listing.reject(root, RuleError::TooManyFiles { limit: FILES_MAX });
        }
        listing
    }

    fn folder(&mut self, folder: &Path, depth: usize) {
        let entries = match entries(folder) {
            Ok(entries) => entries,
            Err(cause) => return self.reject(folder, RuleError::Unreadable { cause }),
        };
        for (path, is_folder) in entries {
            let is_rule = path
                .extension()
                .is_some_and(|extension| extension == "yml" || extension == "yaml");
            if is_folder && depth == FOLDER_DEPTH_MAX {
                self.reject(&path, RuleError::TooManyFiles { limit: FILES_MAX });
            } else if is_folder {
                self.folder(&path, depth + 1);
            } else if is_rule && self.files.len() <= FILES_MAX {
                self.files.push(path);
            }
        }
    }

    fn reject(&mut self, path: &Path, reason: RuleError) {
        self.rejected.push(LoadDiagnostic {
            file: path.display().to_string(),
            line: None,
            reason,
        });
    }
}

/// What is in a folder, and of each whether it is a folder.
///
/// Links to folders are not followed: one to a folder above would never end.
fn entries(folder: &Path) -> io::Result<Vec<(PathBuf, bool)>> {
    let of = folder.to_owned();
    small_file::within(folder, SMALL_FILE_WAIT, move || {
        let entries = std::fs::read_dir(of)?.flatten().map(|entry| {
            let is_folder = entry.file_type().is_ok_and(|kind| kind.is_dir());
            (entry.path(), is_folder)
        });
        Ok(entries.collect())
    })
}

/// The bytes of a file, at most one more than `bytes_max`, so that a larger one is known and costs nothing.
///
/// # Errors
/// If it cannot be read, or is no regular file.
pub fn read(path: &Path, bytes_max: usize) -> io::Result<Vec<u8>> {
    small_file::read(path, bytes_max as u64).map(|content| content.bytes)
}

#[cfg(test)]
mod tests {
    use super::{FOLDER_DEPTH_MAX, Listing, read};

    #[test]
    fn lists_rule_files_in_order_and_tells_what_it_left_out() {
        let folder = tempfile::tempdir().unwrap();
        let root = folder.path();
        let deep = (0..=FOLDER_DEPTH_MAX).fold(root.join("deep"), |path, _| path.join("d"));
        std::fs::create_dir_all(&deep).unwrap();
        std::fs::create_dir(root.join("a")).unwrap();
        for name in ["b.yml", "a/c.yaml", "readme.md"] {
            std::fs::write(root.join(name), "12345").unwrap();
        }
        std::fs::write(deep.join("e.yml"), "").unwrap();
        std::os::unix::fs::symlink(root, root.join("loop")).unwrap();
        let listing = Listing::of(root);
        assert_eq!(listing.files, [root.join("a/c.yaml"), root.join("b.yml")]);
        assert_eq!(listing.rejected.len(), 1);
        assert_eq!(
            Listing::of(&root.join("readme.md")).files,
            [root.join("readme.md")]
        );
        let missing = Listing::of(&root.join("none"));
        assert!(missing.rejected[0].to_string().contains("none"));
        assert_eq!(read(&root.join("b.yml"), 3).unwrap(), b"1234");
    }
}
