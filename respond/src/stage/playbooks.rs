//! The files of playbooks, read where a folder may hold anything.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use schemas::limits::{SETTING_BYTES_MAX, SMALL_FILE_WAIT};
use schemas::small_file;

use crate::error::RespondError;
use crate::playbook::{self, Playbook};

/// The embedded playbooks and those of the folder, by file name; an empty path is no folder.
///
/// # Errors
/// [`RespondError::File`] if the folder cannot be read, [`RespondError::Playbook`] if a file is no playbook.
pub fn load_playbooks(folder: &Path) -> Result<Vec<Playbook>, RespondError> {
    let mut files = Vec::new();
    if !folder.as_os_str().is_empty() {
        let cannot = |cause: io::Error| RespondError::File {
            what: "playbooks",
            path: folder.to_owned(),
            cause,
        };
        let of = folder.to_owned();
        let list = move || fs::read_dir(of)?.map(|entry| Ok(entry?.path())).collect();
        let paths: Vec<PathBuf> =
            small_file::within(folder, SMALL_FILE_WAIT, list).map_err(cannot)?;
        for path in paths {
            let is_playbook = path.extension().is_some_and(|ending| ending == "toml");
            if is_playbook {
                let text = small_file::read_text(&path, SETTING_BYTES_MAX);
                let cannot = |cause| RespondError::File {
                    what: "playbook",
                    path: path.clone(),
                    cause,
                };
                files.push((path.display().to_string(), text.map_err(cannot)?));
            }
        }
        files.sort();
    }
    Ok(playbook::load(&files)?)
}
