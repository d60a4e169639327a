//! What the API's error codes mean for us. Pure.
//!
//! Source: Office 365 Management Activity API reference, "Errors"; a code counts, never its HTTP status or text.

/// What a code means for us.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Meaning {
    /// The wish is fulfilled already.
    Success,
    /// There is no subscription: start it.
    NotSubscribed,
    /// The content is gone for good.
    Lost,
    /// The window or page is refused: it is listed again with fresh bounds, and counted as a gap until then.
    Window,
    /// Wait, then try again.
    Later,
    /// A person must mend it.
    Person,
    /// The request is wrong, which is a fault of ours.
    Bug,
    /// Not in the table.
    Unknown,
}

/// The meaning of a code.
pub(super) fn meaning(code: &str) -> Meaning {
    match code {
        "AF20024" => Meaning::Success,
        "AF20022" | "AF20023" => Meaning::NotSubscribed,
        "AF20050" | "AF20051" | "AF20052" => Meaning::Lost,
        "AF20030" | "AF20031" | "AF20055" => Meaning::Window,
        "AF429" | "AF50000" => Meaning::Later,
        "AF10001" | "AF20011" | "AF20012" => Meaning::Person,
        "AF20001" | "AF20002" | "AF20003" | "AF20010" | "AF20013" | "AF20020" | "AF20021"
        | "AF20053" | "AF20054" => Meaning::Bug,
        _ => Meaning::Unknown,
    }
}
