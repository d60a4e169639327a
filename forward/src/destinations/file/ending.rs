//! What stands behind the last line break of a file: something of ours that a crash left, or another's. Pure.

use serde::de::IgnoredAny;

use crate::formats::Format;

/// How a file of notices ends.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Ending {
    /// With a whole line, or it is empty.
    Line,
    /// With a notice that was cut.
    CutNotice,
    /// With a notice that lacks only the end of its line.
    WholeNotice,
}

/// What `rest`, without a line break in it, is in a file of this format; none if it is nothing of ours.
pub(super) fn ending(format: Format, rest: &[u8]) -> Option<Ending> {
    if rest.is_empty() {
        return Some(Ending::Line);
    }
    // The member that every document of the format has.
    let member = match format {
        Format::Cef => return cut(rest, b"CEF:0|vedette|vedette|"),
        Format::Leef => return cut(rest, b"LEEF:2.0|vedette|vedette|"),
        Format::Json => "\"contract\":",
        Format::Ocsf => "\"class_uid\":",
        Format::Ecs => "\"ecs",
        Format::Ticket => "\"correlation_id\":",
    };
    cut(rest, b"{\"")?;
    if serde_json::from_slice::<IgnoredAny>(rest).is_ok() {
        let is_ours = String::from_utf8_lossy(rest).contains(member);
        return is_ours.then_some(Ending::WholeNotice);
    }
    // A number that is cut behind one of these is no number.
    let end = rest
        .iter()
        .rposition(|byte| !b"-+.eE".contains(byte))
        .map_or(0, |last| last + 1);
    match serde_json::from_slice::<IgnoredAny>(&rest[..end]) {
        Err(error) if error.is_eof() => Some(Ending::CutNotice),
        _ => None,
    }
}

/// Whether this begins as a notice of ours does, or is the beginning of that.
fn cut(rest: &[u8], begins: &[u8]) -> Option<Ending> {
    (rest.starts_with(begins) || begins.starts_with(rest)).then_some(Ending::CutNotice)
}

#[cfg(test)]
mod tests {
    use schemas::wire::Alert;

    use super::{Ending, ending};
    use crate::contract::Notice;
    use crate::formats::Format;

    #[test]
    fn a_notice_of_ours_is_known_wherever_it_was_cut() {
        let notice = Notice::of_alert(&Alert {
            alert_id: "4f1e".to_owned(),
            label: "SAAS-M365-00001".to_owned(),
            title: "\u{202e}\"é\" – 1e-9".to_owned(),
            severity: "high".to_owned(),
            state: "raised".to_owned(),
            first_event_time_us: -1,
            ..Alert::default()
        });
        for format in Format::ALL {
            let line = format.render(&notice);
            let line = line.as_bytes();
            assert_eq!(ending(format, b""), Some(Ending::Line), "{format:?}");
            for length in 1..line.len() {
                let found = ending(format, &line[..length]);
                assert_eq!(found, Some(Ending::CutNotice), "{format:?} at {length}");
            }
            let expected = match format {
                Format::Cef | Format::Leef => Ending::CutNotice,
                _ => Ending::WholeNotice,
            };
            assert_eq!(ending(format, line), Some(expected), "{format:?}");
        }
    }

    #[test]
    fn a_number_may_be_cut_anywhere() {
        for cut in [
            "{\"a\":-",
            "{\"a\":1.",
            "{\"a\":1e",
            "{\"a\":1.5e-",
            "{\"a\":tru",
        ] {
            let found = ending(Format::Json, cut.as_bytes());
            assert_eq!(found, Some(Ending::CutNotice), "{cut}");
        }
    }

    #[test]
    fn what_is_anothers_is_nobodys_to_cut() {
        for format in Format::ALL {
            for strange in [
                &b"x"[..],
                b"root:x:0:0:root:/root:/bin/bash",
                b"}",
                b"[1",
                b"SQLite format 3\0",
                b"{'id': 1",
                b"{\"name\": \"a program's settings\"}",
                b"{\"a\": 1} and more",
                b"CEF:0|Other|Product|",
                b"LEEF:2.0|Other|",
                &[0; 4_096],
            ] {
                assert_eq!(ending(format, strange), None, "{format:?} {strange:?}");
            }
        }
    }
}
