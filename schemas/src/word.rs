//! Words of closed sets, as they travel: what is none of them is an error, never a default.

/// The text is no word of a closed set.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("cannot read {what} \"{text}\": it is none of {known}")]
pub struct UnknownWord {
    /// What the word would have said, for example "alert state".
    pub what: &'static str,
    /// The text.
    pub text: String,
    /// The words that there are, separated by commas.
    pub known: String,
}

/// The member of a closed set that travels as `text`.
pub(crate) fn find<T: Copy>(
    what: &'static str,
    all: &[T],
    word: impl Fn(T) -> &'static str,
    text: &str,
) -> Result<T, UnknownWord> {
    let found = all.iter().copied().find(|one| word(*one) == text);
    found.ok_or_else(|| UnknownWord {
        what,
        text: text.to_owned(),
        known: all
            .iter()
            .map(|one| word(*one))
            .collect::<Vec<_>>()
            .join(", "),
    })
}

#[cfg(test)]
mod tests {
    use crate::action::ActionState;
    use crate::alert::AlertState;
    use crate::case::CaseStatus;
    use crate::coverage::CoverageState;
    use crate::dead_letter::Reason;
    use crate::severity::Severity;
    use std::collections::BTreeSet;
    use std::str::FromStr;

    fn check<T>(all: &[T], word: impl Fn(T) -> &'static str)
    where
        T: Copy + PartialEq + std::fmt::Debug + FromStr,
        T::Err: std::fmt::Debug,
    {
        let words: BTreeSet<&str> = all.iter().map(|one| word(*one)).collect();
        assert_eq!(words.len(), all.len());
        for one in all {
            assert_eq!(word(*one).parse::<T>().unwrap(), *one);
        }
        for other in ["", "RAISED", "raised ", "none of them"] {
            assert!(other.parse::<T>().is_err(), "{other:?}");
        }
    }

    #[test]
    fn every_word_leads_back_to_its_member_and_no_other_text_does() {
        check(AlertState::ALL, AlertState::as_str);
        check(CaseStatus::ALL, CaseStatus::as_str);
        check(ActionState::ALL, ActionState::as_str);
        check(CoverageState::ALL, CoverageState::as_str);
        check(Reason::ALL, Reason::as_str);
        check(Severity::ALL, Severity::as_str);
    }

    #[test]
    fn an_unknown_word_is_told_with_those_that_there_are() {
        let error = "snoozed".parse::<AlertState>().unwrap_err();
        assert_eq!(
            error.to_string(),
            "cannot read alert state \"snoozed\": it is none of raised, amended, withdrawn"
        );
    }
}
