//! Client-credentials tokens: cached, renewed five minutes early, one request in flight.
//!
//! Protocol: OAuth 2.0 client credentials grant of the Microsoft identity platform, v2.0 token endpoint.

mod payload;

use std::time::Duration;

use reqwest::Method;
use serde_json::Value;
use tokio::sync::Mutex;
use tokio::time::Instant;
use url::Url;

use crate::audience::Audience;
use crate::client::Client;
use crate::credential::{Credential, Proof};
use crate::error::MicrosoftError;
use crate::http::{Http, Response};
use crate::retry::{Attempt, Decision, decide, parse_retry_after};
use crate::tenant::Tenant;
use schemas::secret::Secret;

pub use crate::aadsts::{Meaning, Refusal};

/// How long before its end a token is replaced.
const RENEW_EARLY: Duration = Duration::from_mins(5);

/// How long a refusal answers for those who were waiting behind it.
const REFUSAL_SHARED: Duration = Duration::from_millis(500);

/// Longest body of the token endpoint that is read, in bytes; a token has a few thousand.
const TOKEN_BYTES_MAX: usize = 1024 * 1024;

/// Says that an assertion is a JSON web token.
const ASSERTION_TYPE: &str = "urn:ietf:params:oauth:client-assertion-type:jwt-bearer";

/// An access token.
#[derive(Debug, Clone)]
pub struct Token {
    text: Secret,
    roles: Vec<String>,
    expires: Instant,
    renew: Instant,
}

impl Token {
    /// The token itself, for the one header that needs it.
    pub fn expose(&self) -> &str {
        self.text.expose()
    }

    /// The application roles that were granted, as the token says; empty without admin consent.
    pub fn roles(&self) -> &[String] {
        &self.roles
    }

    /// How long it is good for.
    pub fn good_for(&self) -> Duration {
        self.expires.saturating_duration_since(Instant::now())
    }

    fn of_body(body: &Value, now: Instant) -> Option<Self> {
        let text = body.get("access_token")?.as_str()?;
        // Some endpoints write the number as text.
        let lifetime_s = match body.get("expires_in") {
            Some(Value::String(text)) => text.trim().parse().ok(),
            Some(number) => number.as_u64(),
            None => None,
        }
        .unwrap_or(0)
        .min(LIFETIME_S_MAX);
        let lifetime = Duration::from_secs(lifetime_s);
        // A token that lives for less than ten minutes is renewed halfway.
        let early = RENEW_EARLY.min(lifetime / 2);
        Some(Self {
            text: Secret::new(text),
            roles: payload::roles(text),
            expires: now + lifetime,
            renew: now + lifetime.saturating_sub(early),
        })
    }
}

/// Longest lifetime that is believed: 28 hours are given to clients with continuous access evaluation.
const LIFETIME_S_MAX: u64 = 28 * 3600;

/// Gets the tokens of one tenant, app registration and audience.
pub(crate) struct TokenSource {
    client: Client,
    audience: Audience,
    url: Url,
    client_id: String,
    credential: Credential,
    scope: String,
    state: Mutex<State>,
}

#[derive(Default)]
struct State {
    token: Option<Token>,
    refusal: Option<(Instant, Refusal)>,
}

impl TokenSource {
    pub(crate) fn new(client: &Client, tenant: &Tenant, audience: Audience) -> Self {
        Self {
            client: client.clone(),
            audience,
            url: tenant.endpoints.token_url(&tenant.tenant_id),
            client_id: tenant.client_id.clone(),
            credential: tenant.credential.clone(),
            scope: tenant.endpoints.scope(audience),
            state: Mutex::default(),
        }
    }

    /// The cached token, or a new one.
    pub(crate) async fn token(&self) -> Result<Token, MicrosoftError> {
        // The lock is held across the request: whoever comes meanwhile waits for its answer.
        let mut state = self.state.lock().await;
        if let Some(token) = state
            .token
            .as_ref()
            .filter(|token| Instant::now() < token.renew)
        {
            return Ok(token.clone());
        }
        self.fetch(&mut state).await
    }

    /// A new token, unless another caller has replaced `old` already.
    pub(crate) async fn renew(&self, old: &Token) -> Result<Token, MicrosoftError> {
        let mut state = self.state.lock().await;
        if let Some(token) = state.token.as_ref().filter(|token| token.text != old.text) {
            return Ok(token.clone());
        }
        self.fetch(&mut state).await
    }

    async fn fetch(&self, state: &mut State) -> Result<Token, MicrosoftError> {
        if let Some((at, refusal)) = &state.refusal
            && at.elapsed() < REFUSAL_SHARED
        {
            return Err(self.refused(refusal.clone()));
        }
        match self.request().await {
            Ok(token) => {
                state.token = Some(token.clone());
                state.refusal = None;
                Ok(token)
            }
            Err(error) => {
                state.token = state
                    .token
                    .take()
                    .filter(|token| Instant::now() < token.renew);
                if let MicrosoftError::Token { refusal, .. } = &error {
                    state.refusal = Some((Instant::now(), refusal.clone()));
                }
                Err(error)
            }
        }
    }

    async fn request(&self) -> Result<Token, MicrosoftError> {
        let mut made = 0;
        loop {
            made += 1;
            let sent = self.request_once().await;
            let (status, retry_after, refusal) = match sent {
                Ok(response) => match self.read(&response) {
                    Ok(token) => return Ok(token),
                    Err(refusal) => (Some(response.status), self.retry_after(&response), refusal),
                },
                Err(MicrosoftError::Transport { .. }) => (None, None, Refusal::unreachable()),
                Err(other) => return Err(other),
            };
            // The caller's error says it too, where it has not passed by itself.
            tracing::debug!(audience = %self.audience, %refusal, "no token");
            // The table knows transient codes that come with status 400.
            let status = if refusal.meaning == Meaning::Transient {
                Some(503)
            } else {
                status
            };
            let decision = decide(&Attempt {
                made,
                status,
                code: "",
                retry_after,
                is_repeatable: true,
                wait_min: self.client.retry_wait,
                chance: rand::random(),
            });
            match decision {
                Decision::Again(wait) => tokio::time::sleep(wait).await,
                Decision::GiveUp(_) => return Err(self.refused(refusal)),
            }
        }
    }

    async fn request_once(&self) -> Result<Response, MicrosoftError> {
        metrics::counter!("microsoft_token_requests_total", "audience" => self.audience.as_str())
            .increment(1);
        let request_id = uuid::Uuid::new_v4().to_string();
        let now_us = self.client.clock.now_us();
        let proof = self
            .credential
            .proof(&self.client_id, self.url.as_str(), now_us)
            .await?;
        let mut form = vec![
            ("client_id", self.client_id.as_str()),
            ("grant_type", "client_credentials"),
            ("scope", self.scope.as_str()),
        ];
        match &proof {
            Proof::Secret(secret) => form.push(("client_secret", secret.expose())),
            Proof::Assertion(assertion) => {
                form.push(("client_assertion_type", ASSERTION_TYPE));
                form.push(("client_assertion", assertion.expose()));
            }
        }
        let builder = self
            .client
            .http
            .request(Method::POST, self.url.clone())
            .header("client-request-id", &request_id)
            .form(&form);
        let host = self.url.host_str().unwrap_or_default();
        Http::send(builder, host, &request_id, TOKEN_BYTES_MAX).await
    }

    /// The token of a response, or why it has none; the body itself is never shown, it can hold secrets.
    fn read(&self, response: &Response) -> Result<Token, Refusal> {
        let body: Value = serde_json::from_slice(&response.body).unwrap_or_default();
        if (200..300).contains(&response.status)
            && let Some(token) = Token::of_body(&body, Instant::now())
        {
            // Rights on Event Hubs are Azure's own roles, and stand in no token.
            if token.roles.is_empty() && self.audience != Audience::EventHubs {
                tracing::warn!(audience = %self.audience, "token without roles: admin consent is missing");
            }
            return Ok(token);
        }
        Err(Refusal::of_body(response.status, &body))
    }

    fn retry_after(&self, response: &Response) -> Option<Duration> {
        let text = response.headers.get("retry-after")?.to_str().ok()?;
        parse_retry_after(text, self.client.clock.now_us())
    }

    fn refused(&self, refusal: Refusal) -> MicrosoftError {
        MicrosoftError::Token {
            audience: self.audience,
            refusal,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::Token;
    use serde_json::json;
    use std::time::Duration;
    use tokio::time::Instant;

    #[test]
    fn is_renewed_five_minutes_early() {
        let now = Instant::now();
        let token = Token::of_body(&json!({"access_token": "a", "expires_in": 3599}), now).unwrap();
        assert_eq!(token.renew - now, Duration::from_secs(3_299));
        let short = Token::of_body(&json!({"access_token": "a", "expires_in": "60"}), now).unwrap();
        assert_eq!(short.renew - now, Duration::from_secs(30));
    }

    #[test]
    fn a_lifetime_of_nothing_is_used_once() {
        let now = Instant::now();
        for body in [
            json!({"access_token": "a", "expires_in": "0"}),
            json!({"access_token": "a"}),
            json!({"access_token": "a", "expires_in": -5}),
            json!({"access_token": "a", "expires_in": []}),
        ] {
            assert_eq!(Token::of_body(&body, now).unwrap().renew, now, "{body}");
        }
        assert!(Token::of_body(&json!({"expires_in": 3599}), now).is_none());
    }

    #[test]
    fn is_never_shown() {
        let token = Token::of_body(
            &json!({"access_token": "canary", "expires_in": 60}),
            Instant::now(),
        );
        assert!(!format!("{token:?}").contains("canary"));
    }
}
