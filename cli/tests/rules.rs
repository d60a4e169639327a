//! `vedette rules` as a person calls it: what it prints, and its exit codes.
#![expect(
    clippy::unwrap_used,
    clippy::expect_used,
    reason = "a test: it fails loudly"
)]

#[path = "rules/bench.rs"]
mod bench;

use std::path::Path;
use std::process::Command;

use serde_json::Value;

use bench::{Bench, EVENTS, FORWARDS, lines};

fn our_rule(file: &str) -> String {
    let path = Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("../detect/rules")
        .join(file);
    std::fs::read_to_string(path).unwrap()
}

#[test]
fn our_own_rules_have_no_findings_and_pass_their_cases() {
    let bench = Bench::new();
    let text = bench.rules(0, &["lint"]);
    assert!(text.contains("0 errors, 0 warnings"), "{text}");
    let text = bench.rules(0, &["test"]);
    assert!(text.contains(" 0 failed; 0 files refused"), "{text}");
    let text = bench.rules(0, &["coverage"]);
    assert!(text.contains("T1114.003"), "{text}");
}

#[test]
fn a_fault_is_told_with_its_line_and_its_remedy() {
    let bench = Bench::new();
    let rule = our_rule("m365_inbox_rule_forwards.yml");
    bench.write(
        "m365_inbox_rule_forwards.yml",
        &rule.replace("level: high", "level: urgent"),
    );
    bench.write("m365_second_rule.yml", "a: [");
    let line = 1 + rule
        .lines()
        .position(|line| line.starts_with("level:"))
        .unwrap();
    let text = bench.rules(1, &["lint", "."]);
    assert!(
        text.contains(&format!("m365_inbox_rule_forwards.yml:{line}")),
        "{text}"
    );
    assert!(
        text.contains("informational, low, medium, high, critical"),
        "{text}"
    );
    let findings = lines(&bench.rules(1, &["lint", ".", "--output", "json"]));
    assert!(
        findings
            .iter()
            .any(|finding| finding["check"] == "key-form" && finding["line"] == line)
    );
    let xml = bench.rules(1, &["lint", ".", "--output", "junit"]);
    assert!(xml.contains("tests=\"2\" failures=\"2\""), "{xml}");
    std::fs::create_dir(bench.folder.path().join("empty")).unwrap();
    let nothing = bench.call(&["rules", "lint", "empty"], None);
    let told = String::from_utf8_lossy(&nothing.stderr);
    assert_eq!(nothing.status.code(), Some(1), "nothing was checked");
    assert!(
        told.contains("there is no rule file") && told.contains("empty"),
        "{told}"
    );
    let text = bench.rules(2, &["lint", "nowhere"]);
    assert!(
        text.contains("name a rule file, or a folder of them"),
        "{text}"
    );
}

/// In a folder of rules may stand anything: what blocks or never ends is refused by name, and the others are read.
#[test]
fn a_pipe_and_a_device_are_no_rules_and_keep_no_other_from_being_read() {
    let bench = Bench::new();
    bench.write("m365_mine.yml", &our_rule("m365_inbox_rule_forwards.yml"));
    let at = |name: &str| bench.folder.path().join(name);
    let made = Command::new("mkfifo").arg(at("pipe.yml")).status();
    assert!(made.unwrap().success());
    std::os::unix::fs::symlink("/dev/zero", at("endless.yml")).unwrap();
    let findings = lines(&bench.rules(1, &["lint", ".", "--output", "json"]));
    for (name, what) in [("pipe.yml", "a named pipe"), ("endless.yml", "a device")] {
        let is_told = findings.iter().any(|finding| {
            let has = |key: &str, text: &str| finding[key].as_str().unwrap().contains(text);
            has("file", name) && has("what", what)
        });
        assert!(is_told, "{name}: {findings:?}");
    }
    let text = bench.rules(1, &["lint", "."]);
    assert!(text.contains("3 files"), "{text}");
    // The same of a configuration and a secret.
    let text = String::from_utf8_lossy(
        &bench
            .call(&["config", "check", "--config", "pipe.yml"], None)
            .stderr,
    )
    .into_owned();
    assert!(text.contains("a named pipe"), "{text}");
}

#[test]
fn a_case_that_fails_is_explained() {
    let bench = Bench::new();
    let rule = our_rule("m365_inbox_rule_forwards.yml");
    let broken = rule.replacen("alerts: 0", "alerts: 1", 1);
    bench.write("rule.yml", &broken);
    let text = bench.rules(1, &["test", "rule.yml"]);
    assert!(
        text.contains("case \"turns forwarding off\" expects 1 alerts, found 0"),
        "{text}"
    );
    assert!(text.contains("✓ Operation: \"Set-InboxRule\" ✓"), "{text}");
    let results = lines(&bench.rules(1, &["test", "rule.yml", "--output", "json"]));
    let failed = results.iter().filter(|result| result["passed"] == false);
    assert_eq!((results.len(), failed.count()), (10, 1));
    let xml = bench.rules(1, &["test", "rule.yml", "--output", "junit"]);
    assert!(xml.contains("tests=\"10\" failures=\"1\""), "{xml}");
}

#[test]
fn coverage_writes_a_layer_for_navigator() {
    let bench = Bench::new();
    bench.write("bad.yml", "title: x\n");
    bench.write(
        "m365_inbox_rule_forwards.yml",
        &our_rule("m365_inbox_rule_forwards.yml"),
    );
    let text = bench.rules(1, &["coverage", ".", "--navigator", "layer.json"]);
    assert!(text.contains("1 of 2 rules can fire"), "{text}");
    let layer = std::fs::read_to_string(bench.folder.path().join("layer.json")).unwrap();
    let layer: Value = serde_json::from_str(&layer).unwrap();
    assert_eq!(layer["versions"]["layer"], "4.5");
    assert_eq!(layer["domain"], "enterprise-attack");
    assert_eq!(layer["techniques"][0]["techniqueID"], "T1114.003");
    assert_eq!(layer["techniques"][0]["score"], 1);
}

/// What `explain` says is what `backtest` finds, for the same events.
#[test]
fn explain_and_backtest_agree_on_what_the_lake_holds() {
    let bench = Bench::new();
    bench.write("events.ndjson", EVENTS);
    let imported = bench.call(&["import", "events.ndjson"], None);
    assert_eq!(imported.status.code(), Some(0), "{imported:?}");

    let all = lines(&bench.rules(0, &["backtest", "--output", "json"]));
    let of = |lines: &[Value], label: &str| {
        lines
            .iter()
            .find(|line| line["label"] == label)
            .unwrap()
            .clone()
    };
    let forwards = of(&all, FORWARDS);
    assert_eq!(forwards["hits"], 3);
    assert_eq!(forwards["by_day"]["2026-01-01"], 1);
    assert_eq!(forwards["users"][0]["name"], "ada@contoso.example");
    assert_eq!(forwards["users"][0]["hits"], 2);
    assert_eq!(forwards["addresses"][0]["name"], "192.0.2.7");
    assert!(forwards["cost_ms"].as_f64().unwrap() > 0.0, "{forwards}");

    let recent = lines(&bench.rules(
        0,
        &[
            "backtest", "--days", "3", "--rule", FORWARDS, "--output", "json",
        ],
    ));
    assert_eq!(recent.len(), 1);
    assert_eq!(
        (&recent[0]["hits"], &recent[0]["first_day"]),
        (&2.into(), &"2026-02-27".into())
    );
    let text = bench.rules(0, &["backtest", "--days", "1", "--rule", FORWARDS]);
    assert!(
        text.contains("2026-03-01 to 2026-03-01: 1 days back from the newest day"),
        "{text}"
    );
    let text = bench.rules(2, &["backtest", "--rule", "SAAS-M365-99999"]);
    assert!(text.contains("`vedette rules list`"), "{text}");
    let alerts = lines(&bench.rules(0, &["backtest", "--alerts", "--output", "json"]));
    assert_eq!(
        alerts
            .iter()
            .filter(|alert| alert["label"] == FORWARDS)
            .count(),
        3
    );

    for (id, holds) in [
        ("fires", true),
        ("again", true),
        ("old", true),
        ("quiet", false),
    ] {
        let text = bench.rules(0, &["explain", id, FORWARDS, "--output", "json"]);
        assert_eq!(lines(&text)[0]["holds"], holds, "{id}");
    }
    let text = bench.rules(2, &["explain", "nobody", FORWARDS]);
    assert!(
        text.contains("no event with this id in table m365_activity"),
        "{text}"
    );
    let text = bench.rules(2, &["explain", "x' OR '1'='1", FORWARDS]);
    assert!(text.contains("no event with this id"), "{text}");
}

#[test]
fn explain_reads_files_and_standard_input() {
    let bench = Bench::new();
    let first = EVENTS.lines().next().unwrap();
    bench.write("event.json", first);
    let text = bench.rules(0, &["explain", "event.json", FORWARDS]);
    assert!(text.contains("✓ SAAS-M365-00002"), "{text}");
    assert!(
        text.contains("column forward_to: \"smtp:x@mail.example\""),
        "{text}"
    );
    let output = bench.call(&["rules", "explain", "-", FORWARDS], Some(first));
    assert_eq!(text, String::from_utf8(output.stdout).unwrap());
    bench.write("events.ndjson", EVENTS);
    let text = bench.rules(4, &["explain", "events.ndjson", FORWARDS]);
    assert!(text.contains("there are 4 records in it"), "{text}");
    bench.write("rule.yml", &our_rule("m365_inbox_rule_forwards.yml"));
    let text = bench.rules(0, &["explain", "event.json", "rule.yml"]);
    assert!(text.contains("✓ SAAS-M365-00002"), "{text}");
    // A rule about another source: the engine would never ask it about this event.
    let text = bench.rules(0, &["explain", "event.json", "SAAS-M365-00010"]);
    assert!(text.contains("belongs to table m365_activity"), "{text}");
}

/// A tenant of the configurations below.
const ONE: &str = "11111111-1111-4111-8111-111111111111";

/// Of two tenants that forward to the same place, one calls its domain its own.
#[test]
fn forwarding_to_a_tenants_own_domain_is_quiet_there_and_nowhere_else() {
    let bench = Bench::new();
    let of_tenant = |tenant: &str| {
        let record = EVENTS.lines().next().unwrap();
        let id = format!("\"Id\":\"fires in {tenant}\"");
        record
            .replace(
                "\"OrganizationId\":\"t\"",
                &format!("\"OrganizationId\":\"{tenant}\""),
            )
            .replace("\"Id\":\"fires\"", &id)
    };
    bench.write(
        "events.ndjson",
        &format!("{}\n{}\n", of_tenant(ONE), of_tenant("two")),
    );
    bench.write(
        "vedette.toml",
        "[[tenants]]\nid = \"11111111-1111-4111-8111-111111111111\"\naccepted_domains = [\"mail.example\"]\n\
         [tenants.read]\nclient_id = \"c\"\nclient_secret = \"env:UNREAD\"\n",
    );
    let call = |arguments: &[&str]| {
        let arguments = [arguments, &["--config", "vedette.toml"]].concat();
        let output = bench.call(&arguments, None);
        let error = String::from_utf8_lossy(&output.stderr).into_owned();
        assert!(output.status.success(), "{arguments:?} {error}");
        String::from_utf8(output.stdout).unwrap()
    };
    call(&["import", "events.ndjson"]);
    let alerts = call(&["sql", "-o", "json", "SELECT tenant_id FROM alerts_current"]);
    assert_eq!(lines(&alerts), [serde_json::json!({"tenant_id": "two"})]);
    // The lake answers as the stream did.
    let query = format!("SELECT tenant_id FROM matches('{FORWARDS}')");
    let matches = call(&["sql", "-o", "json", &query]);
    assert_eq!(lines(&matches), [serde_json::json!({"tenant_id": "two"})]);
    let backtest = lines(&call(&["rules", "backtest", "--output", "json"]));
    let of_rule = backtest.iter().find(|line| line["label"] == FORWARDS);
    assert_eq!(of_rule.unwrap()["hits"], 1);
    let tree = call(&["rules", "explain", &format!("fires in {ONE}"), FORWARDS]);
    assert!(tree.contains("does not match"), "{tree}");
}

/// An office is proposed; one traveller, a spray, last week's proxy and what is known are not.
#[test]
fn egress_proposes_what_many_accounts_have_shared_for_long() {
    let bench = Bench::new();
    let mut records = Vec::new();
    let mut sign_in = |address: &str, account: usize, day: usize, code: u32| {
        let number = records.len();
        let record = serde_json::json!({"category": "SignInLogs", "tenantId": ONE,
            "time": format!("2026-03-{day:02}T09:00:00Z"), "resultType": code.to_string(),
            "operationName": "Sign-in activity", "properties": {"id": format!("s{number}"),
            "createdDateTime": format!("2026-03-{day:02}T09:00:00Z"), "ipAddress": address,
            "userId": format!("u{account}"), "userPrincipalName": format!("u{account}@contoso.example"),
            "status": {"errorCode": code}, "location": {"countryOrRegion": "NL"}, "autonomousSystemNumber": 64500}});
        records.push(record.to_string());
    };
    for account in 0..12 {
        for day in 1..=8 {
            sign_in("203.0.113.7", account, day, 0);
            sign_in("192.0.2.7", account, day, 0);
            sign_in("198.51.100.7", account, day, 50_126);
        }
        sign_in("198.51.100.8", account, 8, 0);
    }
    for day in 1..=8 {
        sign_in("198.51.100.9", 0, day, 0);
    }
    bench.write("events.ndjson", &records.join("\n"));
    bench.write(
        "vedette.toml",
        "[[tenants]]\nid = \"11111111-1111-4111-8111-111111111111\"\negress = [\"192.0.2.0/24\"]\n\
         [tenants.read]\nclient_id = \"c\"\nclient_secret = \"env:UNREAD\"\n",
    );
    bench.call(&["import", "events.ndjson"], None);
    let text = bench.rules(0, &["egress", "--config", "vedette.toml"]);
    assert!(
        text.contains("egress = [\"192.0.2.0/24\", \"203.0.113.7/32\"]"),
        "{text}"
    );
    assert!(!text.contains("198.51.100"), "{text}");
    let arguments = ["egress", "--config", "vedette.toml", "--output", "json"];
    let found = lines(&bench.rules(0, &arguments));
    assert_eq!(found.len(), 1);
    assert_eq!(
        (&found[0]["accounts"], &found[0]["days"]),
        (&12.into(), &8.into())
    );
    let text = bench.rules(0, &["egress", "--accounts", "13"]);
    assert!(
        text.starts_with("No address has had sign-ins of 13 accounts"),
        "{text}"
    );
}

#[test]
fn impact_tells_what_a_change_gives_and_takes() {
    let bench = Bench::new();
    bench.write("events.ndjson", EVENTS);
    bench.call(&["import", "events.ndjson"], None);
    let ours =
        Path::new(env!("CARGO_MANIFEST_DIR")).join("../detect/rules/m365_inbox_rule_forwards.yml");
    let ours = std::fs::read_to_string(ours).unwrap();
    let narrower = ours.replace("            - New-InboxRule\n", "");
    assert_ne!(narrower, ours);
    bench.write("base.yml", &narrower);

    let found = lines(&bench.rules(0, &["impact", "base.yml", "--output", "json"]));
    assert_eq!(
        found.len(),
        1,
        "other rules of the binary count as unchanged"
    );
    let figures = (&found[0]["change"], &found[0]["before"], &found[0]["after"]);
    assert_eq!(figures, (&"changed".into(), &1.into(), &3.into()));
    assert_eq!(found[0]["gained"].as_array().unwrap().len(), 2);
    let text = bench.rules(0, &["impact", "base.yml"]);
    assert!(
        text.contains("| changed | 1 | 3 | 2 | 0 | 0 | 10 pass |"),
        "{text}"
    );
    assert!(text.contains(r"- eve\@contoso.example"), "{text}");

    // The other way round the rule loses what its cases ask for.
    bench.write("ours.yml", &ours);
    let text = bench.rules(1, &["impact", "ours.yml", "--new", "base.yml"]);
    assert!(
        text.contains("| changed | 3 | 1 | 0 | 2 | 0 | **"),
        "{text}"
    );
    let text = bench.rules(0, &["impact", "ours.yml", "--new", "ours.yml"]);
    assert_eq!(text, "No rule differs.\n");
    let text = bench.rules(2, &["impact", "nowhere"]);
    assert!(text.contains("nowhere"), "{text}");
}

#[test]
fn an_alert_is_reproduced_by_the_start_of_its_id() {
    let bench = Bench::new();
    bench.write("events.ndjson", EVENTS);
    bench.call(&["import", "events.ndjson"], None);
    let query = format!("SELECT alert_id FROM alerts WHERE label = '{FORWARDS}'");
    let asked = bench.call(&["sql", "--output", "json", &query], None);
    let found = lines(&String::from_utf8(asked.stdout).unwrap());
    let id = found[0]["alert_id"].as_str().unwrap();
    let told = bench.call(&["reproduce", &id[..8]], None);
    let text = String::from_utf8(told.stdout).unwrap();
    assert_eq!(told.status.code(), Some(0), "{text}");
    assert!(
        text.contains("the same alert comes out of it again"),
        "{text}"
    );
    assert!(text.contains("column forward_to"), "{text}");
    bench.write("vedette.toml", "[detect]\nbuiltin_rules = false\n");
    let told = bench.call(
        &[
            "reproduce",
            id,
            "--config",
            "vedette.toml",
            "--output",
            "json",
        ],
        None,
    );
    assert_eq!(told.status.code(), Some(1), "{told:?}");
    let line = lines(&String::from_utf8(told.stdout).unwrap()).remove(0);
    assert_eq!(
        (&line["found"], &line["reproduced"]),
        (&"in_file".into(), &false.into())
    );
    for nobody in ["000000", "not an id"] {
        let told = bench.call(&["reproduce", nobody], None);
        assert_eq!(told.status.code(), Some(2), "{nobody}");
    }
}

/// What a tenant wrote neither drives a terminal nor turns a line, whatever is asked for and in whatever form.
#[test]
fn text_of_a_tenant_is_inert_in_every_form() {
    let bench = Bench::new();
    let hostile = "=\\u001b]0;owned\\u0007\\u009b31m\\u202e\\u2066ada@contoso.example";
    bench.write(
        "events.ndjson",
        &EVENTS.replace("ada@contoso.example", hostile),
    );
    bench.call(&["import", "events.ndjson"], None);
    let query =
        format!("SELECT alert_id, user_principal_name FROM alerts WHERE label = '{FORWARDS}'");
    let asked = bench.call(&["sql", "--output", "json", &query], None);
    let found = lines(&String::from_utf8(asked.stdout).unwrap());
    let of_ada = found.iter().find(|one| {
        let user = one["user_principal_name"].as_str().unwrap();
        user.contains('\u{202e}')
    });
    let id = of_ada.unwrap()["alert_id"].as_str().unwrap();
    let is_acting = |one: char| {
        one.is_control() && one != '\n'
            || matches!(one, '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}')
    };
    let mut asked = 0;
    for form in ["table", "csv", "json"] {
        for command in [
            &["sql", "SELECT * FROM alerts"][..],
            &["rules", "backtest", "--rule", FORWARDS],
            &["rules", "backtest", "--alerts"],
            &["rules", "tune", id],
            &["rules", "coverage"],
            &["reproduce", id],
        ] {
            let told = bench.call(&[command, &["--output", form]].concat(), None);
            assert_eq!(told.status.code(), Some(0), "{command:?} {told:?}");
            let text = String::from_utf8(told.stdout).unwrap();
            assert!(!text.contains(is_acting), "{command:?} as {form}: {text:?}");
            assert!(form != "csv" || !text.lines().any(|line| line.starts_with('=')));
            asked += usize::from(text.contains("ada@contoso.example"));
        }
    }
    assert!(asked >= 9, "the text is there: {asked}");
    let text = bench.rules(0, &["explain", "fires", FORWARDS]);
    assert!(!text.contains(is_acting), "{text:?}");
}
