//! Files as they are: encodings, separators, what stands above and around records, what was cut, archives.

use super::{Case, TENANT, options, read};

/// A record of the unified audit log.
pub(super) fn record(id: &str) -> String {
    format!(
        r#"{{"CreationTime":"2026-03-04T08:00:01","Id":"{id}","Operation":"FileAccessed","OrganizationId":"{TENANT}","RecordType":6,"Workload":"OneDrive","UserId":"ada@contoso.test"}}"#
    )
}

fn utf16(text: &str) -> Vec<u8> {
    text.encode_utf16().flat_map(u16::to_le_bytes).collect()
}

#[tokio::test]
async fn files_are_read_however_they_were_written() {
    let quoted = |id: &str| record(id).replace('"', "\"\"");
    let page = |id: &str, after: &str| format!("{{\"value\":[{}]{after}}}", record(id));
    let answer = r#"{"tables":[{"name":"PrimaryResult","columns":[{"name":"Id"},{"name":"CreationTime"},{"name":"Operation"},{"name":"Workload"}],"rows":[["a","2026-03-04T08:00:01Z","x","Exchange"],["b","2026-03-04T08:00:01Z","x","Exchange"]]}]"#;
    let windows = b"Operation;UserId;AuditData\n".to_vec();
    let windows = [
        windows,
        format!("x;Zo;\"{}\"\n", quoted("a"))
            .replace("Zo", "Z\u{1}")
            .into_bytes(),
    ]
    .concat();
    let windows: Vec<u8> = windows
        .into_iter()
        .map(|byte| if byte == 1 { 0xeb } else { byte })
        .collect();
    for (what, bytes, ids, notes) in [
        ("utf-16 with a mark", utf16(&format!("\u{feff}[\r\n{},\r\n{}]\r\n", record("a"), record("b"))), "a b", 0),
        ("utf-16 without a mark", utf16(&format!("{}\r\n{}\r\n", record("a"), record("b"))), "a b", 0),
        ("utf-16 with a tail", [utf16(&format!("\u{feff}[{}]\r\n", record("a"))), b"\n\r\n".to_vec()].concat(), "a", 0),
        (
            "utf-16 appended to behind a single byte",
            [utf16(&format!("\u{feff}{}\r\n", record("a"))), b"\n".to_vec(), utf16(&format!("{}\r\n", record("b")))].concat(),
            "a b",
            0,
        ),
        ("marks in the middle", format!("\u{feff}{}\n\u{feff}{}\n", record("a"), record("b")).into_bytes(), "a b", 0),
        ("lists one after another", format!("[{}]\n[{}]", record("a"), record("b")).into_bytes(), "a b", 0),
        ("a list of lists", format!("[[{}],[{}]]", record("a"), record("b")).into_bytes(), "a b", 0),
        ("pages in a list", format!("[{},{}]", page("a", ""), page("b", ",\"nextLink\":null")).into_bytes(), "a b", 0),
        ("a page that goes on", page("a", ",\"@odata.nextLink\":\"https://graph.example\"").into_bytes(), "a", 1),
        ("a page with a count", page("a", ",\"Count\":1").into_bytes(), "a", 0),
        ("a page with a greater count", format!("{{\"@odata.count\":9,\"value\":[{}]}}", record("a")).into_bytes(), "a", 1),
        ("results of a search", format!("{{\"preview\":false,\"messages\":[],\"fields\":[{{\"name\":\"x\"}}],\"results\":[{}]}}", record("a")).into_bytes(), "a", 0),
        ("columns and rows", format!("{answer}}}").into_bytes(), "a b", 0),
        ("columns and rows with an error", format!("{answer},\"error\":{{\"code\":\"PartialError\"}}}}").into_bytes(), "a b", 1),
        ("semicolons", format!("RecordId;AuditData\r\na;\"{}\"\r\n", quoted("a")).into_bytes(), "a", 0),
        ("semicolons that a line says", format!("sep=;\r\nRecordId;AuditData\r\na;\"{}\"\r\n", quoted("a")).into_bytes(), "a", 0),
        ("tabs", format!("RecordId\tAuditData\na\t\"{}\"\n", quoted("a")).into_bytes(), "a", 0),
        ("bars", format!("RecordId|AuditData\na|\"{}\"\n", quoted("a")).into_bytes(), "a", 0),
        ("a type above", format!("#TYPE x\r\nRecordId,AuditData\r\na,\"{}\"\r\n", quoted("a")).into_bytes(), "a", 0),
        ("a blank line above", format!("\r\nRecordId,AuditData\r\na,\"{}\"\r\n", quoted("a")).into_bytes(), "a", 0),
        ("a title above", format!("Export, by Ada\nRecordId,AuditData\na,\"{}\"\n", quoted("a")).into_bytes(), "a", 1),
        (
            "tables one after another",
            format!("RecordId,AuditData\na,\"{}\"\n\u{feff}\"AuditData\",\"RecordId\"\n\"{}\",b\n", quoted("a"), quoted("b")).into_bytes(),
            "a b",
            1,
        ),
        ("a line end in a cell", format!("Note,AuditData\n\"x\ny\",\"{}\"\n", quoted("a")).into_bytes(), "a", 0),
        ("letters of Windows", windows, "a", 1),
        ("a cut file", format!("[{},{}", record("a"), &record("b")[..160]).into_bytes(), "a b", 0),
        ("a cut row", format!("RecordId,AuditData\na,\"{}\"\nb,\"{}", quoted("a"), &quoted("b")[..200]).into_bytes(), "a b", 0),
    ] {
        let (case, summary) = read("file", bytes).await;
        assert_eq!(case.rows("id").join(" "), ids, "{what}: {:?}", summary.by_file);
        let times = case.rows("time");
        assert!(times.iter().all(|time| time == "2026-03-04T08:00:01.000Z"), "{what}: {times:?}");
        assert_eq!(summary.dead_letters, 0, "{what}");
        assert_eq!(summary.by_file[0].notes.len(), notes, "{what}: {:?}", summary.by_file[0].notes);
        let is_cut = what.starts_with("a cut");
        assert_eq!(summary.by_file[0].cut, u64::from(is_cut), "{what}");
        let is_gap = summary.by_file[0].is_incomplete();
        assert_eq!(case.lab.arrived.lines("file", "gap").len(), usize::from(is_gap), "{what}");
    }
}

/// A zip archive of files that are not packed.
fn zip(files: &[(&str, &[u8], u16)]) -> Vec<u8> {
    let (mut archive, mut list) = (Vec::new(), Vec::new());
    for (name, bytes, method) in files {
        let offset = u32::try_from(archive.len()).unwrap().to_le_bytes();
        let size = u32::try_from(bytes.len()).unwrap().to_le_bytes();
        let length = u16::try_from(name.len()).unwrap().to_le_bytes();
        let method = method.to_le_bytes();
        let facts = [
            &[20, 0, 0, 0][..],
            &method,
            &[0; 8],
            &size,
            &size,
            &length,
            &[0, 0],
        ]
        .concat();
        archive.extend([b"PK\x03\x04", &facts[..], name.as_bytes(), bytes].concat());
        list.extend(
            [
                b"PK\x01\x02\x14\0",
                &facts[..],
                &[0; 10],
                &offset,
                name.as_bytes(),
            ]
            .concat(),
        );
    }
    let start = u32::try_from(archive.len()).unwrap().to_le_bytes();
    let size = u32::try_from(list.len()).unwrap().to_le_bytes();
    archive.extend(&list);
    archive.extend([b"PK\x05\x06", &[0; 8][..], &size, &start, &[0, 0]].concat());
    archive
}

#[tokio::test]
async fn archives_are_opened_and_what_is_no_log_is_refused_with_words() {
    let mut case = Case::new().await;
    let archive = zip(&[
        ("in/a.json", record("a").as_bytes(), 0),
        ("b.json", record("b").as_bytes(), 99),
        ("c.zip", &zip(&[("d.json", record("d").as_bytes(), 0)]), 0),
    ]);
    case.put("evidence.zip", archive)
        .put("book.xlsx", zip(&[("[Content_Types].xml", b"<x/>", 0), ("xl/workbook.xml", b"<x/>", 0)]))
        .put("mail.eml", "Received: x\r\nFrom: ada@contoso.test\r\nTo: bo@contoso.test\r\nSubject: the export\r\n\r\nHello")
        .put("cut.zip", &zip(&[("a.json", record("e").as_bytes(), 0)])[..60])
        .put("page.pdf", "%PDF-1.7 x");
    let summary = case.read(&options()).await;
    assert_eq!(case.rows("id"), ["a"]);
    let mut told: Vec<String> = summary
        .failures
        .iter()
        .map(|(path, why)| {
            let name = path.strip_prefix(&case.folder).unwrap().display();
            format!("{name}: {}", why.split([',', ':']).next().unwrap())
        })
        .collect();
    told.sort();
    assert_eq!(
        told,
        [
            "book.xlsx: it is a document of Office",
            "cut.zip: it is an archive whose list of files is missing or broken",
            "evidence.zip/b.json: it is packed by method 99",
            "evidence.zip/c.zip: it is an archive within another file",
            "mail.eml: it is a mail message (.eml)",
            "page.pdf: it is a PDF",
        ]
    );
    assert_eq!(summary.dead_letters, 0);
    assert_eq!(case.lab.arrived.lines("file", "gap").len(), 6);
}
