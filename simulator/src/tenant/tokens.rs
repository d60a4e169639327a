//! Access and refresh tokens in the shape of Microsoft's, signed with a secret of the simulated tenant.
//!
//! Source: Microsoft identity platform, access token claims. The signature is not Microsoft's:
//! clients must treat the token as opaque, and the simulator's own APIs check it by the secret.

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde::{Deserialize, Serialize};
use serde_json::json;

/// What an access token says.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Claims {
    pub(crate) aud: String,
    pub(crate) iss: String,
    pub(crate) idtyp: String,
    pub(crate) appid: String,
    pub(crate) tid: String,
    pub(crate) oid: String,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub(crate) roles: Vec<String>,
    pub(crate) iat: i64,
    pub(crate) nbf: i64,
    pub(crate) exp: i64,
    pub(crate) ver: String,
}

/// What a refresh token says.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct RefreshGrant {
    pub(crate) user_id: String,
    /// Simulated time at which the session began.
    pub(crate) issued_us: i64,
}

fn encoded(bytes: &[u8]) -> String {
    URL_SAFE_NO_PAD.encode(bytes)
}

fn signature(secret: &str, signed: &str) -> String {
    encoded(schemas::ids::hex(&[secret.as_bytes(), signed.as_bytes()]).as_bytes())
}

/// Writes a token of three parts.
pub(crate) fn write<T: Serialize>(secret: &str, payload: &T) -> String {
    let header = json!({"typ": "JWT", "alg": "RS256", "kid": "simulated"}).to_string();
    let payload = json!(payload).to_string();
    let signed = format!(
        "{}.{}",
        encoded(header.as_bytes()),
        encoded(payload.as_bytes())
    );
    let signature = signature(secret, &signed);
    format!("{signed}.{signature}")
}

/// Reads a token that [`write()`] wrote with the same secret; none if it did not.
pub(crate) fn read<T: for<'de> Deserialize<'de>>(secret: &str, token: &str) -> Option<T> {
    let (signed, claimed) = token.rsplit_once('.')?;
    if signature(secret, signed) != claimed {
        return None;
    }
    let (_, payload) = signed.split_once('.')?;
    serde_json::from_slice(&URL_SAFE_NO_PAD.decode(payload).ok()?).ok()
}

#[cfg(test)]
mod tests {
    use super::{RefreshGrant, read, write};

    #[test]
    fn a_token_is_read_back_only_with_its_secret_and_whole() {
        let grant = RefreshGrant {
            user_id: "u".to_owned(),
            issued_us: 5,
        };
        let token = write("secret", &grant);
        assert_eq!(read::<RefreshGrant>("secret", &token), Some(grant));
        assert_eq!(read::<RefreshGrant>("other", &token), None);
        assert_eq!(read::<RefreshGrant>("secret", &token[1..]), None);
        assert_eq!(read::<RefreshGrant>("secret", "e30"), None);
    }
}
