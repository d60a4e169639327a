//! What is found, and where it is gathered.

use serde::Serialize;

use super::advice;
use crate::error::RuleError;

/// How bad a finding is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Level {
    /// The rule does not run, or is not what it must be.
    Error,
    /// The rule runs, but not as its author meant, or others cannot use it.
    Warning,
    /// It could be said more simply.
    Notice,
}

impl Level {
    /// Its name.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Error => "error",
            Self::Warning => "warning",
            Self::Notice => "notice",
        }
    }
}

/// Something that a rule's author should know.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Finding {
    /// The file.
    pub file: String,
    /// The line, from 1, where it is known.
    pub line: Option<usize>,
    /// How bad it is.
    pub level: Level,
    /// Name of the check, for example "tag-unknown".
    pub check: &'static str,
    /// What is wrong.
    pub what: String,
    /// How to mend it.
    pub fix: String,
}

/// The findings of one file.
#[derive(Debug)]
pub(super) struct Notes<'a> {
    pub(super) file: &'a str,
    pub(super) findings: Vec<Finding>,
}

impl Notes<'_> {
    pub(super) fn add(
        &mut self,
        (level, check): (Level, &'static str),
        line: Option<usize>,
        what: impl Into<String>,
        fix: impl Into<String>,
    ) {
        self.findings.push(Finding {
            file: self.file.to_owned(),
            line,
            level,
            check,
            what: what.into(),
            fix: fix.into(),
        });
    }

    pub(super) fn refused(&mut self, line: Option<usize>, reason: &RuleError) {
        let mut what = reason.to_string();
        let mut cause = std::error::Error::source(reason);
        while let Some(inner) = cause {
            what.push_str(": ");
            what.push_str(inner.to_string().lines().last().unwrap_or_default().trim());
            cause = inner.source();
        }
        self.add((Level::Error, "refused"), line, what, advice::fix(reason));
    }

    /// Leaves out refusals of lines about which a check of keys says more.
    pub(super) fn prefer_exact(&mut self) {
        let is_exact = |finding: &Finding| finding.check == "key-form";
        let exact: Vec<Option<usize>> = self
            .findings
            .iter()
            .filter(|one| is_exact(one))
            .map(|one| one.line)
            .collect();
        self.findings
            .retain(|finding| finding.check != "refused" || !exact.contains(&finding.line));
    }

    /// Sigma: ten to seventy characters of `a-z`, `0-9` and `_`, and the ending `.yml`.
    pub(super) fn file_name(&mut self) {
        let name = self.file.rsplit(['/', '\\']).next().unwrap_or_default();
        let stem = name.strip_suffix(".yml");
        let is_good = stem.is_some_and(|stem| {
            (6..=66).contains(&stem.len())
                && stem
                    .bytes()
                    .all(|byte| matches!(byte, b'a'..=b'z' | b'0'..=b'9' | b'_'))
        });
        if !is_good {
            self.add(
                (Level::Warning, "file-name"),
                None,
                "file name is not of the form that rule collections share",
                "10 to 70 characters of a-z, 0-9 and _, ending in .yml: azure_signin_device_code.yml",
            );
        }
    }
}
