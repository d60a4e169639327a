//! Graph: users, sessions, inbox rules, roles, alerts.

use reqwest::Method;
use serde_json::{Value, json};

use crate::lab::{BEGIN_US, GRAPH, Lab, MANAGEMENT, MINUTE_US, WHOLE_DAY, small};

async fn victim(lab: &Lab) -> (String, String) {
    let story = lab.control("story").await;
    let text = |name: &str| story["victim"][name].as_str().unwrap().to_owned();
    (text("id"), text("user_principal_name"))
}

#[tokio::test]
async fn a_block_is_read_back_and_logged() {
    let lab = Lab::start(small()).await;
    let token = lab.token(&lab.connection.acting, GRAPH).await;
    let (id, name) = victim(&lab).await;
    let read = format!("/v1.0/users/{name}?$select=id,accountEnabled,onPremisesSyncEnabled");
    let (_, before) = lab.json(Method::GET, &read, &token, None).await;
    assert_eq!(
        (&before["accountEnabled"], before["id"].as_str()),
        (&json!(true), Some(id.as_str()))
    );
    let user = format!("/v1.0/users/{id}");
    let (status, _) = lab
        .json(
            Method::PATCH,
            &user,
            &token,
            Some(json!({"accountEnabled": false})),
        )
        .await;
    assert_eq!(status, 204);
    let (_, after) = lab.json(Method::GET, &read, &token, None).await;
    assert_eq!(after["accountEnabled"], json!(false));
    // Without $select Graph does not tell.
    let (_, plain) = lab.json(Method::GET, &user, &token, None).await;
    assert_eq!(plain.get("accountEnabled"), None);
    let calls = lab.control("calls").await;
    assert_eq!(calls["calls"].as_array().unwrap().len(), 1);
    assert_eq!(calls["calls"][0]["body"], r#"{"accountEnabled":false}"#);
    assert_eq!(calls["calls"][0]["effective"], json!(true));
    lab.stop().await;
}

#[tokio::test]
async fn administrators_strangers_and_missing_roles_are_refused() {
    let lab = Lab::start(small()).await;
    let acting = lab.token(&lab.connection.acting, GRAPH).await;
    let reading = lab.token(&lab.connection.reading, GRAPH).await;
    let management = lab.token(&lab.connection.reading, MANAGEMENT).await;
    let block = Some(json!({"accountEnabled": false}));
    let admin = format!("/v1.0/users/{}", lab.connection.break_glass_ids[0]);
    let (id, _) = victim(&lab).await;
    let user = format!("/v1.0/users/{id}");
    let cases = [
        (
            &admin,
            &acting,
            block.clone(),
            403,
            "Authorization_RequestDenied",
        ),
        (
            &user,
            &reading,
            block.clone(),
            403,
            "Authorization_RequestDenied",
        ),
        (
            &user,
            &acting,
            Some(json!({"displayName": "x"})),
            403,
            "Authorization_RequestDenied",
        ),
        (
            &user,
            &acting,
            Some(json!({"accountEnabled": "no"})),
            400,
            "Request_BadRequest",
        ),
        (
            &user,
            &management,
            block.clone(),
            401,
            "InvalidAuthenticationToken",
        ),
        (
            &"/v1.0/users/nobody@harbour.example".to_owned(),
            &acting,
            block,
            404,
            "Request_ResourceNotFound",
        ),
    ];
    for (path, token, body, status, code) in cases {
        let (found, answer) = lab.json(Method::PATCH, path, token, body).await;
        assert_eq!(
            (found, answer["error"]["code"].as_str()),
            (status, Some(code)),
            "{path}"
        );
    }
    lab.stop().await;
}

#[tokio::test]
async fn roles_are_found_by_their_principal() {
    let lab = Lab::start(small()).await;
    let token = lab.token(&lab.connection.acting, GRAPH).await;
    let (id, _) = victim(&lab).await;
    let roles = |id: &str| {
        let path = "/v1.0/roleManagement/directory/roleAssignments";
        format!("{path}?$filter=principalId eq '{id}'&$expand=roleDefinition")
    };
    let held = lab
        .read(&roles(&lab.connection.break_glass_ids[0]), &token)
        .await;
    let name = &held["value"][0]["roleDefinition"]["displayName"];
    assert_eq!(name, "Global Administrator");
    assert_eq!(lab.read(&roles(&id), &token).await["value"], json!([]));
    lab.stop().await;
}

/// Turns off the attacker's rules, revokes the sessions, blocks the account; each is read back.
async fn contain(lab: &Lab, id: &str) {
    let token = lab.token(&lab.connection.acting, GRAPH).await;
    let user = format!("/v1.0/users/{id}");
    let folder = format!("{user}/mailFolders/inbox/messageRules");
    let rules = lab.read(&folder, &token).await;
    let rules = rules["value"].as_array().unwrap().iter();
    let bad: Vec<&Value> = rules
        .filter(|rule| rule["displayName"] != "Newsletters")
        .collect();
    assert_eq!(bad.len(), 2);
    for rule in bad {
        let path = format!("{folder}/{}", rule["id"].as_str().unwrap());
        let off = Some(json!({"isEnabled": false}));
        let (status, changed) = lab.json(Method::PATCH, &path, &token, off).await;
        assert_eq!((status, &changed["isEnabled"]), (200, &json!(false)));
        assert_eq!(lab.read(&path, &token).await["isEnabled"], json!(false));
    }
    let revoke = format!("{user}/revokeSignInSessions");
    let (status, revoked) = lab.json(Method::POST, &revoke, &token, None).await;
    assert_eq!((status, &revoked["value"]), (200, &json!(true)));
    let valid = lab
        .read(
            &format!("{user}?$select=signInSessionsValidFromDateTime"),
            &token,
        )
        .await;
    assert_eq!(
        valid["signInSessionsValidFromDateTime"],
        "2026-09-14T12:00:00Z"
    );
    let block = Some(json!({"accountEnabled": false}));
    assert_eq!(lab.json(Method::PATCH, &user, &token, block).await.0, 204);
}

#[tokio::test]
async fn responses_end_what_the_attacker_achieves_and_leave_records() {
    let minute = 240;
    let lab = Lab::start(small()).await;
    lab.at_minute(minute);
    contain(&lab, &victim(&lab).await.0).await;
    let forwarded = lab.control("story").await["mail_forwarded"].clone();

    lab.at_minute(WHOLE_DAY);
    let story = lab.control("story").await;
    assert_eq!(story["mail_forwarded"], forwarded);
    assert_eq!(story["attacker"]["has_access"], json!(false));
    let responded_us = BEGIN_US + minute * MINUTE_US;
    for (what, code) in [("sign_in", 50_057), ("refresh", 50_173), ("send_mail", 0)] {
        let all = story["attempts"].as_array().unwrap().iter();
        let later: Vec<&Value> = all
            .filter(|one| one["what"] == what && one["wall_us"].as_i64() > Some(responded_us))
            .collect();
        assert!(later.len() > 10, "{what}");
        for one in later {
            assert_eq!(
                (&one["ending"], &one["error_code"]),
                (&json!("failed"), &json!(code))
            );
        }
    }

    let undisturbed = Lab::start(small()).await;
    undisturbed.at_minute(WHOLE_DAY);
    let feed = ["directory_audits"];
    let of_responses = lab.ledger(&feed).await.len() - undisturbed.ledger(&feed).await.len();
    assert_eq!(of_responses, 2);
    lab.stop().await;
    undisturbed.stop().await;
}

#[tokio::test]
async fn alerts_are_polled_by_their_last_update_and_change_once() {
    let lab = Lab::start(small()).await;
    lab.at_minute(145);
    let token = lab.token(&lab.connection.reading, GRAPH).await;
    let poll = |from: &str| {
        format!(
            "/v1.0/security/alerts_v2?$filter=lastUpdateDateTime ge {from}&$orderby=lastUpdateDateTime asc&$top=1"
        )
    };
    let (_, first) = lab
        .json(Method::GET, &poll("2026-09-14T08:00:00Z"), &token, None)
        .await;
    let first = first["value"].as_array().unwrap().clone();
    assert_eq!(first.len(), 1);
    assert_eq!(first[0]["status"], "new");
    let (id, _) = victim(&lab).await;
    assert_eq!(
        first[0]["evidence"][0]["userAccount"]["azureAdUserId"].as_str(),
        Some(id.as_str())
    );
    lab.at_minute(WHOLE_DAY);
    let token = lab.token(&lab.connection.reading, GRAPH).await;
    let (_, second) = lab
        .json(Method::GET, &poll("2026-09-14T11:00:00Z"), &token, None)
        .await;
    assert_eq!(second["value"][0]["id"], first[0]["id"]);
    assert_eq!(second["value"][0]["status"], "inProgress");
    assert_eq!(
        second["value"][0]["createdDateTime"],
        first[0]["createdDateTime"]
    );
    assert_eq!(lab.ledger(&["graph_alerts"]).await.len(), 2);
    let (status, _) = lab
        .json(
            Method::GET,
            "/v1.0/security/alerts_v2?$filter=title eq 'x'",
            &token,
            None,
        )
        .await;
    assert_eq!(status, 400);
    lab.stop().await;
}

#[tokio::test]
async fn users_come_in_pages_and_a_guest_has_no_mailbox() {
    let lab = Lab::start(small()).await;
    let token = lab.token(&lab.connection.acting, GRAPH).await;
    let mut url = "/v1.0/users?$top=3&$select=id,userPrincipalName,userType".to_owned();
    let mut all: Vec<Value> = Vec::new();
    loop {
        let (_, page) = lab.json(Method::GET, &url, &token, None).await;
        all.extend(page["value"].as_array().unwrap().clone());
        match page["@odata.nextLink"].as_str() {
            Some(next) => url = next.to_owned(),
            None => break,
        }
    }
    assert_eq!(all.len(), 10);
    let guest = all.iter().find(|user| user["userType"] == "Guest").unwrap();
    let rules = format!(
        "/v1.0/users/{}/mailFolders/inbox/messageRules",
        guest["id"].as_str().unwrap()
    );
    let (status, body) = lab.json(Method::GET, &rules, &token, None).await;
    assert_eq!(
        (status, body["error"]["code"].as_str()),
        (404, Some("MailboxNotEnabledForRESTAPI"))
    );
    lab.stop().await;
}

#[tokio::test]
async fn every_story_is_told_with_its_steps_and_a_block_reaches_it() {
    let stories = simulator::StoryName::all();
    let lab = Lab::start(simulator::SimulatorConfig { stories, ..small() }).await;
    lab.at_minute(1);
    let told = lab.control("story").await;
    assert_eq!(told["story"], "AiTM to BEC");
    let others = told["stories"].as_array().unwrap();
    let names: Vec<&str> = others
        .iter()
        .map(|one| one["story"].as_str().unwrap())
        .collect();
    assert_eq!(
        names,
        [
            "consent_phishing",
            "password_spray",
            "mfa_fatigue",
            "rogue_administrator",
            "mass_exfiltration"
        ]
    );
    let leaver = others[4]["victim"]["id"].as_str().unwrap();
    let token = lab.token(&lab.connection.acting, GRAPH).await;
    let block = Some(json!({"accountEnabled": false}));
    let user = format!("/v1.0/users/{leaver}");
    assert_eq!(lab.json(Method::PATCH, &user, &token, block).await.0, 204);

    lab.at_minute(WHOLE_DAY);
    let told = lab.control("story").await;
    let audits = lab.ledger(&["directory_audits", "signins"]).await;
    for story in told["stories"].as_array().unwrap() {
        let steps = story["steps"].as_array().unwrap();
        assert!(steps.len() > 5, "{}", story["story"]);
        assert!(steps[0]["wall_us"].as_i64() >= story["begins_us"].as_i64());
        let first = &steps[0];
        if story["victim"]["id"] == leaver {
            assert_eq!(first["error_code"], 50_057);
            assert!(steps.iter().all(|step| step["ending"] == "failed"));
        } else {
            assert!(audits.contains(&first["record_ids"][0].as_str().unwrap().to_owned()));
        }
    }
    lab.stop().await;
}
