//! Regular expressions as rules write them, bounded.

use regex::{Regex, RegexBuilder};

use crate::error::RuleError;

/// Largest program of a compiled regular expression, in bytes: a rule must not cost more than all others.
pub(crate) const REGEX_BYTES_MAX: usize = 1024 * 1024;

/// Longest regular expression in a rule, in bytes.
const REGEX_LENGTH_MAX: usize = 4096;

/// A regular expression with its flags written into it, checked and bounded.
pub(crate) fn regex(
    pattern: &str,
    [ignores_case, is_multiline, dot_is_all]: [bool; 3],
) -> Result<String, RuleError> {
    if pattern.len() > REGEX_LENGTH_MAX {
        return Err(RuleError::RegexTooLong {
            bytes: pattern.len(),
            limit: REGEX_LENGTH_MAX,
        });
    }
    let flags: String = [(ignores_case, 'i'), (is_multiline, 'm'), (dot_is_all, 's')]
        .into_iter()
        .filter_map(|(is_set, flag)| is_set.then_some(flag))
        .collect();
    // Asked alone as well, because a pattern may close a group that is not its own.
    let built = expression(pattern).and_then(|_| {
        let whole = if flags.is_empty() {
            pattern.to_owned()
        } else {
            format!("(?{flags}:{pattern})")
        };
        expression(&whole).map(|_| whole)
    });
    built.map_err(|cause| RuleError::Regex {
        cause: Box::new(cause),
    })
}

/// A regular expression without flags, compiled.
pub(crate) fn compiled(pattern: &str) -> Result<Regex, RuleError> {
    if pattern.len() > REGEX_LENGTH_MAX {
        return Err(RuleError::RegexTooLong {
            bytes: pattern.len(),
            limit: REGEX_LENGTH_MAX,
        });
    }
    expression(pattern).map_err(|cause| RuleError::Regex {
        cause: Box::new(cause),
    })
}

/// Compiles a regular expression within [`REGEX_BYTES_MAX`].
pub(crate) fn expression(pattern: &str) -> Result<Regex, regex::Error> {
    RegexBuilder::new(pattern)
        .size_limit(REGEX_BYTES_MAX)
        .build()
}
