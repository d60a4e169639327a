//! The directory as Microsoft Graph documents it and as hostile answers would have it.

use ingest::DirectoryConfig;
use ingest::TenantConfig;
use serde_json::{Value, json};

use crate::fake::{Asked, Fake, Reply};
use crate::lab::Lab;

fn tenant(fake: &Fake) -> TenantConfig {
    TenantConfig {
        directory: Some(DirectoryConfig {
            poll_ms: 20,
            page_objects: 5_000,
        }),
        ..fake.tenant()
    }
}

/// An empty last page of whatever was asked for.
fn nothing(asked: &Asked) -> Reply {
    let link = format!("{}/v1.0/empty/delta?$deltatoken=1", asked.base);
    Reply::ok(json!({"value": [], "@odata.deltaLink": link}).to_string())
}

/// A last page of users, whose delta link has a number.
fn users(asked: &Asked, number: usize, users: &Value) -> Reply {
    let link = format!("{}/v1.0/users/delta?$deltatoken={number}", asked.base);
    let page = json!({"@odata.context": "x", "@odata.deltaLink": link, "value": users});
    Reply::ok(page.to_string())
}

fn refused(status: u16, code: &str) -> Reply {
    let error = json!({"error": {"code": code, "message": "refused"}});
    Reply::of(status, error.to_string())
}

fn is_users(asked: &Asked) -> bool {
    asked.target.contains("/users/delta")
}

#[tokio::test]
async fn a_round_begins_where_the_last_one_ended_and_a_removal_is_a_state() {
    let fake = Fake::start(|asked| {
        if !is_users(asked) {
            return nothing(asked);
        }
        let ada =
            json!({"id": "ada", "userPrincipalName": "ada@harbour.example", "jobTitle": null});
        match asked.before {
            // The same state, written otherwise.
            0 => users(asked, 1, &json!([ada])),
            1 => users(
                asked,
                2,
                &json!([{"userPrincipalName": "ada@harbour.example", "id": "ada"}]),
            ),
            2 => users(
                asked,
                3,
                &json!([{"id": "ada", "@removed": {"reason": "changed"}}]),
            ),
            _ => users(asked, 4, &json!([])),
        }
    })
    .await;
    let mut lab = Lab::new().await;
    let run = lab.start(tenant(&fake));
    lab.wait_for("more polls", |_| fake.asked().len() > 15)
        .await;
    run.stop().await;
    lab.look().await;
    let found: Vec<&str> = lab
        .arrived
        .events
        .iter()
        .map(|event| std::str::from_utf8(&event.raw).unwrap())
        .collect();
    assert_eq!(found.len(), 2, "{found:?}");
    assert!(found[1].contains("@removed"));
    assert!(
        lab.arrived
            .events
            .iter()
            .all(|event| event.table == "directory_users")
    );
    let asked: Vec<Asked> = fake.asked().into_iter().filter(is_users).collect();
    assert!(
        asked[0]
            .target
            .contains("$select=id,userPrincipalName,mail,proxyAddresses")
    );
    for (number, asked) in asked.iter().enumerate().skip(1).take(3) {
        assert!(
            asked.target.ends_with(&format!("$deltatoken={number}")),
            "{asked:?}"
        );
    }
}

#[tokio::test]
async fn a_link_that_is_not_taken_begins_anew_whatever_the_words() {
    for (status, code) in [
        (410, "syncStateNotFound"),
        (400, "syncStateNotFound"),
        (400, "resyncRequired"),
        (404, ""),
    ] {
        let fake = Fake::start(move |asked| match asked.before {
            1 if is_users(asked) => refused(status, code),
            _ if is_users(asked) => users(asked, 1, &json!([{"id": "ada"}])),
            _ => nothing(asked),
        })
        .await;
        let mut lab = Lab::new().await;
        let run = lab.start(tenant(&fake));
        lab.wait_for("a line that says so", |arrived| {
            let lines = arrived.lines("page", "read");
            lines
                .iter()
                .any(|line| line.detail.contains(&format!("status {status}")))
        })
        .await;
        run.stop().await;
        assert_eq!(lab.arrived.events.len(), 1);
        let asked: Vec<Asked> = fake.asked().into_iter().filter(is_users).collect();
        assert!(asked[2].target.contains("$select"), "in full: {asked:?}");
    }
}

#[tokio::test]
async fn a_link_to_another_host_is_never_asked() {
    let evil = Fake::start(|_| Reply::ok("{}")).await;
    for member in ["@odata.nextLink", "@odata.deltaLink"] {
        let base = evil.base.clone();
        let fake = Fake::start(move |asked| {
            if !is_users(asked) {
                return nothing(asked);
            }
            let mut page = json!({"value": [{"id": "ada"}]});
            page[member] = json!(format!("{base}/v1.0/users/delta?$skiptoken=1"));
            Reply::ok(page.to_string())
        })
        .await;
        let mut lab = Lab::new().await;
        let run = lab.start(tenant(&fake));
        lab.wait_for("a line that tells of it", |arrived| {
            arrived
                .coverage
                .iter()
                .any(|line| line.detail.contains("host"))
        })
        .await;
        run.stop().await;
        lab.look().await;
        assert_eq!(lab.arrived.events.len(), 1);
    }
    assert!(evil.asked().is_empty());
}

#[tokio::test]
async fn answers_that_are_no_pages_are_gaps_and_what_is_no_object_is_kept_once() {
    let deep = format!(
        r#"{{"id":"deep","a":{}{}}}"#,
        "[".repeat(200),
        "]".repeat(200)
    );
    let bodies = [
        ("<html></html>".to_owned(), 0, 0),
        ("{}".to_owned(), 0, 0),
        (r#"{"value":null}"#.to_owned(), 0, 0),
        (r#"{"value":[],"@odata.nextLink":{}}"#.to_owned(), 0, 0),
        // No link at the end: nobody can say what changes from now on.
        (r#"{"value":[{"id":"ada"}]}"#.to_owned(), 1, 0),
        (
            format!(r#"{{"value":[{{"id":"ada"}},{{"mail":"x"}},{{"id":7}},7,"x",null,{deep}]}}"#),
            1,
            6,
        ),
    ];
    for (body, events, letters) in bodies {
        let told = body.clone();
        let fake = Fake::start(move |asked| {
            if is_users(asked) {
                Reply::ok(told.clone())
            } else {
                nothing(asked)
            }
        })
        .await;
        let mut lab = Lab::new().await;
        let run = lab.start(tenant(&fake));
        lab.wait_for("gaps", |arrived| arrived.lines("page", "gap").len() > 2)
            .await;
        run.stop().await;
        lab.look().await;
        assert_eq!(
            (lab.arrived.events.len(), lab.arrived.dead_letters.len()),
            (events, letters),
            "{body}"
        );
        let others = fake
            .asked()
            .iter()
            .any(|asked| asked.target.contains("/domains"));
        assert!(others, "the other kinds are read");
    }
}

#[tokio::test]
async fn a_link_that_leads_back_ends_the_round() {
    let fake = Fake::start(|asked| {
        let link = format!("{}/v1.0/users/delta?$skiptoken=1", asked.base);
        if is_users(asked) {
            Reply::ok(json!({"value": [], "@odata.nextLink": link}).to_string())
        } else {
            nothing(asked)
        }
    })
    .await;
    let mut lab = Lab::new().await;
    let run = lab.start(tenant(&fake));
    lab.wait_for("a gap", |arrived| {
        let gaps = arrived.lines("page", "gap");
        gaps.iter().any(|gap| gap.detail.contains("read already"))
    })
    .await;
    run.stop().await;
}
