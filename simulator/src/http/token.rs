//! The token endpoint: client credentials for applications, refresh tokens for people.
//!
//! Source: Microsoft identity platform, OAuth 2.0 client credentials and refresh; AADSTS error codes.

use std::sync::Arc;

use axum::extract::{Form, Path, State};
use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};
use axum::routing::post;
use axum::{Json, Router};
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde::Deserialize;
use serde_json::{Value, json};

use crate::shared::SharedTenant;
use crate::tenant::{AppRegistration, EVENT_HUBS, GRAPH, MANAGEMENT, Tenant};
use crate::world::moment::{self, SECOND_US};
use crate::world::records::outcome::SignInOutcome;

pub(super) fn routes() -> Router<Arc<SharedTenant>> {
    Router::new().route("/{tenant}/oauth2/v2.0/token", post(token))
}

/// The fields that grants use; others are ignored, as Entra does.
#[derive(Deserialize, Default)]
#[serde(default)]
struct TokenRequest {
    grant_type: String,
    client_id: String,
    client_secret: String,
    client_assertion_type: String,
    client_assertion: String,
    scope: String,
    refresh_token: String,
}

/// `POST /{tenant}/oauth2/v2.0/token`.
async fn token(
    State(shared): State<Arc<SharedTenant>>,
    Path(tenant_id): Path<String>,
    Form(asked): Form<TokenRequest>,
) -> Response {
    shared.with(|tenant| {
        if !tenant_id.eq_ignore_ascii_case(tenant.id()) {
            let text = format!("Tenant '{tenant_id}' not found.");
            return refused(tenant, 90_002, "invalid_request", &text);
        }
        match asked.grant_type.as_str() {
            "client_credentials" => application_token(tenant, &asked),
            "refresh_token" => person_token(tenant, &asked),
            other => {
                let text =
                    format!("The grant type '{other}' is not supported over the /token endpoint.");
                refused(tenant, 70_003, "unsupported_grant_type", &text)
            }
        }
    })
}

fn application_token(tenant: &mut Tenant, asked: &TokenRequest) -> Response {
    let known = [&tenant.reading, &tenant.acting]
        .into_iter()
        .find(|known| known.client_id == asked.client_id)
        .cloned();
    let Some(application) = known else {
        let text = format!(
            "Application with identifier '{}' was not found in the directory.",
            asked.client_id
        );
        return refused(tenant, 700_016, "unauthorized_client", &text);
    };
    if !asked.client_assertion.is_empty() {
        if let Err((code, text)) = check_assertion(tenant, asked) {
            return refused(tenant, code, "invalid_client", text);
        }
    } else if application.client_secret != asked.client_secret {
        let text = format!(
            "Invalid client secret provided for app '{}'.",
            application.client_id
        );
        return refused(tenant, 7_000_215, "invalid_client", &text);
    }
    match audience(&asked.scope) {
        Some(audience) => granted(tenant, &application, audience),
        None => refused(
            tenant,
            70_011,
            "invalid_scope",
            "The provided value for the input parameter 'scope' is not valid.",
        ),
    }
}

/// Checks what an assertion says. Every certificate and every other identity provider is registered here, so its
/// signature is not looked at; who it is for, and until when, is.
fn check_assertion(tenant: &Tenant, asked: &TokenRequest) -> Result<(), (u32, &'static str)> {
    const TYPE: &str = "urn:ietf:params:oauth:client-assertion-type:jwt-bearer";
    const EXCHANGE: &str = "api://AzureADTokenExchange";
    let broken = (50_027, "JWT token is invalid or malformed.");
    let part = |index: usize| -> Option<Value> {
        let text = asked.client_assertion.split('.').nth(index)?;
        serde_json::from_slice(&URL_SAFE_NO_PAD.decode(text).ok()?).ok()
    };
    let (Some(header), Some(claims)) = (part(0), part(1)) else {
        return Err(broken);
    };
    if asked.client_assertion_type != TYPE || asked.client_assertion.split('.').count() != 3 {
        return Err(broken);
    }
    let now_s = tenant.wall_us / SECOND_US;
    let time = |name: &str| claims[name].as_i64();
    if time("exp").is_none_or(|end_s| end_s <= now_s)
        || time("nbf").is_some_and(|from_s| from_s > now_s)
    {
        return Err((500_133, "Assertion is not within its valid time range."));
    }
    if claims["aud"] == EXCHANGE {
        return Ok(());
    }
    let path = format!("/{}/oauth2/v2.0/token", tenant.id());
    let is_for_us = claims["aud"]
        .as_str()
        .is_some_and(|aud| aud.ends_with(&path));
    if !is_for_us || claims["iss"] != *asked.client_id || claims["sub"] != *asked.client_id {
        return Err((50_013, "Assertion failed audience or issuer validation."));
    }
    if header["alg"] != "PS256" || header["x5t#S256"].as_str().is_none_or(str::is_empty) {
        return Err((
            700_027,
            "The certificate used to sign the client assertion is not registered.",
        ));
    }
    Ok(())
}

/// The resource of a scope; the scope of an application is one resource and `/.default`.
fn audience(scope: &str) -> Option<&'static str> {
    let resource = scope.trim().strip_suffix("/.default")?;
    [GRAPH, MANAGEMENT, EVENT_HUBS]
        .into_iter()
        .find(|known| *known == resource.trim_end_matches('/'))
}

fn granted(tenant: &mut Tenant, application: &AppRegistration, audience: &str) -> Response {
    let lifetime_s = tenant.config.token_lifetime_s;
    Json(json!({
        "token_type": "Bearer",
        "expires_in": lifetime_s,
        "ext_expires_in": lifetime_s,
        "access_token": tenant.access_token(application, audience),
    }))
    .into_response()
}

/// A person's refresh: it fails after a revocation and after a block.
fn person_token(tenant: &mut Tenant, asked: &TokenRequest) -> Response {
    let Some((user, issued_us)) = tenant.grant(&asked.refresh_token) else {
        return refused(
            tenant,
            9_002_313,
            "invalid_grant",
            "Invalid request. Request is malformed or invalid.",
        );
    };
    let outcome = tenant.world.scene.users[user].refresh_outcome(issued_us);
    if outcome != SignInOutcome::Success {
        return refused(tenant, outcome.code(), "invalid_grant", outcome.reason());
    }
    Json(json!({
        "token_type": "Bearer",
        "scope": asked.scope,
        "expires_in": tenant.config.token_lifetime_s,
        "access_token": "opaque-token-of-a-person",
        "refresh_token": asked.refresh_token,
    }))
    .into_response()
}

fn refused(tenant: &Tenant, code: u32, error: &str, text: &str) -> Response {
    let timestamp = moment::spaced(tenant.wall_us);
    let trace = "00000000-0000-4000-8000-000000000001";
    let body: Value = json!({
        "error": error,
        "error_description": format!("AADSTS{code}: {text} Trace ID: {trace} Correlation ID: {trace} Timestamp: {timestamp}"),
        "error_codes": [code],
        "timestamp": timestamp,
        "trace_id": trace,
        "correlation_id": trace,
        "error_uri": format!("https://login.microsoftonline.com/error?code={code}"),
    });
    let status = if error == "invalid_client" {
        StatusCode::UNAUTHORIZED
    } else {
        StatusCode::BAD_REQUEST
    };
    (status, Json(body)).into_response()
}
