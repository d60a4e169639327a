//! The one seam through which bytes reach the disk, so that a test can fill or break it.

use std::fs::{self, File, OpenOptions};
use std::io::{self, Write};
use std::path::Path;

/// Writes files so that they survive a loss of power.
pub trait Disk: Send + Sync {
    /// Writes a new file and its folders; when it returns, all of it is durable.
    ///
    /// # Errors
    /// What the system says; the file may then exist in part.
    fn write(&self, path: &Path, bytes: &[u8]) -> io::Result<()>;

    /// Makes a file appear whole and durable, or not at all; `AlreadyExists` if there is one of its name.
    ///
    /// # Errors
    /// What the system says. The file may exist even then, if its folder could not be synchronised.
    fn publish(&self, path: &Path, bytes: &[u8]) -> io::Result<()>;

    /// Makes the names in a folder durable.
    ///
    /// # Errors
    /// What the system says.
    fn synchronise(&self, folder: &Path) -> io::Result<()> {
        synchronise(folder)
    }

    /// Removes a file; one that is gone already is no error.
    ///
    /// # Errors
    /// What the system says.
    fn remove(&self, path: &Path) -> io::Result<()> {
        match fs::remove_file(path) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(()),
            other => other,
        }
    }
}

/// The machine's disk.
#[derive(Debug, Clone, Copy, Default)]
pub struct LocalDisk;

impl Disk for LocalDisk {
    fn write(&self, path: &Path, bytes: &[u8]) -> io::Result<()> {
        let folder = folder_of(path)?;
        create_folders(folder)?;
        let mut file = OpenOptions::new().write(true).create_new(true).open(path)?;
        file.write_all(bytes)?;
        file.sync_all()?;
        synchronise(folder)
    }

    fn publish(&self, path: &Path, bytes: &[u8]) -> io::Result<()> {
        let folder = folder_of(path)?;
        create_folders(folder)?;
        // Hidden from readers of the log, who take only numbered names.
        let staged = folder.join(format!(".staged-{}", uuid::Uuid::new_v4()));
        let published = write_staged(&staged, bytes)
            // A hard link fails if the name is taken, so exactly one of two writers wins.
            .and_then(|()| match fs::hard_link(&staged, path) {
                Err(error) if has_no_links(&error) => write_claimed(path, bytes),
                linked => linked,
            });
        self.remove(&staged)?;
        published?;
        self.synchronise(folder)
    }
}

/// True if the file system does not know hard links, as those of memory cards and some network shares.
fn has_no_links(error: &io::Error) -> bool {
    matches!(
        error.kind(),
        io::ErrorKind::Unsupported | io::ErrorKind::PermissionDenied
    )
}

/// Writes under a name that nobody has: of two writers one wins too, but a reader may meet a part of it for a moment,
/// and a loss of power may leave one, which is mended.
fn write_claimed(path: &Path, bytes: &[u8]) -> io::Result<()> {
    write_staged(path, bytes)
}

fn write_staged(path: &Path, bytes: &[u8]) -> io::Result<()> {
    let mut file = File::create_new(path)?;
    file.write_all(bytes)?;
    file.sync_all()
}

fn folder_of(path: &Path) -> io::Result<&Path> {
    path.parent()
        .ok_or_else(|| io::Error::from(io::ErrorKind::InvalidInput))
}

/// Creates the missing folders down to `folder`, and makes each one's name durable.
fn create_folders(folder: &Path) -> io::Result<()> {
    if folder.is_dir() {
        return Ok(());
    }
    if let Some(above) = folder.parent() {
        create_folders(above)?;
    }
    match fs::create_dir(folder) {
        Err(error) if error.kind() == io::ErrorKind::AlreadyExists => {}
        other => other?,
    }
    folder.parent().map_or(Ok(()), synchronise)
}

fn synchronise(folder: &Path) -> io::Result<()> {
    // A relative path of one name has an empty parent, which means "here".
    let folder = if folder.as_os_str().is_empty() {
        Path::new(".")
    } else {
        folder
    };
    File::open(folder)?.sync_all()
}

#[cfg(test)]
mod tests {
    use super::{Disk, LocalDisk};
    use std::io::ErrorKind;

    #[test]
    fn what_is_published_is_never_replaced() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("a/b/0.json");
        LocalDisk.publish(&path, b"first").unwrap();
        let second = LocalDisk.publish(&path, b"second").unwrap_err();
        assert_eq!(second.kind(), ErrorKind::AlreadyExists);
        assert_eq!(std::fs::read(&path).unwrap(), b"first");
        let names = std::fs::read_dir(path.parent().unwrap()).unwrap().count();
        assert_eq!(names, 1, "nothing staged is left");
    }
}
