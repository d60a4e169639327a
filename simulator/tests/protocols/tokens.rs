//! The token endpoint.

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use reqwest::Method;
use serde_json::{Value, json};

use crate::lab::{GRAPH, Lab, MANAGEMENT, small};

fn payload(token: &str) -> Value {
    let part = token.split('.').nth(1).unwrap();
    serde_json::from_slice(&URL_SAFE_NO_PAD.decode(part).unwrap()).unwrap()
}

#[tokio::test]
async fn a_token_carries_the_roles_of_its_application_and_audience() {
    let lab = Lab::start(small()).await;
    let reading = payload(&lab.token(&lab.connection.reading, MANAGEMENT).await);
    assert_eq!(reading["aud"], "https://manage.office.com");
    assert_eq!(reading["roles"], json!(["ActivityFeed.Read"]));
    assert_eq!(
        reading["tid"].as_str(),
        Some(lab.connection.tenant_id.as_str())
    );
    let acting = payload(&lab.token(&lab.connection.acting, GRAPH).await);
    assert!(
        acting["roles"]
            .as_array()
            .unwrap()
            .contains(&json!("User.RevokeSessions.All"))
    );
    // Without consent there is a token, and no roles in it.
    let without = payload(&lab.token(&lab.connection.acting, MANAGEMENT).await);
    assert_eq!(without.get("roles"), None);
    lab.stop().await;
}

#[tokio::test]
async fn wrong_credentials_are_refused_with_their_codes() {
    let lab = Lab::start(small()).await;
    let id = lab.connection.reading.client_id.clone();
    let secret = lab.connection.reading.client_secret.clone();
    let form = |id: &str, secret: &str, scope: &str| -> Vec<(String, String)> {
        [
            ("grant_type", "client_credentials"),
            ("client_id", id),
            ("client_secret", secret),
            ("scope", scope),
        ]
        .map(|(name, value)| (name.to_owned(), value.to_owned()))
        .to_vec()
    };
    let cases = [
        (form(&id, "wrong", GRAPH), 7_000_215, "invalid_client"),
        (
            form("00000000-0000-0000-0000-000000000000", &secret, GRAPH),
            700_016,
            "unauthorized_client",
        ),
        (
            form(&id, &secret, "https://elsewhere.example/.default"),
            70_011,
            "invalid_scope",
        ),
    ];
    for (form, code, error) in cases {
        let form: Vec<(&str, &str)> = form
            .iter()
            .map(|(name, value)| (name.as_str(), value.as_str()))
            .collect();
        let (status, body) = lab.ask_token(&form).await;
        assert!(status.is_client_error());
        assert_eq!(body["error_codes"], json!([code]));
        assert_eq!(body["error"], error);
        assert!(
            body["error_description"]
                .as_str()
                .unwrap()
                .starts_with(&format!("AADSTS{code}:"))
        );
        assert!(!body.to_string().contains(&secret));
    }
    lab.stop().await;
}

#[tokio::test]
async fn the_stolen_session_is_refreshed_until_it_is_revoked_and_the_account_blocked() {
    let lab = Lab::start(small()).await;
    lab.at_minute(180);
    let story = lab.control("story").await;
    let refresh_token = story["attacker"]["refresh_token"]
        .as_str()
        .unwrap()
        .to_owned();
    let victim = story["victim"]["id"].as_str().unwrap().to_owned();
    let form = [
        ("grant_type", "refresh_token"),
        ("refresh_token", refresh_token.as_str()),
        ("scope", "openid"),
    ];
    assert_eq!(lab.ask_token(&form).await.0.as_u16(), 200);

    let token = lab.token(&lab.connection.acting, GRAPH).await;
    let user = format!("/v1.0/users/{victim}");
    lab.json(
        Method::PATCH,
        &user,
        &token,
        Some(json!({"accountEnabled": false})),
    )
    .await;
    let (status, body) = lab.ask_token(&form).await;
    assert_eq!(
        (status.as_u16(), &body["error_codes"]),
        (400, &json!([50_057]))
    );

    lab.json(
        Method::POST,
        &format!("{user}/revokeSignInSessions"),
        &token,
        None,
    )
    .await;
    let (status, body) = lab.ask_token(&form).await;
    assert_eq!(
        (status.as_u16(), &body["error_codes"]),
        (400, &json!([50_173]))
    );
    lab.stop().await;
}

#[tokio::test]
async fn an_assertion_says_who_asks_where_and_until_when() {
    let lab = Lab::start(small()).await;
    let id = lab.connection.reading.client_id.clone();
    let url = format!(
        "{}/{}/oauth2/v2.0/token",
        lab.connection.http_url, lab.connection.tenant_id
    );
    let own = |changed: Value| {
        let mut claims =
            json!({"aud": url, "iss": id, "sub": id, "nbf": 0, "exp": 4_000_000_000_u64});
        claims
            .as_object_mut()
            .unwrap()
            .extend(changed.as_object().unwrap().clone());
        let header = json!({"alg": "PS256", "typ": "JWT", "x5t#S256": "abc"});
        let encode = |part: Value| URL_SAFE_NO_PAD.encode(part.to_string());
        format!("{}.{}.c2ln", encode(header), encode(claims))
    };
    let federated = json!({"aud": "api://AzureADTokenExchange", "iss": "https://issuer.example", "sub": "system:serviceaccount:a:b"});
    for (assertion, code) in [
        (own(json!({})), None),
        (own(federated), None),
        (own(json!({"exp": 1})), Some(500_133)),
        (own(json!({"nbf": 4_000_000_000_u64})), Some(500_133)),
        (
            own(json!({"aud": "https://elsewhere.example"})),
            Some(50_013),
        ),
        (own(json!({"iss": "somebody"})), Some(50_013)),
        ("eyJ.nonsense".to_owned(), Some(50_027)),
    ] {
        let form = [
            ("grant_type", "client_credentials"),
            ("client_id", id.as_str()),
            (
                "client_assertion_type",
                "urn:ietf:params:oauth:client-assertion-type:jwt-bearer",
            ),
            ("client_assertion", assertion.as_str()),
            ("scope", GRAPH),
        ];
        let (status, body) = lab.ask_token(&form).await;
        assert_eq!(status.is_success(), code.is_none(), "{body}");
        if let Some(code) = code {
            assert_eq!(body["error_codes"], json!([code]));
        }
    }
    lab.stop().await;
}
