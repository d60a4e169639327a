//! Files of a kind that no log is, known by their first bytes, and what to do instead. Pure.

/// What begins so, and what to do instead.
const KINDS: &[(&[u8], &str)] = &[
    (
        b"PK\x03\x04",
        "it is an archive within another file: unpack it, and import what comes out",
    ),
    (
        b"\xd0\xcf\x11\xe0",
        "it is an old document of Office or a message of Outlook (.xls, .msg): save the sheet as CSV (UTF-8), or the attachment \
         as a file, and import that",
    ),
    (b"%PDF", "it is a PDF: export the records as JSON or CSV"),
    (
        b"SQLite format 3",
        "it is a database: export its rows as JSON or CSV",
    ),
    (
        b"ElfFile",
        "it is a log of Windows events (.evtx), which vedette does not read",
    ),
    (
        b"!BDN",
        "it is a mail store of Outlook (.pst): save the attachment as a file, and import that",
    ),
    (
        b"7z\xbc\xaf",
        "it is a .7z archive: unpack it, and import what comes out",
    ),
    (
        b"Rar!",
        "it is a .rar archive: unpack it, and import what comes out",
    ),
    (
        b"BZh",
        "it is packed by bzip2: unpack it, and import what comes out",
    ),
    (
        b"\xfd7zXZ",
        "it is packed by xz: unpack it, and import what comes out",
    ),
    (
        b"PAR1",
        "it is Parquet: vedette reads its own lake, and of others JSON or CSV",
    ),
];

/// Where an archive of tar names its format, after the name, mode, owner and size of its first file.
///
/// Source: POSIX.1-2024, pax, "ustar Interchange Format": `magic` at byte 257.
const TAR_MAGIC_AT: usize = 257;

/// The fields by which a mail message is known.
const MAIL_FIELDS: &[&str] = &[
    "received",
    "from",
    "to",
    "subject",
    "date",
    "message-id",
    "mime-version",
    "return-path",
    "delivered-to",
    "content-type",
    "x-ms-exchange-organization-scl",
    "authentication-results",
    "dkim-signature",
];

/// What to do instead of importing a file that begins so; none if it may be a log.
pub(super) fn instead_of(start: &[u8]) -> Option<&'static str> {
    let mut kinds = KINDS.iter();
    if let Some((_, instead)) = kinds.find(|(magic, _)| start.starts_with(magic)) {
        return Some(instead);
    }
    if start
        .get(TAR_MAGIC_AT..)
        .is_some_and(|rest| rest.starts_with(b"ustar"))
    {
        return Some("it is a .tar archive: unpack it, and import what comes out");
    }
    let lines = start.split(|byte| *byte == b'\n').take(40);
    let is_field = |line: &&[u8]| {
        let name = line.split(|byte| *byte == b':').next().unwrap_or_default();
        name.len() < line.len()
            && MAIL_FIELDS
                .iter()
                .any(|field| name.eq_ignore_ascii_case(field.as_bytes()))
    };
    let fields = lines.clone().filter(is_field).count();
    let begins_so = lines.clone().next().is_some_and(|line| is_field(&line));
    (begins_so && fields >= 3).then_some(
        "it is a mail message (.eml): save what is attached to it as a file, and import that",
    )
}

#[cfg(test)]
mod tests {
    use super::instead_of;

    #[test]
    fn what_is_no_log_is_known_and_a_log_is_not_taken_for_it() {
        let mut tar = vec![0; 512];
        tar[..9].copy_from_slice(b"day.jsonl");
        tar[257..262].copy_from_slice(b"ustar");
        for (start, expected) in [
            (&tar[..], true),
            (b"PK\x03\x04\x14\0", true),
            (b"%PDF-1.7", true),
            (b"Received: from mx.example\r\n by mx\r\nFrom: a@contoso.test\r\nSubject: export\r\n", true),
            (b"{\"From\":\"x\",\n\"To\":1}", false),
            (b"From: the archive\nno mail at all", false),
            (b"Date (UTC),Request ID", false),
            (b"", false),
        ] {
            assert_eq!(instead_of(start).is_some(), expected, "{start:?}");
        }
    }
}
