//! Which files an import reads: the named ones, and those in named folders, in order.
//!
//! A folder of evidence is made by others. No link in it is followed: what it leads to inside the folder is read in its
//! own place, and what lies outside was not meant. Only files are read; a pipe or device would never end.

use std::fs::{FileType, Metadata};
use std::io;
use std::os::unix::fs::FileTypeExt;
use std::path::{Path, PathBuf};

use super::zip::{self, Member};
use crate::error::IngestError;

/// Deepest folder below a named one.
const FOLDER_DEPTH_MAX: usize = 64;

/// Most files of one import; each is held by name until it is read.
const FILES_MAX: usize = 1_000_000;

/// A file to import.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Found {
    /// As it was named.
    pub(super) path: PathBuf,
    /// Where it is, without links.
    pub(super) place: PathBuf,
    /// Its path from the folder that holds the named one, so that the same import gives the same positions.
    pub(super) name: String,
    /// Size on disk.
    pub(super) bytes: u64,
    /// Which file it is of the archive at `place`.
    pub(super) member: Option<Member>,
}

/// Something that is not read.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct PassedOver {
    pub(super) path: PathBuf,
    pub(super) name: String,
    pub(super) why: String,
}

/// What an import reads.
#[derive(Debug, Default)]
pub(super) struct Listed {
    pub(super) files: Vec<Found>,
    pub(super) passed_over: Vec<PassedOver>,
}

/// Lists the files of `paths`, folders with everything below them.
///
/// # Errors
/// [`IngestError::File`] if one of `paths` is not there.
pub(super) fn list(paths: &[PathBuf]) -> Result<Listed, IngestError> {
    let mut listed = Listed::default();
    for path in paths {
        let failed = |cause| IngestError::File {
            path: path.clone(),
            cause,
        };
        let name = path.file_name().map_or_else(
            || path.to_string_lossy().into_owned(),
            |name| name.to_string_lossy().into_owned(),
        );
        // A link that somebody names is meant; those that lie in a folder are somebody else's.
        let place = path.canonicalize().map_err(failed)?;
        let facts = place.symlink_metadata().map_err(failed)?;
        if facts.is_dir() {
            let entries = inside(&place).map_err(failed)?;
            Walk {
                root: &place,
                listed: &mut listed,
            }
            .read(path, &place, entries, &name, 1);
        } else {
            listed.add(path.clone(), place, name, &facts);
        }
    }
    Ok(listed)
}

impl Listed {
    fn add(&mut self, path: PathBuf, place: PathBuf, name: String, facts: &Metadata) {
        if !facts.is_file() {
            let why = format!("it is {}, and only files are read", kind(facts.file_type()));
            self.pass_over(path, name, why);
        } else if self.files.len() >= FILES_MAX {
            let why = format!("there are more than {FILES_MAX} files: import them in parts");
            self.pass_over(path, name, why);
        } else {
            self.add_file(path, place, name, facts.len());
        }
    }

    /// Adds a file, or what is in it if it is an archive.
    fn add_file(&mut self, path: PathBuf, place: PathBuf, name: String, bytes: u64) {
        match zip::look(&place) {
            Err(error) => self.pass_over(path, name, error.to_string()),
            Ok(None) => self.files.push(Found {
                path,
                place,
                name,
                bytes,
                member: None,
            }),
            Ok(Some(archive)) => {
                for (member, why) in archive.refused {
                    self.pass_over(path.join(&member), format!("{name}/{member}"), why);
                }
                self.files
                    .extend(archive.members.into_iter().map(|member| Found {
                        path: path.join(&member.name),
                        place: place.clone(),
                        name: format!("{name}/{}", member.name),
                        bytes: member.packed,
                        member: Some(member),
                    }));
            }
        }
    }

    fn pass_over(&mut self, path: PathBuf, name: String, why: String) {
        // What is beyond the bound is told once.
        if self.passed_over.len() < FILES_MAX {
            self.passed_over.push(PassedOver { path, name, why });
        }
    }
}

fn kind(kind: FileType) -> &'static str {
    if kind.is_fifo() {
        "a pipe"
    } else if kind.is_socket() {
        "a socket"
    } else if kind.is_char_device() || kind.is_block_device() {
        "a device"
    } else {
        "something else"
    }
}

/// A folder that is walked.
struct Walk<'a> {
    /// The named folder, without links.
    root: &'a Path,
    listed: &'a mut Listed,
}

impl Walk<'_> {
    /// Takes the entries of the folder at `place`, which was named by `path`.
    fn read(
        &mut self,
        path: &Path,
        place: &Path,
        entries: Vec<std::ffi::OsString>,
        name: &str,
        depth: usize,
    ) {
        for entry in entries {
            let name = format!("{name}/{}", entry.to_string_lossy());
            let (path, place) = (path.join(&entry), place.join(&entry));
            match place.symlink_metadata() {
                Err(error) => self.listed.pass_over(path, name, error.to_string()),
                Ok(facts) if facts.is_symlink() => self.note_link(path, &place, name),
                Ok(facts) if facts.is_dir() => self.enter(path, &place, name, depth),
                Ok(facts) => self.listed.add(path, place, name, &facts),
            }
        }
    }

    fn enter(&mut self, path: PathBuf, place: &Path, name: String, depth: usize) {
        if depth >= FOLDER_DEPTH_MAX {
            let why = format!("it lies deeper than {FOLDER_DEPTH_MAX} folders");
            self.listed.pass_over(path, name, why);
            return;
        }
        match inside(place) {
            Ok(entries) => self.read(&path, place, entries, &name, depth + 1),
            Err(error) => self.listed.pass_over(path, name, error.to_string()),
        }
    }

    fn note_link(&mut self, path: PathBuf, place: &Path, name: String) {
        let why = match place.canonicalize() {
            Ok(target) if target.starts_with(self.root) => return,
            Ok(target) => format!(
                "it is a link that leads out of the folder, to {}",
                target.display()
            ),
            Err(error) => format!("it is a link that leads nowhere: {error}"),
        };
        self.listed.pass_over(path, name, why);
    }
}

/// The names in a folder, in order.
fn inside(folder: &Path) -> io::Result<Vec<std::ffi::OsString>> {
    let names = std::fs::read_dir(folder)?.map(|entry| Ok(entry?.file_name()));
    let mut names = names.collect::<io::Result<Vec<_>>>()?;
    names.sort();
    Ok(names)
}

#[cfg(test)]
mod tests {
    use super::list;
    use std::os::unix::fs::symlink;
    use std::os::unix::net::UnixListener;

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
            .files
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

    #[test]
    fn no_link_in_a_folder_is_followed_and_only_files_are_read() {
        let folder = tempfile::tempdir().unwrap();
        let root = folder.path().join("export");
        std::fs::create_dir_all(root.join("b")).unwrap();
        std::fs::write(folder.path().join("secret"), "x").unwrap();
        std::fs::write(root.join("a.json"), "{}").unwrap();
        // Two loops, so that the paths through them double at every level.
        symlink(&root, root.join("b/loop-1")).unwrap();
        symlink("..", root.join("b/loop-2")).unwrap();
        symlink("self", root.join("self")).unwrap();
        symlink("../a.json", root.join("b/again.json")).unwrap();
        symlink("../../secret", root.join("b/out")).unwrap();
        symlink("/dev/zero", root.join("b/zeros")).unwrap();
        let _socket = UnixListener::bind(root.join("socket")).unwrap();
        let listed = list(std::slice::from_ref(&root)).unwrap();
        let names: Vec<&str> = listed.files.iter().map(|one| one.name.as_str()).collect();
        assert_eq!(names, ["export/a.json"]);
        let told: Vec<(&str, &str)> = listed
            .passed_over
            .iter()
            .map(|one| {
                (
                    one.name.as_str(),
                    one.why.split(',').next().unwrap_or_default(),
                )
            })
            .collect();
        assert_eq!(
            told[0],
            ("export/b/out", "it is a link that leads out of the folder")
        );
        assert_eq!(
            told[1],
            (
                "export/b/zeros",
                "it is a link that leads out of the folder"
            )
        );
        assert!(
            told[2].1.starts_with("it is a link that leads nowhere"),
            "{told:?}"
        );
        assert_eq!(told[3], ("export/socket", "it is a socket"));
        assert_eq!(told.len(), 4);
        // A link that is named is meant.
        symlink(&root, folder.path().join("case")).unwrap();
        let linked = list(&[folder.path().join("case")]).unwrap();
        assert_eq!(linked.files[0].name, "case/a.json");
        assert_eq!(linked.files[0].path, folder.path().join("case/a.json"));
    }
}
