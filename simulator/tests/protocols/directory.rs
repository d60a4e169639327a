//! Graph: changes of users and groups, and domains.

use reqwest::Method;
use serde_json::{Value, json};

use crate::lab::{GRAPH, Lab, small};

/// Objects of all pages from `url` on, and the link at the end.
async fn round(lab: &Lab, url: &str, token: &str) -> (Vec<Value>, String) {
    let mut url = url.to_owned();
    let mut all = Vec::new();
    loop {
        let page = lab.read(&url, token).await;
        all.extend(page["value"].as_array().unwrap().clone());
        if let Some(link) = page["@odata.deltaLink"].as_str() {
            return (all, link.to_owned());
        }
        page["@odata.nextLink"]
            .as_str()
            .unwrap()
            .clone_into(&mut url);
    }
}

#[tokio::test]
async fn a_round_gives_everybody_and_the_next_one_what_changed() {
    let lab = Lab::start(small()).await;
    let token = lab.token(&lab.connection.reading, GRAPH).await;
    let acting = lab.token(&lab.connection.acting, GRAPH).await;
    let first = "/v1.0/users/delta?$select=id,accountEnabled,proxyAddresses";
    let (all, link) = round(&lab, first, &token).await;
    assert_eq!(all.len(), 10);
    assert_eq!(
        all[1]["proxyAddresses"],
        json!(["SMTP:admin@harbour.example"])
    );
    assert_eq!(all[1].get("displayName"), None, "not selected");
    let (none, link) = round(&lab, &link, &token).await;
    assert_eq!(none, Vec::<Value>::new());
    let user = format!("/v1.0/users/{}", all[6]["id"].as_str().unwrap());
    let block = Some(json!({"accountEnabled": false}));
    assert_eq!(lab.json(Method::PATCH, &user, &acting, block).await.0, 204);
    let (changed, after) = round(&lab, &link, &token).await;
    assert_eq!(changed.len(), 1);
    assert_eq!(
        (&changed[0]["id"], &changed[0]["accountEnabled"]),
        (&all[6]["id"], &json!(false))
    );
    assert_eq!(changed[0].get("displayName"), None, "the link selects too");
    // A link can be asked again, and tells the same.
    assert_eq!(round(&lab, &link, &token).await.0, changed);
    assert_eq!(round(&lab, &after, &token).await.0, Vec::<Value>::new());
    lab.stop().await;
}

#[tokio::test]
async fn pages_have_the_size_that_is_preferred() {
    let lab = Lab::start(small()).await;
    let token = lab.token(&lab.connection.reading, GRAPH).await;
    let url = format!("{}/v1.0/users/delta?$select=id", lab.connection.http_url);
    let mut link = url;
    let mut sizes = Vec::new();
    loop {
        let request = lab
            .client
            .get(&link)
            .bearer_auth(&token)
            .header("Prefer", "return=full, odata.maxpagesize=4");
        let page: Value = request.send().await.unwrap().json().await.unwrap();
        sizes.push(page["value"].as_array().unwrap().len());
        match page["@odata.nextLink"].as_str() {
            Some(next) => next.clone_into(&mut link),
            None => break,
        }
    }
    assert_eq!(sizes, [4, 4, 2]);
    lab.stop().await;
}

#[tokio::test]
async fn a_next_page_may_be_elsewhere() {
    let lab = Lab::start(small()).await;
    let token = lab.token(&lab.connection.reading, GRAPH).await;
    lab.fault(&json!({"path_contains": "users/delta", "next_page_host": "https://evil.example"}))
        .await;
    let page = lab.read("/v1.0/users/delta", &token).await;
    let link = page["@odata.deltaLink"].as_str().unwrap();
    assert!(
        link.starts_with("https://evil.example/v1.0/users/delta?"),
        "{link}"
    );
    lab.stop().await;
}

#[tokio::test]
async fn a_link_that_is_foreign_changed_or_old_is_gone() {
    let lab = Lab::start(small()).await;
    let token = lab.token(&lab.connection.reading, GRAPH).await;
    let (groups, link) = round(&lab, "/v1.0/groups/delta?$select=id,displayName", &token).await;
    assert_eq!(groups.len(), 5);
    for bad in [
        link.replace("groups", "users"),
        format!("{link}x"),
        "/v1.0/groups/delta?$deltatoken=latest".to_owned(),
        "/v1.0/groups/delta?$skiptoken=7".to_owned(),
    ] {
        let (status, body) = lab.json(Method::GET, &bad, &token, None).await;
        assert_eq!(
            (status, body["error"]["code"].as_str()),
            (410, Some("syncStateNotFound")),
            "{bad}"
        );
    }
    lab.at_minute(8 * 24 * 60);
    let token = lab.token(&lab.connection.reading, GRAPH).await;
    assert_eq!(lab.json(Method::GET, &link, &token, None).await.0, 410);
    lab.stop().await;
}

#[tokio::test]
async fn domains_are_told_to_whom_may_know_and_one_is_not_verified() {
    let lab = Lab::start(small()).await;
    let reading = lab.token(&lab.connection.reading, GRAPH).await;
    let acting = lab.token(&lab.connection.acting, GRAPH).await;
    let domains = lab.read("/v1.0/domains", &reading).await;
    let verified: Vec<(&str, bool)> = domains["value"]
        .as_array()
        .unwrap()
        .iter()
        .map(|domain| {
            (
                domain["id"].as_str().unwrap(),
                domain["isVerified"].as_bool().unwrap(),
            )
        })
        .collect();
    assert_eq!(
        verified,
        [
            ("harbour.example", true),
            ("harbour.onmicrosoft.example", true),
            ("harbour-events.example", false)
        ]
    );
    for path in ["/v1.0/domains", "/v1.0/groups/delta"] {
        assert_eq!(
            lab.json(Method::GET, path, &acting, None).await.0,
            403,
            "{path}"
        );
    }
    lab.fault(&json!({"path_contains": "/v1.0/domains", "status": 429, "retry_after_s": 1}))
        .await;
    assert_eq!(
        lab.json(Method::GET, "/v1.0/domains", &reading, None)
            .await
            .0,
        429
    );
    lab.stop().await;
}
