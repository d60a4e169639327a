//! The page as a reader of HTML sees it.

use std::collections::{BTreeMap, BTreeSet};

use schemas::time::parse_us;
use schemas::wire::{Alert, Evidence};
use scraper::{ElementRef, Html, Selector};

use crate::bounds::{ALERTS_IN_FULL, EVENTS_SHOWN};
use crate::{
    Added, DayLine, EntityKind, EventLine, FileLine, Made, Report, Sighting, TableLine, Tenant,
    to_html, to_json,
};

const HOSTILE: &[&str] = &[
    "<script>alert(1)</script>",
    "</style><img src=x onerror=alert(1)>",
    "\"><svg onload=alert(1)>",
    "' autofocus onfocus=alert(1) x='",
    "{{7*7}}{% for x in y %}${7*7}",
    "--><!-- ]]> <![CDATA[",
    "\u{1b}[31mred\u{7}\u{0}",
    "gpj.\u{202E}exe.\u{2066}x",
    "javascript:alert(1)",
    "https://evil.example/\" onclick=\"alert(1)",
    "`id` $(id) '; DROP TABLE alerts; --",
    "&lt;b&gt; &amp;amp; &#0;",
];

fn parse(page: &str) -> Html {
    let html = Html::parse_document(page);
    assert_eq!(html.errors, Vec::<std::borrow::Cow<'static, str>>::new());
    html
}

fn all<'a>(html: &'a Html, selector: &str) -> Vec<ElementRef<'a>> {
    html.select(&Selector::parse(selector).unwrap()).collect()
}

fn words(element: ElementRef<'_>) -> String {
    element
        .text()
        .collect::<String>()
        .split_whitespace()
        .collect::<Vec<_>>()
        .join(" ")
}

fn filled_file(text: &str) -> FileLine {
    let own = || text.to_owned();
    FileLine {
        path: own(),
        records: 12,
        dead_letters: BTreeMap::from([(own(), 3), ("truncated".to_owned(), 4)]),
        failure: Some(own()),
        told: vec![own()],
        is_incomplete: true,
    }
}

/// A report with `text` in every place that a tenant, a file or a provider can write to.
fn filled(text: &str) -> Report {
    let own = || text.to_owned();
    Report {
        tenants: vec![Tenant {
            id: own(),
            name: own(),
        }],
        files: vec![filled_file(text)],
        added: Added {
            rows: 9,
            revisions: 1,
            duplicates: 2,
        },
        tables: vec![TableLine {
            table: own(),
            rows: 9,
            first_us: parse_us("2026-01-02T03:04:05Z"),
            last_us: parse_us("2026-01-05T03:04:05Z"),
        }],
        days: vec![
            DayLine {
                table: own(),
                day: "2026-01-02".to_owned(),
                rows: 9,
            },
            DayLine {
                table: own(),
                day: own(),
                rows: 9,
            },
        ],
        remarks: vec![own()],
        alerts: vec![alert(text)],
        events: vec![EventLine {
            table: own(),
            event_id: own(),
            time_us: Some(i64::MAX),
            operation: own(),
            user: own(),
            ip: own(),
            details: vec![
                (own(), own()),
                ("session_id".to_owned(), own()),
                ("app_id".to_owned(), own()),
            ],
            file: own(),
            row: u64::MAX,
        }],
        sightings: vec![Sighting {
            kind: EntityKind::User,
            value: own(),
            records: u64::MAX,
            first_us: Some(i64::MIN),
            last_us: Some(i64::MAX),
        }],
        tactics: vec![own(), "credential-access".to_owned()],
        references: BTreeMap::from([(own(), vec![own(), "https://docs.example/rule".to_owned()])]),
        made: Made {
            version: own(),
            time_us: 1,
            rules: 64,
            command: own(),
        },
    }
}

fn alert(text: &str) -> Alert {
    let own = || text.to_owned();
    Alert {
        alert_id: own(),
        tenant_id: own(),
        label: own(),
        rule_id: own(),
        title: own(),
        description: format!("{text}\n\nCheck first:\n- {text}"),
        severity: own(),
        category: own(),
        techniques: vec![own()],
        tactics: vec![own()],
        user: own(),
        user_id: format!("{text}1"),
        ip: own(),
        session_id: own(),
        group_key: own(),
        first_event_time_us: 1_767_323_045_000_000,
        evidence: vec![Evidence {
            table: own(),
            event_id: own(),
            file: own(),
            row: 1,
            version: 1,
        }],
        state: own(),
        url: own(),
        ..Alert::default()
    }
}

/// Elements and attributes of a page, without the values that differ by content.
fn shape(html: &Html) -> Vec<String> {
    let mut shape = Vec::new();
    for element in all(html, "*") {
        let names: BTreeSet<&str> = element.value().attrs().map(|(name, _)| name).collect();
        shape.push(format!("{} {names:?}", element.value().name()));
    }
    shape
}

/// Nothing on the page runs, loads or leaves, but the links that are allowed.
fn assert_inert(html: &Html) {
    for forbidden in [
        "script",
        "img",
        "iframe",
        "object",
        "embed",
        "link",
        "form",
        "base",
        "video",
        "audio",
        "use",
        "image",
        "foreignObject",
    ] {
        assert!(all(html, forbidden).is_empty(), "{forbidden}");
    }
    for element in all(html, "*") {
        for (name, value) in element.value().attrs() {
            assert!(!name.starts_with("on"), "{name}={value}");
            assert!(
                !matches!(
                    name,
                    "src" | "srcset" | "style" | "data" | "action" | "background" | "poster"
                ),
                "{name}={value}"
            );
            if name.ends_with("href") {
                let is_reference = value.starts_with("https://")
                    && element.value().attr("rel") == Some("noreferrer noopener");
                assert!(value.starts_with('#') || is_reference, "{value}");
            }
        }
    }
    let style: String = all(html, "style")
        .into_iter()
        .flat_map(|style| style.text())
        .collect();
    assert!(!style.contains("url(") && !style.contains("@import") && !style.contains("http"));
}

/// Every id is there once, and every link into the page leads to one.
fn assert_anchored(html: &Html) {
    let ids: Vec<&str> = all(html, "[id]")
        .into_iter()
        .filter_map(|one| one.value().attr("id"))
        .collect();
    let distinct: BTreeSet<&str> = ids.iter().copied().collect();
    assert_eq!(ids.len(), distinct.len());
    for name in ["href", "aria-labelledby", "aria-describedby"] {
        for element in all(html, &format!("[{name}]")) {
            let target = element.value().attr(name).unwrap();
            if name != "href" || target.starts_with('#') {
                assert!(
                    distinct.contains(target.trim_start_matches('#')),
                    "{target}"
                );
            }
        }
    }
}

#[test]
fn hostile_text_changes_no_element_and_no_attribute() {
    let plain = shape(&parse(&to_html(&filled("plain")).unwrap()));
    for text in HOSTILE {
        let page = to_html(&filled(text)).unwrap();
        let html = parse(&page);
        assert_inert(&html);
        assert_anchored(&html);
        assert_eq!(shape(&html), plain, "{text}");
        assert_eq!(
            page.contains("{{7*7}}"),
            text.contains("{{7*7}}"),
            "a template ran it"
        );
        assert!(
            page.chars()
                .all(|one| one == '\n' || one == '\t' || !one.is_control()),
            "{text}"
        );
        assert!(!page.contains(['\u{202E}', '\u{2066}']), "{text}");
    }
}

#[test]
fn hostile_text_is_still_readable() {
    let html = parse(&to_html(&filled("<b>{{x}}\u{202E}")).unwrap());
    assert_eq!(words(all(&html, "h1")[0]), "<b>{{x}}[U+202E]");
}

#[test]
fn text_without_end_is_cut_with_a_note() {
    let page = to_html(&filled(&"é".repeat(500_000))).unwrap();
    assert!(page.len() < 400_000, "{} bytes", page.len());
    assert!(page.contains("[cut: 300 of 500,000 characters shown]"));
    parse(&page);
}

#[test]
fn an_empty_report_reads_well() {
    let page = to_html(&Report::default()).unwrap();
    let html = parse(&page);
    assert_inert(&html);
    assert_anchored(&html);
    let text = words(all(&html, "main")[0]);
    for sentence in [
        "No record could be read, so nothing can be said about the tenant.",
        "No file is listed.",
        "There are no alerts to show.",
        "No alert names a technique.",
    ] {
        assert!(text.contains(sentence), "{sentence}: {text}");
    }
}

#[test]
fn without_alerts_it_says_what_that_does_not_prove() {
    let mut report = filled("plain");
    report.alerts.clear();
    let html = parse(&to_html(&report).unwrap());
    let lede = words(all(&html, ".lede")[0]);
    assert!(
        lede.starts_with("No rule found anything in 9 records. That is not proof"),
        "{lede}"
    );
}

#[test]
fn the_page_has_landmarks_and_its_headings_do_not_skip_a_level() {
    let html = parse(&to_html(&filled("plain")).unwrap());
    for landmark in [
        "html[lang=en]",
        "header.top",
        "nav[aria-label]",
        "main",
        "footer",
        "main > section[aria-labelledby]",
    ] {
        assert!(!all(&html, landmark).is_empty(), "{landmark}");
    }
    assert_eq!(all(&html, "h1").len(), 1);
    let mut before = 0;
    for heading in all(&html, "h1, h2, h3, h4, h5") {
        let level: u32 = heading.value().name()[1..].parse().unwrap();
        assert!(level <= before + 1, "{}", words(heading));
        before = level;
    }
    assert_eq!(all(&html, "th:not([scope])").len(), 0);
}

#[test]
fn counts_agree_and_what_is_not_shown_is_counted() {
    let many = 3 * ALERTS_IN_FULL;
    let one = |place: usize| Alert {
        alert_id: format!("{place:08x}"),
        user: format!("user{}@harbour.example", place % 40),
        title: format!("Rule {}", place % 7),
        rule_id: format!("{}", place % 7),
        severity: ["low", "high", "medium"][place % 3].to_owned(),
        first_event_time_us: 1_767_323_045_000_000 + i64::try_from(place).unwrap() * 60_000_000,
        evidence: vec![
            Evidence {
                event_id: "e".to_owned(),
                ..Evidence::default()
            };
            EVENTS_SHOWN + 1_234
        ],
        ..Alert::default()
    };
    let report = Report {
        alerts: (0..many).map(one).collect(),
        ..Report::default()
    };
    let page = to_html(&report).unwrap();
    let html = parse(&page);
    assert_anchored(&html);
    let sum = |selector: &str| -> usize {
        let numbers = all(&html, selector).into_iter().map(words);
        numbers
            .map(|word| word.replace(',', "").parse::<usize>().unwrap())
            .sum()
    };
    assert_eq!(sum(".severities b"), many);
    assert_eq!(all(&html, "details.alert").len(), ALERTS_IN_FULL);
    assert_eq!(sum("#rest tbody td:nth-of-type(2)"), many - ALERTS_IN_FULL);
    let events = all(&html, "details.alert .events > li").len();
    assert_eq!(events, ALERTS_IN_FULL * EVENTS_SHOWN);
    assert!(
        words(all(&html, "details.alert")[0]).contains("1,234 more events are behind this alert")
    );
    assert!(words(all(&html, "#rest > p")[0]).starts_with("500 alerts are shown in full"));
    let accounts = all(&html, "#entities-accounts + .scroll tbody tr").len();
    assert_eq!(accounts, 40);
}

#[test]
fn the_files_add_up_and_a_failure_is_told() {
    let mut report = filled("plain");
    report.files.push(FileLine {
        path: "b.json".to_owned(),
        records: 1_000,
        ..FileLine::default()
    });
    let html = parse(&to_html(&report).unwrap());
    let total = words(all(&html, "#coverage tfoot tr")[0]);
    assert_eq!(total, "All files1,0127");
    let text = words(all(&html, "#coverage")[0]);
    assert!(text.contains("Not read to its end: plain"));
    assert!(text.contains(
        "9 new rows, 1 new version of a known record, 2 records that were known already"
    ));
    assert!(text.contains("Ends in its middle"));
    assert!(text.contains("3 days of 4"));
}

#[test]
fn json_has_every_alert_and_nothing_that_acts() {
    for text in HOSTILE {
        let json = to_json(&filled(text));
        assert!(
            json.chars()
                .all(|one| one == '\n' || crate::text::is_visible(one)),
            "{text:?}"
        );
        let read: serde_json::Value = serde_json::from_str(&json).unwrap();
        assert_eq!(read["alerts"][0]["title"], **text);
        assert_eq!(read["files"][0]["path"], **text);
        assert_eq!(read["tables"][0]["first_time"], "2026-01-02T03:04:05.000Z");
        assert_eq!(read["events"][0]["operation"], **text);
    }
    let mut report = filled("plain");
    report.alerts = (0..2 * ALERTS_IN_FULL)
        .map(|number| Alert {
            alert_id: number.to_string(),
            ..Alert::default()
        })
        .collect();
    let read: serde_json::Value = serde_json::from_str(&to_json(&report)).unwrap();
    let alerts = read["alerts"].as_array().unwrap();
    assert_eq!(alerts.len(), 2 * ALERTS_IN_FULL, "nothing is cut");
    assert_eq!(alerts[0]["first_event_time"], serde_json::Value::Null);
}
