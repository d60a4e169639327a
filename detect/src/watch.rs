//! Files of rules, mappings and IP databases that change while detect runs.

use std::path::PathBuf;
use std::time::SystemTime;

use sigma::document::Listing;

use crate::config::DetectConfig;

/// The files that a configuration names, as they were at some moment.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Files(Vec<(PathBuf, Option<(u64, SystemTime)>)>);

impl Files {
    /// Looks at the files, not into them: their names, lengths and times.
    pub(crate) fn of(config: &DetectConfig) -> Self {
        let rules = config.rules.iter().map(|folder| Listing::of(folder).files);
        let others = config.mappings.iter().chain(&config.ip_databases);
        let all = rules.flatten().chain(others.cloned());
        Self(
            all.map(|path| {
                let found = std::fs::metadata(&path).ok();
                let state = found.and_then(|found| Some((found.len(), found.modified().ok()?)));
                (path, state)
            })
            .collect(),
        )
    }
}

/// What was loaded, and what was seen last.
#[derive(Debug)]
pub(crate) struct Watch {
    loaded: Files,
    seen: Files,
}

impl Watch {
    pub(crate) fn new(loaded: Files) -> Self {
        Self {
            seen: loaded.clone(),
            loaded,
        }
    }

    /// True if rules should be loaded again: the files have changed, and have stood still since the last look.
    ///
    /// Who copies a folder of rules is half way through for a while.
    pub(crate) fn is_due(&mut self, now: Files) -> bool {
        let is_due = now != self.loaded && now == self.seen;
        if is_due {
            self.loaded.clone_from(&now);
        }
        self.seen = now;
        is_due
    }
}

#[cfg(test)]
mod tests {
    use std::path::PathBuf;

    use super::{Files, Watch};
    use crate::config::DetectConfig;

    fn files(lengths: &[u64]) -> Files {
        let state = |length: &u64| Some((*length, std::time::SystemTime::UNIX_EPOCH));
        let named = |length: &u64| (PathBuf::from("a.yml"), state(length));
        Files(lengths.iter().map(named).collect())
    }

    #[test]
    fn loads_once_when_changed_files_have_come_to_rest() {
        let mut watch = Watch::new(files(&[1]));
        let looks = [
            &[1][..],
            &[1, 2],
            &[1, 2, 3],
            &[1, 2, 3],
            &[1, 2, 3],
            &[1],
            &[1, 2, 3],
            &[],
        ];
        let due: Vec<bool> = looks.iter().map(|look| watch.is_due(files(look))).collect();
        assert_eq!(due, [false, false, false, true, false, false, false, false]);
        assert!(watch.is_due(files(&[])));
    }

    #[test]
    fn sees_new_changed_and_lost_files() {
        let folder = tempfile::tempdir().unwrap();
        let mapping = folder.path().join("mapping.txt");
        let config = DetectConfig {
            rules: vec![folder.path().to_owned()],
            mappings: vec![mapping.clone()],
            ..DetectConfig::default()
        };
        let mut seen = vec![Files::of(&config)];
        for (path, text) in [("a.yml", "1"), ("a.yml", "12"), ("mapping.txt", "3")] {
            std::fs::write(folder.path().join(path), text).unwrap();
            seen.push(Files::of(&config));
        }
        std::fs::remove_file(mapping).unwrap();
        assert_eq!(Files::of(&config), seen[2]);
        assert!(seen.windows(2).all(|pair| pair[0] != pair[1]));
    }
}
