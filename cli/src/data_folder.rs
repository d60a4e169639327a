//! Who may read what is stored: folders and files of records, cases and logs name people.

use std::fs::{DirBuilder, Permissions};
use std::os::unix::fs::{DirBuilderExt as _, PermissionsExt as _};
use std::path::Path;

use anyhow::Context as _;
use nix::sys::stat::{Mode, umask};
use serde::{Deserialize, Serialize};

use crate::output::exit::BadConfiguration;

pub(crate) mod lock;

/// What a mounted file system has of its own.
const OF_THE_FILE_SYSTEM: &str = "lost+found";

/// The file that tells a data folder of ours from any other.
pub(crate) const LOCK_FILE: &str = "vedette.lock";

/// Who may read what is stored, beside root.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Readers {
    /// The user that runs vedette.
    #[default]
    Owner,
    /// The user's group too, for readers of the lake that run as others; never what holds the log or secrets.
    Group,
}

impl Readers {
    /// Permission bits that nothing stored may have.
    const fn forbidden(self) -> u32 {
        match self {
            Self::Owner => 0o077,
            Self::Group => 0o027,
        }
    }

    /// From now on nothing that this process makes can be read by others.
    pub(crate) fn restrict_new_files(self) {
        let forbidden = match self {
            Self::Owner => Mode::S_IRWXG | Mode::S_IRWXO,
            Self::Group => Mode::S_IWGRP | Mode::S_IRWXO,
        };
        umask(forbidden);
    }
}

/// Makes the folder if it is missing, and closes it to everybody who is not meant to read it.
///
/// A folder that holds other people's things is left as it is and refused: closing it might lock them out.
///
/// # Errors
/// If it cannot be made or closed; the error says how to do it by hand.
pub(crate) fn open(folder: &Path, readers: Readers) -> anyhow::Result<()> {
    DirBuilder::new()
        .recursive(true)
        .mode(0o777 & !readers.forbidden())
        .create(folder)
        .with_context(|| format!("could not make {}", folder.display()))?;
    let facts = std::fs::metadata(folder)
        .with_context(|| format!("could not look at {}", folder.display()))?;
    let mode = facts.permissions().mode() & 0o7777;
    if mode & readers.forbidden() == 0 {
        return Ok(());
    }
    let fix = format!(
        "chmod {:o} {}, or name another folder, for example one in it",
        mode & 0o777 & !readers.forbidden(),
        folder.display()
    );
    if !is_ours(folder)? {
        return Err(anyhow::anyhow!(
            "others may read or change {}, and it holds what is not vedette's (mode {mode:o}): {fix}",
            folder.display()
        )
        .context(BadConfiguration));
    }
    std::fs::set_permissions(folder, Permissions::from_mode(mode & !readers.forbidden()))
        .with_context(|| {
            format!(
                "others may read or change {} (mode {mode:o}), and it could not be closed to them: {fix}",
                folder.display()
            )
        })
        .context(BadConfiguration)?;
    tracing::warn!(
        folder = %folder.display(),
        before = format!("{mode:o}"),
        now = format!("{:o}", mode & !readers.forbidden()),
        "others could read or change the folder; it is closed to them now"
    );
    Ok(())
}

/// Closes a database and what SQLite keeps beside it to everybody but its owner, whatever the configuration says of
/// readers: it holds the log, the journal or what was read.
///
/// One that cannot be closed is told and used all the same: whoever could read it could before.
pub(crate) fn close_file(path: &Path) {
    for ending in ["", "-wal", "-shm"] {
        let mut file = path.as_os_str().to_owned();
        file.push(ending);
        let file = Path::new(&file);
        let Ok(facts) = std::fs::metadata(file) else {
            // It is made closed.
            continue;
        };
        let mode = facts.permissions().mode() & 0o7777;
        if mode & Readers::Owner.forbidden() == 0 {
            continue;
        }
        let closed = mode & !Readers::Owner.forbidden();
        match std::fs::set_permissions(file, Permissions::from_mode(closed)) {
            Ok(()) => tracing::warn!(
                file = %file.display(),
                before = format!("{mode:o}"),
                now = format!("{closed:o}"),
                "others could read or change the file; it is closed to them now"
            ),
            Err(error) => tracing::error!(
                file = %file.display(),
                mode = format!("{mode:o}"),
                %error,
                fix = format!("chmod go-rwx {}", file.display()),
                "others may read or change the file, and it could not be closed to them"
            ),
        }
    }
}

/// True if the folder is empty, or has been used as a data folder or a lake.
fn is_ours(folder: &Path) -> anyhow::Result<bool> {
    let mut is_empty = true;
    for entry in
        std::fs::read_dir(folder).with_context(|| format!("could not read {}", folder.display()))?
    {
        let name = entry
            .with_context(|| format!("could not read {}", folder.display()))?
            .file_name();
        let is_table = || folder.join(&name).join("_delta_log").is_dir();
        if name == LOCK_FILE || name == "log.sqlite" || is_table() {
            return Ok(true);
        }
        is_empty &= name == OF_THE_FILE_SYSTEM;
    }
    Ok(is_empty)
}

/// Whether a file is, or would be, somewhere in a folder.
pub(crate) fn is_within(file: &Path, folder: &Path) -> bool {
    let real = |path: &Path| std::path::absolute(path).unwrap_or_else(|_| path.to_owned());
    let parent = file.parent().filter(|it| !it.as_os_str().is_empty());
    let parent = parent.unwrap_or(Path::new("."));
    let parent = parent.canonicalize().unwrap_or_else(|_| real(parent));
    let folder = folder.canonicalize().unwrap_or_else(|_| real(folder));
    parent.starts_with(folder)
}

#[cfg(test)]
mod tests {
    use super::{LOCK_FILE, Readers, close_file, is_within, open};
    use std::fs::{Permissions, create_dir, metadata, set_permissions, write};
    use std::os::unix::fs::PermissionsExt as _;
    use std::path::Path;

    fn mode(path: &Path) -> u32 {
        let facts = metadata(path).expect("it is there");
        facts.permissions().mode() & 0o777
    }

    #[test]
    fn a_folder_is_made_for_its_owner_only() {
        let folder = tempfile::tempdir().expect("a folder");
        let path = folder.path().join("a/b");
        open(&path, Readers::Owner).expect("it is made");
        assert_eq!(
            (mode(&path), mode(&folder.path().join("a"))),
            (0o700, 0o700)
        );
        let shared = folder.path().join("c");
        open(&shared, Readers::Group).expect("it is made");
        assert_eq!(mode(&shared) & 0o027, 0);
    }

    #[test]
    fn a_database_is_closed_with_what_stands_beside_it() {
        let folder = tempfile::tempdir().expect("a folder");
        let path = |name: &str| folder.path().join(name);
        for name in ["log.sqlite", "log.sqlite-wal", "other"] {
            write(path(name), "").expect("written");
            set_permissions(path(name), Permissions::from_mode(0o644)).expect("a mode");
        }
        close_file(&path("log.sqlite"));
        let modes = ["log.sqlite", "log.sqlite-wal", "other"].map(|name| mode(&path(name)));
        assert_eq!(modes, [0o600, 0o600, 0o644]);
    }

    #[test]
    fn a_folder_of_ours_is_closed_and_another_is_refused() {
        let folder = tempfile::tempdir().expect("a folder");
        for (name, file, closed) in [
            ("empty", None, true),
            ("ours", Some(LOCK_FILE), true),
            ("theirs", Some("letters.txt"), false),
        ] {
            let path = folder.path().join(name);
            create_dir(&path).expect("made");
            if let Some(file) = file {
                write(path.join(file), "").expect("written");
            }
            set_permissions(&path, Permissions::from_mode(0o755)).expect("a mode");
            let opened = open(&path, Readers::Owner);
            assert_eq!(opened.is_ok(), closed, "{name}");
            assert_eq!(mode(&path), if closed { 0o700 } else { 0o755 }, "{name}");
            if let Err(error) = opened {
                let told = format!("{error:#}");
                assert!(told.contains("chmod 700 "), "{told}");
            }
        }
    }

    #[test]
    fn a_file_is_in_a_folder_however_it_is_written() {
        let folder = tempfile::tempdir().expect("a folder");
        let data = folder.path().join("data");
        std::fs::create_dir(&data).expect("it is made");
        assert!(is_within(&data.join("key"), &data));
        assert!(is_within(&folder.path().join("data/../data/key"), &data));
        assert!(!is_within(&folder.path().join("key"), &data));
        assert!(!is_within(Path::new("key"), &data));
    }
}
