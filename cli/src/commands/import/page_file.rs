//! The file of a report: claimed before the work, put in place in one step after it.

use std::io::Write as _;
use std::path::{Path, PathBuf};

use anyhow::Context as _;
use tempfile::NamedTempFile;

/// A place for a page, known to be writable; what stood there before stays until [`Self::put`].
#[derive(Debug)]
pub(super) struct PageFile {
    path: PathBuf,
    temporary: NamedTempFile,
}

impl PageFile {
    /// Makes a temporary file beside it, so that a folder which cannot be written to is told before the work.
    ///
    /// # Errors
    /// If nothing can be written there.
    pub(super) fn claim(path: &Path) -> anyhow::Result<Self> {
        anyhow::ensure!(
            !path.is_dir() && path.file_name().is_some(),
            "cannot write the report to {}: it is a folder; name a file in it, for example {}",
            path.display(),
            path.join("report.html").display()
        );
        let folder = match path.parent() {
            Some(folder) if !folder.as_os_str().is_empty() => folder,
            _ => Path::new("."),
        };
        let temporary = NamedTempFile::with_prefix_in(".report-", folder).with_context(|| {
            format!(
                "cannot write the report to {}: its folder must be there and writable",
                path.display()
            )
        })?;
        Ok(Self {
            path: path.to_owned(),
            temporary,
        })
    }

    /// True where the name asks for JSON.
    pub(super) fn is_json(&self) -> bool {
        let ending = self.path.extension();
        ending.is_some_and(|ending| ending.eq_ignore_ascii_case("json"))
    }

    /// Puts the page in place, whole or not at all; only its owner may read it, for it names people.
    ///
    /// # Errors
    /// If the disk is full, or the folder is gone.
    pub(super) fn put(mut self, page: &str) -> anyhow::Result<()> {
        let told = || format!("cannot write the report to {}", self.path.display());
        self.temporary
            .write_all(page.as_bytes())
            .and_then(|()| self.temporary.as_file().sync_all())
            .with_context(told)?;
        self.temporary.persist(&self.path).with_context(|| {
            format!("cannot put the report in place at {}", self.path.display())
        })?;
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::PageFile;

    #[test]
    fn a_page_replaces_the_one_before_and_leaves_nothing_else() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("report.html");
        std::fs::write(&path, "before").unwrap();
        let file = PageFile::claim(&path).unwrap();
        assert!(!file.is_json());
        assert!(
            PageFile::claim(&path.with_extension("JSON"))
                .unwrap()
                .is_json()
        );
        assert_eq!(std::fs::read_to_string(&path).unwrap(), "before");
        file.put("after").unwrap();
        assert_eq!(std::fs::read_to_string(&path).unwrap(), "after");
        drop(PageFile::claim(&path).unwrap());
        assert_eq!(std::fs::read_dir(folder.path()).unwrap().count(), 1);
    }

    #[test]
    fn what_cannot_be_written_is_told() {
        let folder = tempfile::tempdir().unwrap();
        let error = PageFile::claim(folder.path()).unwrap_err().to_string();
        assert!(error.contains("name a file in it"), "{error}");
        let error = PageFile::claim(&folder.path().join("nowhere/report.html"));
        let error = error.unwrap_err().to_string();
        assert!(error.contains("its folder must be there"), "{error}");
    }
}
