//! IP databases of the forms that there are, and broken ones; and rules that look places up in them.

#![expect(clippy::unwrap_used, reason = "test code")]

#[path = "lab/mmdb.rs"]
mod mmdb;

use std::collections::BTreeMap;
use std::path::Path;

use detect::alert::Origin;
use detect::backtest::correlated;
use detect::ip_database::{IpDatabaseError, IpDatabases};
use detect::rules::{collection, ruleset};
use detect::{DetectConfig, Evaluation};
use schemas::tables::Table;
use schemas::wire::Event;
use serde_json::{Value, json};
use sigma::geo::{GeoLocation, GeoLocator as _};

use mmdb::database;

/// The files as databases.
fn open(files: &[&[u8]]) -> Result<IpDatabases, IpDatabaseError> {
    let folder = tempfile::tempdir().unwrap();
    let mut databases = IpDatabases::default();
    for (number, bytes) in files.iter().enumerate() {
        let path = folder.path().join(format!("{number}.mmdb"));
        std::fs::write(&path, bytes).unwrap();
        databases.add(&path)?;
    }
    Ok(databases)
}

fn place(databases: &IpDatabases, address: &str) -> GeoLocation {
    databases.place(address.parse().unwrap())
}

fn known(country: &str, coordinates: Option<(f64, f64)>, system: Option<u32>) -> GeoLocation {
    GeoLocation {
        country: Some(country.to_owned()),
        coordinates,
        autonomous_system: system,
    }
}

#[test]
fn every_form_is_read_and_the_first_that_knows_a_thing_says_it() {
    let cities = database(&[
        (
            [203, 0, 113, 0],
            24,
            json!({"country": {"iso_code": "NL"}, "location": {"latitude": 52.37, "longitude": 4.89}}),
        ),
        // Only the country is known.
        (
            [198, 51, 100, 0],
            24,
            json!({"country": {"iso_code": "NG"}}),
        ),
    ]);
    let systems = database(&[(
        [203, 0, 113, 0],
        25,
        json!({"autonomous_system_number": 64_500, "autonomous_system_organization": "x"}),
    )]);
    let flat = database(&[
        (
            [198, 51, 0, 0],
            16,
            json!({"country": "Belgium", "country_code": "be", "asn": "AS64501", "latitude": "50.85", "longitude": "4.35"}),
        ),
        ([192, 0, 2, 0], 24, json!({"country": "US"})),
    ]);
    let databases = open(&[&cities, &systems, &flat]).unwrap();
    let amsterdam = Some((52.37, 4.89));
    assert_eq!(
        place(&databases, "203.0.113.7"),
        known("NL", amsterdam, Some(64_500))
    );
    assert_eq!(
        place(&databases, "203.0.113.200"),
        known("NL", amsterdam, None)
    );
    assert_eq!(
        place(&databases, "198.51.100.1"),
        known("NG", Some((50.85, 4.35)), Some(64_501))
    );
    assert_eq!(
        place(&databases, "198.51.7.1"),
        known("BE", Some((50.85, 4.35)), Some(64_501))
    );
    assert_eq!(place(&databases, "192.0.2.1"), known("US", None, None));
    // Nowhere, and in a database of IPv4 nothing that is written otherwise.
    for unknown in ["10.0.0.1", "127.0.0.1", "2001:db8::1", "fe80::1", "::"] {
        assert_eq!(
            place(&databases, unknown),
            GeoLocation::default(),
            "{unknown}"
        );
    }
}

#[test]
fn what_is_written_wrongly_is_not_known() {
    for record in [
        json!({"country": {"iso_code": "Netherlands"}, "location": {"latitude": 95.0, "longitude": 4.0}}),
        json!({"country": 7, "location": "somewhere", "asn": "sixty", "autonomous_system_number": 99_999_999_999_u64}),
        json!({"country": [], "latitude": "north"}),
        json!("NL"),
        json!([]),
    ] {
        let databases = open(&[&database(&[([203, 0, 113, 0], 24, record.clone())])]).unwrap();
        assert_eq!(
            place(&databases, "203.0.113.7"),
            GeoLocation::default(),
            "{record}"
        );
    }
}

/// Promises: truncated, of another kind; never a panic, whatever byte is wrong.
#[test]
fn broken_files_are_refused_or_silent() {
    let whole = database(&[(
        [203, 0, 113, 0],
        24,
        json!({"country": {"iso_code": "NL"}, "asn": 64_500}),
    )]);
    for broken in [
        &[][..],
        b"PK\x03\x04",
        &whole[..whole.len() / 2],
        &[0; 4_096],
    ] {
        let error = open(&[broken]).unwrap_err();
        assert!(matches!(error, IpDatabaseError::Format { .. }), "{error}");
        assert!(error.to_string().contains("0.mmdb"), "{error}");
    }
    let nowhere = Path::new("/nowhere.mmdb");
    let error = IpDatabases::default().add(nowhere).unwrap_err();
    assert!(matches!(error, IpDatabaseError::Read { .. }), "{error}");
    let mut seen = BTreeMap::new();
    for at in 0..whole.len() {
        for flipped in [0x01, 0x40, 0xff] {
            let mut bytes = whole.clone();
            bytes[at] ^= flipped;
            let outcome = match open(&[&bytes]) {
                Ok(databases) if place(&databases, "203.0.113.7") == GeoLocation::default() => {
                    "silent"
                }
                Ok(_) => "read",
                Err(_) => "refused",
            };
            *seen.entry(outcome).or_insert(0) += 1;
        }
    }
    assert!(seen.values().all(|count| *count > 10), "{seen:?}");
}

/// The audit log of somebody who signs in at one address and sends mail from another an hour later, as rows.
fn travelled(from: &str, to: &str) -> arrow::record_batch::RecordBatch {
    let record = |operation: &str, address: &str| json!({"Operation": operation, "UserId": "ada@contoso.test", "ClientIP": address});
    let event = |id: &str, time_us: i64, record: &Value| Event {
        event_id: id.to_owned(),
        event_time_us: Some(time_us),
        ingest_time_us: time_us,
        raw: record.to_string().into(),
        ..Event::default()
    };
    let start_us = 1_789_372_800_000_000;
    let events = [
        event("in", start_us, &record("UserLoggedIn", from)),
        event("mail", start_us + 3_600_000_000, &record("Send", to)),
    ];
    columns::event_batch(Table::M365Activity, &events).unwrap()
}

/// Signals, and labels of the alerts that are made of them.
fn found(config: &DetectConfig, from: &str, to: &str) -> (usize, Vec<String>) {
    let rules = ruleset(config).unwrap();
    let origin = Origin {
        table: "m365_activity".to_owned(),
        tenant_id: "t".to_owned(),
        file: "f".to_owned(),
        version: 1,
    };
    let evaluation = Evaluation {
        rules: &rules,
        table: Table::M365Activity,
        origin: &origin,
        now_us: 1_789_459_200_000_000,
    };
    let findings = evaluation.batch(&travelled(from, to)).unwrap();
    let count = findings.signals.len();
    let alerts = correlated(&rules, findings.signals, evaluation.now_us);
    (count, alerts.into_iter().map(|alert| alert.label).collect())
}

#[test]
fn travel_is_told_where_the_database_knows_both_places_and_nowhere_else() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("city.mmdb");
    let city = |country: &str, latitude: f64, longitude: f64, system: u32| json!({"country": {"iso_code": country}, "asn": system, "location": {"latitude": latitude, "longitude": longitude}});
    let cities = database(&[
        ([203, 0, 113, 0], 24, city("NL", 52.37, 4.89, 64_500)),
        ([198, 51, 100, 0], 25, city("NG", 6.52, 3.38, 64_501)),
        ([198, 51, 100, 128], 25, city("NG", 6.52, 3.38, 8_075)),
    ]);
    std::fs::write(&path, cities).unwrap();
    let config = DetectConfig {
        ip_databases: vec![path.clone()],
        strict: true,
        ..DetectConfig::default()
    };
    let label = "SAAS-M365-00105".to_owned();
    assert_eq!(
        found(&config, "203.0.113.7", "198.51.100.9"),
        (2, vec![label])
    );
    // As Exchange writes addresses; a network of Microsoft's; an address that nobody knows; the same place.
    assert_eq!(
        found(&config, "203.0.113.7:443", "[::ffff:198.51.100.9]:1")
            .1
            .len(),
        1
    );
    for silent in [
        "198.51.100.200",
        "192.0.2.1",
        "2001:db8::1",
        "10.0.0.1",
        "xxx.xxx",
        "",
    ] {
        assert_eq!(
            found(&config, "203.0.113.7", silent),
            (1, vec![]),
            "{silent}"
        );
    }
    assert_eq!(found(&config, "203.0.113.7", "203.0.113.9"), (2, vec![]));
    // Without a database nothing is counted, so nothing is kept of it.
    let without = DetectConfig::default();
    assert_eq!(found(&without, "203.0.113.7", "198.51.100.9"), (0, vec![]));
    // One that cannot be read is refused by name, and the rules go on without it.
    std::fs::write(&path, b"no database").unwrap();
    let rejected = collection(&config).rejected;
    assert!(
        rejected[0].to_string().contains("city.mmdb"),
        "{rejected:?}"
    );
    assert!(ruleset(&config).is_err(), "strict");
    let lenient = DetectConfig {
        strict: false,
        ..config
    };
    assert_eq!(found(&lenient, "203.0.113.7", "198.51.100.9"), (0, vec![]));
}
