//! `vedette import --report` as a person calls it: a page that is complete in itself, also where all was known already.
#![expect(clippy::unwrap_used, reason = "a test: it fails loudly")]

use std::path::Path;
use std::process::{Command, Output};

use scraper::{ElementRef, Html, Selector};

/// A mailbox that forwards, in a folder with a record that is cut off and a user whose name is an attack on the page.
const RECORDS: &[(&str, &str)] = &[
    (
        "a.ndjson",
        r#"{"Id":"r1","CreationTime":"2026-03-01T10:00:00","Operation":"New-InboxRule","Workload":"Exchange","RecordType":1,"OrganizationId":"7f3c","UserId":"ada@contoso.example","ClientIP":"192.0.2.7","Parameters":[{"Name":"ForwardTo","Value":"smtp:x@mail.example"}]}
{"Id":"r2","CreationTime":"2026-03-03T10:00:00","Operation":"FileAccessed","Workload":"OneDrive","RecordType":6,"OrganizationId":"7f3c","UserId":"ada@contoso.example","ClientIP":"192.0.2.7"}
{"Id":"cut","CreationTi
"#,
    ),
    (
        "b.ndjson",
        r#"{"Id":"r3","CreationTime":"2026-03-02T10:00:00","Operation":"New-InboxRule","Workload":"Exchange","RecordType":1,"OrganizationId":"7f3c","UserId":"<img src=x onerror=alert(1)>'; --@contoso.example","ClientIP":"192.0.2.9","Parameters":[{"Name":"ForwardTo","Value":"smtp:<script>alert(1)</script>@mail.example"}]}
"#,
    ),
];

fn import(folder: &Path, arguments: &[&str]) -> Output {
    Command::new(env!("CARGO_BIN_EXE_vedette"))
        .current_dir(folder)
        .arg("import")
        .args(arguments)
        .output()
        .unwrap()
}

fn all<'a>(page: &'a Html, selector: &str) -> Vec<ElementRef<'a>> {
    page.select(&Selector::parse(selector).unwrap()).collect()
}

fn words(element: ElementRef<'_>) -> String {
    let text: String = element.text().collect();
    text.split_whitespace().collect::<Vec<_>>().join(" ")
}

fn assert_reports(folder: &Path, name: &str) -> Html {
    let page = std::fs::read_to_string(folder.join(name)).unwrap();
    let page = Html::parse_document(&page);
    let main = words(all(&page, "main")[0]);
    for told in [
        "SAAS-M365-00002",
        "ada@contoso.example",
        "2 alerts about 2 accounts",
        "New-InboxRule smtp:x@mail.example",
        "Ends in its middle",
        "vedette import exports --report",
    ] {
        assert!(main.contains(told), "{told}: {main}");
    }
    assert_eq!(words(all(&page, "h1")[0]), "contoso.example");
    let files: Vec<String> = all(&page, "#files-title + .scroll tbody tr")
        .into_iter()
        .map(|row| all_words(row))
        .collect();
    let audit = "as a record of the unified audit log to m365_activity";
    assert_eq!(
        files,
        [
            format!("exports/a.ndjson 2 {audit} 2 dead letters: truncated 1 2 1"),
            format!("exports/b.ndjson 1 {audit} 1 1 0"),
        ]
    );
    page
}

/// The cells of a row.
fn all_words(row: ElementRef<'_>) -> String {
    let cells = Selector::parse("th, td").unwrap();
    row.select(&cells).map(words).collect::<Vec<_>>().join(" ")
}

/// Nothing on the page runs or loads, whatever the records contain.
fn assert_inert(page: &Html) {
    for name in ["script", "img", "link", "iframe", "object", "form", "base"] {
        assert!(all(page, name).is_empty(), "{name}");
    }
    for element in all(page, "*") {
        for (name, value) in element.value().attrs() {
            assert!(!name.starts_with("on") && name != "src", "{name}={value}");
        }
    }
    let hostile = all(page, "h3")
        .into_iter()
        .filter(|title| words(*title).contains("<img src=x onerror=alert(1)>"));
    assert_eq!(hostile.count(), 1, "the name is text, and can be read");
}

#[test]
fn an_import_writes_a_page_of_what_it_found_and_again_where_all_was_known() {
    let folder = tempfile::tempdir().unwrap();
    let exports = folder.path().join("exports");
    std::fs::create_dir(&exports).unwrap();
    for (name, records) in RECORDS {
        std::fs::write(exports.join(name), records).unwrap();
    }
    let output = import(folder.path(), &["exports", "--report", "report.html"]);
    assert_eq!(output.status.code(), Some(1), "a dead letter: {output:?}");
    let page = assert_reports(folder.path(), "report.html");
    assert_inert(&page);
    let coverage = words(all(&page, "#coverage")[0]);
    assert!(coverage.contains("3 new rows"), "{coverage}");

    let output = import(folder.path(), &["exports", "--report", "again.html"]);
    assert_eq!(output.status.code(), Some(1), "{output:?}");
    let page = assert_reports(folder.path(), "again.html");
    let coverage = words(all(&page, "#coverage")[0]);
    assert!(
        coverage.contains("0 new rows") && coverage.contains("3 records that were known already"),
        "{coverage}"
    );
}

#[test]
fn a_place_that_cannot_be_written_to_is_told_before_the_import() {
    let folder = tempfile::tempdir().unwrap();
    std::fs::write(folder.path().join("a.ndjson"), RECORDS[0].1).unwrap();
    for (place, told) in [
        (
            "nowhere/report.html",
            "its folder must be there and writable",
        ),
        (".", "name a file in it"),
    ] {
        let output = import(folder.path(), &["a.ndjson", "--report", place]);
        let error = String::from_utf8(output.stderr).unwrap();
        assert_eq!(output.status.code(), Some(4), "{error}");
        assert!(error.contains(told), "{error}");
    }
    assert!(!folder.path().join("data").exists(), "nothing was imported");
}
