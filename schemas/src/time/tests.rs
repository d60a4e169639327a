//! Cases of times: what people have, and what is none.

use super::{DateOrder, Unread, day, iso_ms, needs_order, order_of, parse_us, read_us, value_us};
use serde_json::json;

#[test]
fn reads_every_form_seen_in_diagnostic_records() {
    for (text, expected) in [
        ("01/09/2007 09:41:00", "2007-01-09T09:41:00.000Z"),
        ("1/9/2007 9:41:00 AM", "2007-01-09T09:41:00.000Z"),
        ("1/9/2007 12:05:00 AM", "2007-01-09T00:05:00.000Z"),
        ("8/22/2022 6:07:16 PM", "2022-08-22T18:07:16.000Z"),
        ("1/9/2007 10:41:00 AM +01:00", "2007-01-09T09:41:00.000Z"),
        ("2007-01-09T09:41:00", "2007-01-09T09:41:00.000Z"),
        ("2007-01-09T09:41:00.22Z", "2007-01-09T09:41:00.220Z"),
        ("2007-01-09T09:41:00.6816663Z", "2007-01-09T09:41:00.681Z"),
        ("2007-01-09T09:41:00.535404056Z", "2007-01-09T09:41:00.535Z"),
        (
            "2007-01-09T09:41:00.992099+00:00",
            "2007-01-09T09:41:00.992Z",
        ),
        ("2007-01-09T11:41:00+02:00", "2007-01-09T09:41:00.000Z"),
        ("2007-01-09 09:41:00", "2007-01-09T09:41:00.000Z"),
    ] {
        assert_eq!(
            parse_us(text).map(iso_ms).as_deref(),
            Some(expected),
            "{text}"
        );
    }
}

#[test]
fn what_means_no_time_is_none() {
    for text in [
        "",
        "yesterday",
        "0001-01-01T00:00:00Z",
        "2007-13-09T09:41:00Z",
        "13/40/2007 9:41:00",
        "1/9/2007 13:41:00 PM",
        "1/9/2007 9:41:00 AM +99:00",
        "2007-01-09T24:30:00Z",
        "50126",
        "7",
        "203.0.113.57",
        "14/09/2026 8:02:11 CEST",
        "version 14.09.2026",
    ] {
        assert_eq!(parse_us(text), None, "{text}");
    }
}

#[test]
fn days_are_utc() {
    assert_eq!(
        day(parse_us("2026-09-14T23:59:59.9Z").unwrap_or(0)),
        "2026-09-14"
    );
    assert_eq!(day(-1), "1969-12-31");
}

fn check(text: &str, order: DateOrder, expected: &str) {
    let found = match read_us(text, order) {
        Ok(time_us) => iso_ms(time_us),
        Err(why) => format!("{why:?}"),
    };
    assert_eq!(found, expected, "{text}");
}

#[test]
fn reads_every_form_that_tools_write_without_being_told_an_order() {
    for text in [
        "\\/Date(1789372931250)\\/",
        "/Date(1789372931250)/",
        "/Date(1789372931250+0200)/",
        "1789372931.25",
        "1789372931250",
        "1789372931250000",
        "2026-09-14T08:02:11.25Z",
        "2026-09-14T10:02:11.2500000+02:00",
        "2026-09-14T10:02:11.25+0200",
        "2026-09-14 08:02:11.25 UTC",
        "2026-09-14 08:02:11.250 +00:00",
        "2026/09/14 08:02:11.25",
        "14.09.2026 08:02:11.25",
        "14.9.2026, 08:02:11.250",
        "14/09/2026 08:02:11.25",
        "9/14/2026 8:02:11.25 AM",
        "9/14/2026, 8:02:11.250\u{202f}AM",
        "9/14/26 8:02:11.25",
        "14/9/2026 8:02:11.25 a. m.",
        "14/09/2026 8:02:11.250 a.m.",
        "2026/9/14 上午 8:02:11.25",
        "2026. 9. 14. 오전 8:02:11.25",
        "14-09-2026 08:02:11.25",
        "46279.334852430555",
    ] {
        check(text, DateOrder::Unknown, "2026-09-14T08:02:11.250Z");
    }
    for text in [
        "Mon, 14 Sep 2026 20:02:11 GMT",
        "Monday, September 14, 2026 8:02:11 PM",
        "Monday, 14 September 2026 20:02:11",
        "14-Sep-2026 20:02:11",
        "Sep 14, 2026, 8:02:11 PM",
        "14.09.2026 20.02.11",
        "14/09/2026 8:02:11 μ.μ.",
        "14/09/2026 20:02:11 (UTC)",
        "2026/9/14 下午 8:02:11",
        "9/14/2026 10:02:11 PM +02:00",
    ] {
        check(text, DateOrder::Unknown, "2026-09-14T20:02:11.000Z");
    }
    check("2026-09-14", DateOrder::Unknown, "2026-09-14T00:00:00.000Z");
    check("1789372931", DateOrder::Unknown, "2026-09-14T08:02:11.000Z");
}

#[test]
fn an_order_that_nothing_tells_is_not_guessed() {
    for text in [
        "05/01/2026, 22:15:00",
        "5/1/2026 10:15:00 PM",
        "05-01-2026 22:15:00",
    ] {
        check(text, DateOrder::Unknown, "Ambiguous");
        check(text, DateOrder::DayFirst, "2026-01-05T22:15:00.000Z");
        check(text, DateOrder::MonthFirst, "2026-05-01T22:15:00.000Z");
        assert!(needs_order(text) && order_of(text).is_none());
    }
    // A number above 12, a dot, or two equal numbers need nobody to say it.
    assert_eq!(order_of("15/01/2026, 06:00:00"), Some(DateOrder::DayFirst));
    assert_eq!(
        order_of("1/15/2026 6:00:00 AM"),
        Some(DateOrder::MonthFirst)
    );
    for text in ["05.01.2026, 22:15:00", "5.1.2026 22:15:00"] {
        check(text, DateOrder::Unknown, "2026-01-05T22:15:00.000Z");
    }
    check(
        "05/05/2026 22:15:00",
        DateOrder::Unknown,
        "2026-05-05T22:15:00.000Z",
    );
    // What says otherwise in its own column is not turned round to fit.
    check(
        "15/01/2026 06:00:00",
        DateOrder::MonthFirst,
        "2026-01-15T06:00:00.000Z",
    );
}

#[test]
fn a_value_may_be_a_number_or_an_object_of_powershell() {
    let expected = Ok(1_789_372_931_250_000);
    for value in [
        json!(1_789_372_931_250_i64),
        json!({"value": "/Date(1789372931250)/", "DisplayHint": 2, "DateTime": "Monday, 14 September 2026 08:02:11"}),
        json!({"DateTime": "2026-09-14T08:02:11.25Z"}),
    ] {
        assert_eq!(value_us(&value, DateOrder::Unknown), expected, "{value}");
    }
    for value in [
        json!(null),
        json!(true),
        json!(7),
        json!({"a": 1}),
        json!([]),
    ] {
        assert_eq!(
            value_us(&value, DateOrder::Unknown),
            Err(Unread::NoTime),
            "{value}"
        );
    }
}
