//! What a token says about itself. Pure; the signature is Microsoft's APIs' to check, not ours.

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde_json::Value;

/// The `roles` claim of a JSON web token; empty if there is none or the token is opaque.
pub(super) fn roles(token: &str) -> Vec<String> {
    let Some(claims) = claims(token) else {
        return Vec::new();
    };
    let roles = claims.get("roles").and_then(Value::as_array);
    roles
        .into_iter()
        .flatten()
        .filter_map(|role| role.as_str().map(str::to_owned))
        .collect()
}

fn claims(token: &str) -> Option<Value> {
    let payload = token.split('.').nth(1)?;
    let bytes = URL_SAFE_NO_PAD.decode(payload.trim_end_matches('=')).ok()?;
    serde_json::from_slice(&bytes).ok()
}

#[cfg(test)]
mod tests {
    use super::{URL_SAFE_NO_PAD, roles};
    use base64::Engine;

    fn token(payload: &str) -> String {
        format!("e30.{}.sig", URL_SAFE_NO_PAD.encode(payload))
    }

    #[test]
    fn reads_roles() {
        assert_eq!(
            roles(&token(r#"{"roles":["ActivityFeed.Read","User.Read.All"]}"#)),
            ["ActivityFeed.Read", "User.Read.All"]
        );
    }

    #[test]
    fn a_token_without_roles_has_none() {
        for text in [
            token(r#"{"aud":"x"}"#),
            token(r#"{"roles":"x"}"#),
            token("not json"),
            "opaque".to_owned(),
            "a.!!!.c".to_owned(),
            String::new(),
        ] {
            assert!(roles(&text).is_empty(), "{text}");
        }
    }
}
