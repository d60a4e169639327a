//! The token endpoint: client credentials for applications, refresh tokens for people.
//!
//! Source: Microsoft identity platform, OAuth 2.0 client credentials and refresh; AADSTS error codes.

use std::sync::Arc;

use axum::Json;
use axum::extract::{Form, Path, State};
use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};
use serde::Deserialize;
use serde_json::{Value, json};

use crate::shared::Shared;
use crate::tenant::{Application, EVENT_HUBS, GRAPH, MANAGEMENT, Tenant};
use crate::world::moment;
use crate::world::records::sign_in::Outcome;

/// The fields that grants use; others are ignored, as Entra does.
#[derive(Deserialize, Default)]
#[serde(default)]
pub(super) struct Asked {
    grant_type: String,
    client_id: String,
    client_secret: String,
    scope: String,
    refresh_token: String,
}

/// `POST /{tenant}/oauth2/v2.0/token`.
pub(super) async fn token(
    State(shared): State<Arc<Shared>>,
    Path(tenant_id): Path<String>,
    Form(asked): Form<Asked>,
) -> Response {
    shared.with(|tenant| {
        if !tenant_id.eq_ignore_ascii_case(&tenant.world.tenant.id) {
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

fn application_token(tenant: &mut Tenant, asked: &Asked) -> Response {
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
    if application.client_secret != asked.client_secret {
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

/// The resource of a scope; the scope of an application is one resource and `/.default`.
fn audience(scope: &str) -> Option<&'static str> {
    let resource = scope.trim().strip_suffix("/.default")?;
    [GRAPH, MANAGEMENT, EVENT_HUBS]
        .into_iter()
        .find(|known| *known == resource.trim_end_matches('/'))
}

fn granted(tenant: &mut Tenant, application: &Application, audience: &str) -> Response {
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
fn person_token(tenant: &mut Tenant, asked: &Asked) -> Response {
    let Some((user, issued_us)) = tenant.grant(&asked.refresh_token) else {
        return refused(
            tenant,
            9_002_313,
            "invalid_grant",
            "Invalid request. Request is malformed or invalid.",
        );
    };
    let outcome = tenant.world.users[user].refresh_outcome(issued_us);
    if outcome != Outcome::Success {
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
