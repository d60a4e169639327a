//! The door of one tenant: host check, rate budget, token, retries.

use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use reqwest::header::{HeaderName, HeaderValue};
use reqwest::{Method, RequestBuilder};
use schemas::limits::BODY_BYTES_MAX;
use serde_json::Value;
use tokio::time::Instant;
use url::Url;

use crate::answer::{Answer, error_of, reply_id};
use crate::audience::Audience;
use crate::budget::Budget;
use crate::client::{Client, Request};
use crate::error::MicrosoftError;
use crate::http::{Http, Response};
use crate::retry::{
    Attempt, Decision, WAIT_IN_PLACE_MAX, decide, is_throttled, parse_date_us, parse_retry_after,
};
use crate::tenant::Tenant;
use crate::token::{Token, TokenSource};

/// The door of one tenant and app registration. Cheap to clone; clones share tokens and budgets.
#[derive(Clone)]
pub struct TenantClient {
    inner: Arc<Inner>,
}

struct Inner {
    client: Client,
    tenant: Tenant,
    lanes: [Lane; 3],
}

/// What is separate for each audience.
struct Lane {
    budget: Budget,
    tokens: TokenSource,
    /// The `Date` of the latest answer, in microseconds, and when it came.
    date: Mutex<Option<(i64, Instant)>>,
}

impl Lane {
    fn note_date(&self, response: &Response) {
        let date = response.headers.get("date");
        if let Some(date_us) = date
            .and_then(|value| value.to_str().ok())
            .and_then(parse_date_us)
        {
            *self.date.lock().unwrap_or_else(PoisonError::into_inner) =
                Some((date_us, Instant::now()));
        }
    }
}

impl Client {
    /// The door of one tenant and app registration, with tokens and rate budgets of its own.
    pub fn tenant(&self, tenant: Tenant) -> TenantClient {
        TenantClient::new(self.clone(), tenant)
    }
}

impl TenantClient {
    pub(crate) fn new(client: Client, tenant: Tenant) -> Self {
        let lanes = Audience::ALL.map(|audience| Lane {
            budget: Budget::new(client.requests_per_minute),
            tokens: TokenSource::new(&client, &tenant, audience),
            date: Mutex::default(),
        });
        Self {
            inner: Arc::new(Inner {
                client,
                tenant,
                lanes,
            }),
        }
    }

    /// Microsoft's tenant id.
    pub fn tenant_id(&self) -> &str {
        &self.inner.tenant.tenant_id
    }

    /// The URL under `audience`'s base with these path segments, each encoded by itself.
    ///
    /// # Errors
    /// [`MicrosoftError::NoEndpoint`] where the cloud has none.
    pub fn url(&self, audience: Audience, segments: &[&str]) -> Result<Url, MicrosoftError> {
        self.inner.tenant.endpoints.url(audience, segments)
    }

    /// What time it is for `audience`, in microseconds since the Unix epoch; none before its first answer.
    ///
    /// It is counted on from the `Date` of the latest answer by a clock that never jumps, so that it holds where ours
    /// is wrong.
    pub fn server_time_us(&self, audience: Audience) -> Option<i64> {
        let lane = self.lane(audience);
        let (date_us, came) = (*lane.date.lock().unwrap_or_else(PoisonError::into_inner))?;
        let since_us = i64::try_from(came.elapsed().as_micros()).unwrap_or(i64::MAX);
        Some(date_us.saturating_add(since_us))
    }

    /// A token for `audience`, from the cache if it is good for five minutes more.
    ///
    /// # Errors
    /// [`MicrosoftError::Token`] if the identity platform gives none.
    pub async fn token(&self, audience: Audience) -> Result<Token, MicrosoftError> {
        self.lane(audience).tokens.token().await
    }

    /// A fresh token for `audience`: after consent, roles are in new tokens only.
    ///
    /// # Errors
    /// [`MicrosoftError::Token`] if the identity platform gives none.
    pub async fn renew(&self, audience: Audience, old: &Token) -> Result<Token, MicrosoftError> {
        self.lane(audience).tokens.renew(old).await
    }

    /// Reads `url`.
    ///
    /// # Errors
    /// As [`Self::send`].
    pub async fn get(&self, audience: Audience, url: Url) -> Result<Answer, MicrosoftError> {
        self.send(audience, Request::new(Method::GET, url)).await
    }

    /// Changes what is at `url`.
    ///
    /// # Errors
    /// As [`Self::send`].
    pub async fn patch(
        &self,
        audience: Audience,
        url: Url,
        body: Value,
    ) -> Result<Answer, MicrosoftError> {
        self.send(audience, Request::new(Method::PATCH, url).with_body(body))
            .await
    }

    /// Posts to `url`, with an empty body if there is none.
    ///
    /// # Errors
    /// As [`Self::send`].
    pub async fn post(
        &self,
        audience: Audience,
        url: Url,
        body: Option<Value>,
    ) -> Result<Answer, MicrosoftError> {
        let mut request = Request::new(Method::POST, url);
        request.body = body;
        self.send(audience, request).await
    }

    /// Sends a request, obeying throttling, with a new token once if the first is refused.
    ///
    /// Safe to cancel between attempts only: a request that changes something should run to its end.
    ///
    /// # Errors
    /// [`MicrosoftError::ForeignHost`] before anything is sent; [`MicrosoftError::Throttled`] if a pause of
    /// more than [`WAIT_IN_PLACE_MAX`] is not over; [`MicrosoftError::Refused`] for any status but success;
    /// [`MicrosoftError::Transport`], [`MicrosoftError::BodyTooLarge`], [`MicrosoftError::Token`].
    pub async fn send(
        &self,
        audience: Audience,
        request: Request,
    ) -> Result<Answer, MicrosoftError> {
        self.inner
            .tenant
            .endpoints
            .check_host(audience, &request.url)?;
        let lane = self.lane(audience);
        let mut token = lane.tokens.token().await?;
        let mut is_renewed = false;
        let mut made = 0;
        loop {
            self.wait_for_budget(audience).await?;
            made += 1;
            let sent = self.send_once(&request, &token).await;
            if let Ok(response) = &sent {
                lane.note_date(response);
            }
            let failed = match sent {
                Ok(response) if (200..300).contains(&response.status) => {
                    count(audience, "ok");
                    return Ok(answer(response, &request));
                }
                Ok(response) if response.status == 401 && !is_renewed => {
                    count(audience, "renewed");
                    is_renewed = true;
                    made -= 1;
                    token = lane.tokens.renew(&token).await?;
                    continue;
                }
                Ok(response) => Failed::of_response(&response, self.inner.client.clock.now_us()),
                Err(MicrosoftError::Transport {
                    host,
                    request_id,
                    kind,
                }) => Failed {
                    // A connection that never stood carried nothing out.
                    was_not_sent: kind == "connect",
                    error: Some(MicrosoftError::Transport {
                        host,
                        request_id,
                        kind,
                    }),
                    ..Failed::default()
                },
                Err(other) => return Err(other),
            };
            match self.decide(&request, made, &failed) {
                Decision::Again(wait) => {
                    count(audience, "retried");
                    if failed.is_throttled() {
                        lane.budget.close(Instant::now(), wait);
                    }
                    tokio::time::sleep(wait).await;
                }
                Decision::GiveUp(wait) => {
                    count(audience, "failed");
                    if let Some(wait) = wait.filter(|_| failed.is_throttled()) {
                        lane.budget.close(Instant::now(), wait);
                    }
                    return Err(failed.into_error(&request, wait));
                }
            }
        }
    }

    fn lane(&self, audience: Audience) -> &Lane {
        match audience {
            Audience::Graph => &self.inner.lanes[0],
            Audience::Management => &self.inner.lanes[1],
            Audience::EventHubs => &self.inner.lanes[2],
        }
    }

    async fn wait_for_budget(&self, audience: Audience) -> Result<(), MicrosoftError> {
        let wait = self.lane(audience).budget.take(Instant::now());
        if wait > WAIT_IN_PLACE_MAX {
            count(audience, "throttled");
            return Err(MicrosoftError::Throttled { audience, wait });
        }
        tokio::time::sleep(wait).await;
        Ok(())
    }

    async fn send_once(
        &self,
        request: &Request,
        token: &Token,
    ) -> Result<Response, MicrosoftError> {
        let builder = self
            .inner
            .client
            .http
            .request(request.method.clone(), request.url.clone())
            .bearer_auth(token.expose())
            .header("client-request-id", &request.client_request_id)
            .header("return-client-request-id", "true");
        let mut builder = with_headers(builder, &request.headers)?;
        if request.is_single {
            builder = builder.timeout(self.inner.client.single_wait);
        }
        match &request.body {
            Some(body) => builder = builder.json(body),
            // A POST without a length is refused by some of Microsoft's front ends.
            None if request.method == Method::POST => {
                builder = builder.header("content-length", "0");
            }
            None => {}
        }
        let host = request.url.host_str().unwrap_or_default();
        Http::send(builder, host, &request.client_request_id, BODY_BYTES_MAX).await
    }

    fn decide(&self, request: &Request, made: u32, failed: &Failed) -> Decision {
        let decision = decide(&Attempt {
            made,
            status: failed.status,
            code: &failed.code,
            retry_after: failed.retry_after,
            is_repeatable: request.is_repeatable || failed.was_not_sent,
            wait_min: self.inner.client.retry_wait,
            chance: rand::random(),
        });
        match decision {
            Decision::Again(wait) if request.is_single => Decision::GiveUp(Some(wait)),
            decision => decision,
        }
    }
}

/// An attempt without success.
#[derive(Debug, Default)]
struct Failed {
    status: Option<u16>,
    code: String,
    message: String,
    reply_id: String,
    retry_after: Option<Duration>,
    was_not_sent: bool,
    error: Option<MicrosoftError>,
}

impl Failed {
    fn of_response(response: &Response, now_us: i64) -> Self {
        let (code, message) = error_of(&response.body);
        let retry_after = response
            .headers
            .get("retry-after")
            .and_then(|value| value.to_str().ok())
            .and_then(|text| parse_retry_after(text, now_us));
        Self {
            status: Some(response.status),
            code,
            message,
            retry_after,
            reply_id: reply_id(&response.headers).to_owned(),
            ..Self::default()
        }
    }

    fn is_throttled(&self) -> bool {
        self.status
            .is_some_and(|status| is_throttled(status, &self.code))
    }

    fn into_error(self, request: &Request, wait: Option<Duration>) -> MicrosoftError {
        if let Some(error) = self.error {
            return error;
        }
        MicrosoftError::Refused {
            method: request.method.as_str().into(),
            status: self.status.unwrap_or_default(),
            code: self.code,
            message: self.message,
            request_id: request.client_request_id.as_str().into(),
            reply_id: self.reply_id.into(),
            retry_after: wait,
        }
    }
}

fn answer(response: Response, request: &Request) -> Answer {
    Answer {
        status: response.status,
        headers: response.headers,
        body: response.body,
        request_id: request.client_request_id.clone(),
    }
}

fn with_headers(
    mut builder: RequestBuilder,
    headers: &[(String, String)],
) -> Result<RequestBuilder, MicrosoftError> {
    for (name, value) in headers {
        let refused = || MicrosoftError::Header { name: name.clone() };
        let header = HeaderName::from_bytes(name.as_bytes()).map_err(|_| refused())?;
        let text = HeaderValue::from_str(value).map_err(|_| refused())?;
        builder = builder.header(header, text);
    }
    Ok(builder)
}

fn count(audience: Audience, outcome: &'static str) {
    metrics::counter!("microsoft_requests_total", "audience" => audience.as_str(), "outcome" => outcome).increment(1);
}
