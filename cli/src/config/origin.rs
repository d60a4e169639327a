//! Which file the configuration is from: the one that was named, or the one that lies in the folder of whoever asks.

use std::fmt;
use std::fs;
use std::io::ErrorKind;
use std::os::unix::fs::MetadataExt as _;
use std::path::{Path, PathBuf};

use anyhow::Context as _;

use crate::operator::own_uid;
use crate::output::exit::BadConfiguration;

/// The name of the file that is taken where none is named.
pub(crate) const USUAL: &str = "vedette.toml";

/// Where the configuration is from.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) enum Origin {
    /// Nobody named a file, and there is none here.
    #[default]
    Defaults,
    /// The file that was named.
    Named(PathBuf),
    /// The file that is here, and was not named.
    Found(PathBuf),
}

impl Origin {
    /// The file that was named, or else the one in this folder.
    ///
    /// # Errors
    /// If the one in this folder could be somebody else's doing: evidence is unpacked into folders, and a configuration
    /// says where secrets are sent.
    pub(crate) fn of(named: Option<&Path>) -> anyhow::Result<Self> {
        match named {
            Some(path) => Ok(Self::Named(path.to_owned())),
            None => Self::in_folder(Path::new(""), own_uid()),
        }
    }

    fn in_folder(folder: &Path, own_uid: Option<u32>) -> anyhow::Result<Self> {
        let path = folder.join(USUAL);
        let facts = match fs::metadata(&path) {
            Ok(facts) => facts,
            Err(error) if error.kind() == ErrorKind::NotFound && !path.is_symlink() => {
                return Ok(Self::Defaults);
            }
            Err(error) => {
                return Err(error)
                    .with_context(|| format!("cannot read {}", path.display()))
                    .context(BadConfiguration);
            }
        };
        let is_own = facts.uid() == 0 || Some(facts.uid()) == own_uid;
        if facts.is_file() && is_own && facts.mode() & 0o002 == 0 {
            return Ok(Self::Found(path));
        }
        let why = if facts.is_file() {
            "others can write it"
        } else {
            "it is no file"
        };
        Err(anyhow::anyhow!(
            "{} is in this folder, and is not taken unasked, because {why}: name it, --config {}, if it is the one that you \
             mean",
            path.display(),
            path.display()
        )
        .context(BadConfiguration))
    }

    /// The file, or none.
    pub(crate) fn file(&self) -> Option<&Path> {
        match self {
            Self::Defaults => None,
            Self::Named(path) | Self::Found(path) => Some(path),
        }
    }
}

impl fmt::Display for Origin {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Defaults => formatter.write_str("the defaults: no configuration was named"),
            Self::Named(path) | Self::Found(path) => write!(formatter, "{}", path.display()),
        }
    }
}

#[cfg(test)]
mod tests {
    use std::fs;
    use std::os::unix::fs::PermissionsExt as _;

    use super::{Origin, USUAL};
    use crate::operator::own_uid;

    #[test]
    fn what_lies_in_the_folder_is_taken_where_nothing_is_named() {
        let folder = tempfile::tempdir().expect("a folder");
        let found = |own| Origin::in_folder(folder.path(), own);
        assert_eq!(found(own_uid()).expect("none"), Origin::Defaults);
        let path = folder.path().join(USUAL);
        fs::write(&path, "").expect("it is written");
        fs::set_permissions(&path, fs::Permissions::from_mode(0o664)).expect("its mode");
        assert_eq!(found(own_uid()).expect("it"), Origin::Found(path.clone()));
        fs::set_permissions(&path, fs::Permissions::from_mode(0o666)).expect("its mode");
        let refused = found(own_uid()).expect_err("anybody can have written it");
        assert!(format!("{refused:#}").contains("others can write it"));
        fs::remove_file(&path).expect("it is gone");
        fs::create_dir(&path).expect("a folder of that name");
        assert!(found(own_uid()).is_err());
    }

    #[test]
    fn a_link_that_leads_nowhere_is_no_absence() {
        let folder = tempfile::tempdir().expect("a folder");
        std::os::unix::fs::symlink("/nowhere/at/all", folder.path().join(USUAL)).expect("a link");
        assert!(Origin::in_folder(folder.path(), own_uid()).is_err());
    }
}
