//! Every hostile string through every format, and read back by that format's own reader: each field is what it was, and
//! none is there that was not meant.

use std::collections::BTreeSet;

use forward::contract::Notice;
use forward::formats::{Format, inert, syslog};
use serde_json::Value;

use crate::{hostile, readers, samples};

/// The hostile strings in notices of every kind; of those that the contract cuts, also the ones that it does not.
fn notices() -> Vec<(String, Notice)> {
    let mut all = Vec::new();
    for text in hostile::strings() {
        all.extend(
            samples::each(&text)
                .into_iter()
                .map(|notice| (text.clone(), notice)),
        );
    }
    let long = "|=\\\"]\n\t\u{202e}x".repeat(5 * 1024 * 1024 / 11);
    let mut notice = Notice::of_alert(&samples::alert("x"));
    notice.document["title"] = long.clone().into();
    all.push((long, notice));
    all
}

/// What a reader sees of a text in a format without an escape for what steers; CEF has escapes for line breaks.
fn shown(text: &str) -> String {
    inert::visible(text).into_owned()
}

fn shown_in_cef(text: &str) -> String {
    let kept = |part: &str| inert::visible(part).into_owned();
    let lines = text
        .split('\n')
        .map(|line| line.split('\r').map(kept).collect::<Vec<_>>().join("\r"));
    lines.collect::<Vec<_>>().join("\n")
}

fn at(notice: &Notice, pointer: &str) -> Option<String> {
    let value = notice.document.pointer(pointer)?.as_str()?;
    (!value.is_empty()).then(|| value.to_owned())
}

/// Names of the keys that an ordinary notice of the same kind has.
fn keys(
    notice: &Notice,
    read: impl Fn(&str) -> BTreeSet<String>,
    format: Format,
) -> BTreeSet<String> {
    let mut plain = samples::each("plain").into_iter();
    let plain = plain
        .find(|other| other.kind == notice.kind)
        .expect("each kind");
    read(&format.render(&plain))
}

#[test]
fn json_ocsf_and_ecs_read_back_as_they_were() {
    let mut count = 0;
    for (text, notice) in notices() {
        for format in [Format::Json, Format::Ocsf, Format::Ecs] {
            let line = format.render(&notice);
            assert!(!line.chars().any(inert::is_steering), "{format:?} {text:?}");
            let read: Value = serde_json::from_str(&line).expect("JSON");
            let whole = match format {
                Format::Ocsf => &read["unmapped"],
                Format::Ecs => &read["vedette"],
                _ => &read,
            };
            assert_eq!(*whole, notice.document, "{format:?}");
            let title = match format {
                Format::Ocsf | Format::Ecs => &read["message"],
                _ => &read["title"],
            };
            assert_eq!(
                title.as_str(),
                notice.document["title"].as_str(),
                "{format:?}"
            );
            count += 1;
        }
    }
    println!("{count} documents");
}

#[test]
fn cef_reads_back_and_nothing_is_forged() {
    let names = |line: &str| {
        let (_, pairs) = readers::cef(line).expect("CEF");
        pairs.into_keys().collect::<BTreeSet<_>>()
    };
    for (text, notice) in notices() {
        let line = Format::Cef.render(&notice);
        let (header, pairs) =
            readers::cef(&line).unwrap_or_else(|why| panic!("{why}: {text:?}\n{line:.500}"));
        assert_eq!(header[5], shown(&at(&notice, "/title").unwrap_or_default()));
        assert_eq!(header[..3], ["0", "vedette", "vedette"]);
        for (key, pointer) in [
            ("suser", "/entities/user/name"),
            ("cs2", "/entities/session/id"),
            ("externalId", "/id"),
            ("msg", "/description"),
            ("cs3", "/tenant_id"),
            ("cs6", "/version"),
            ("flexString2", "/state"),
            ("reason", "/severity_reason"),
        ] {
            let wanted = at(&notice, pointer);
            if wanted.is_some() {
                assert_eq!(
                    pairs.get(key).cloned(),
                    wanted.map(|text| shown_in_cef(&text)),
                    "{key}"
                );
            }
        }
        let mut found: BTreeSet<String> = pairs.into_keys().collect();
        if notice.document.get("description").is_some() {
            found.insert("msg".to_owned());
        }
        let mut known = keys(&notice, names, Format::Cef);
        known.insert("msg".to_owned());
        assert!(
            found.is_subset(&known),
            "{:?} forged by {text:?}",
            found.difference(&known)
        );
    }
}

#[test]
fn leef_reads_back_and_nothing_is_forged() {
    let names = |line: &str| {
        let (_, pairs) = readers::leef(line).expect("LEEF");
        pairs.into_keys().collect::<BTreeSet<_>>()
    };
    for (text, notice) in notices() {
        let line = Format::Leef.render(&notice);
        let (header, pairs) =
            readers::leef(&line).unwrap_or_else(|why| panic!("{why}: {text:?}\n{line:.500}"));
        assert_eq!(header[1..3], ["vedette", "vedette"]);
        for (key, pointer) in [
            ("usrName", "/entities/user/name"),
            ("session_id", "/entities/session/id"),
            ("notice_id", "/id"),
            ("notice_title", "/title"),
            ("what_happened", "/description"),
            ("notice_state", "/state"),
        ] {
            let wanted = at(&notice, pointer);
            if wanted.is_some() {
                assert_eq!(
                    pairs.get(key).cloned(),
                    wanted.map(|text| shown(&text)),
                    "{key}"
                );
            }
        }
        let found: BTreeSet<String> = pairs.into_keys().collect();
        let mut known = keys(&notice, names, Format::Leef);
        known.insert("what_happened".to_owned());
        assert!(
            found.is_subset(&known),
            "{:?} forged by {text:?}",
            found.difference(&known)
        );
    }
}

#[test]
fn syslog_reads_back_in_frames_by_somebody_elses_parser() {
    let mut stream = Vec::new();
    let mut sent = Vec::new();
    for (_, notice) in notices() {
        for format in [Format::Cef, Format::Leef, Format::Json] {
            let text = format.render(&notice);
            stream.extend(syslog::frame(&syslog::message(
                &notice,
                "sensor-1 \n forged",
                &text,
            )));
            sent.push((notice.clone(), text));
        }
    }
    let frames = readers::frames(&stream).expect("frames");
    assert_eq!(frames.len(), sent.len());
    for (frame, (notice, text)) in frames.iter().zip(sent) {
        let message = std::str::from_utf8(frame).expect("UTF-8");
        let read = syslog_rfc5424::parse_message(message)
            .unwrap_or_else(|why| panic!("{why}: {message:.500}"));
        assert_eq!(read.hostname.as_deref(), Some("sensor-1forged"));
        assert_eq!(read.appname.as_deref(), Some("vedette"));
        assert_eq!(read.msgid.as_deref(), Some(notice.kind.as_str()));
        assert_eq!(read.msg, text);
        if text.starts_with("LEEF") {
            assert!(readers::leef(&read.msg).is_ok(), "it is LEEF still");
        }
        assert_eq!(read.sd.len(), 1, "one element");
        for (name, pointer) in [
            ("id", "/id"),
            ("title", "/title"),
            ("user", "/entities/user/name"),
            ("state", "/state"),
            ("version", "/version"),
        ] {
            let found = read.sd.find_tuple("vedette@32473", name).cloned();
            assert_eq!(
                found,
                at(&notice, pointer).map(|text| shown(&text)),
                "{name}"
            );
        }
    }
}

#[test]
fn the_readers_notice_forgeries() {
    assert!(readers::cef("CEF:0|a|b|c|d|title|5|suser=x act=y suser=z").is_err());
    assert!(readers::cef("CEF:0|a|b|c|d|ti|tle|5|suser=x").is_err());
    assert!(readers::cef("CEF:0|a|b|c|d|t|5|msg=a\\x").is_err());
    assert!(readers::cef("CEF:0|a|b|c|d|t|5|msg=a\nb").is_err());
    assert!(readers::leef("LEEF:2.0|a|b|c|d|x09|k=v\tforged").is_err());
    assert!(readers::frames(b"5 abc").is_err());
}
