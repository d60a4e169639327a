//! What Microsoft answered.

use bytes::Bytes;
use reqwest::header::HeaderMap;
use serde_json::Value;

use crate::retry::parse_date_us;

/// Most bytes of a message of Microsoft's that an error carries.
pub const MESSAGE_BYTES_MAX: usize = 2 * 1024;

/// An answer with a status of success.
#[derive(Debug, Clone)]
pub struct Answer {
    /// HTTP status, 200 to 299.
    pub status: u16,
    /// Headers; names match in any letter case.
    pub headers: HeaderMap,
    /// The whole body.
    pub body: Bytes,
    /// Our `client-request-id`.
    pub request_id: String,
}

impl Answer {
    /// The body as JSON, or none.
    pub fn json(&self) -> Option<Value> {
        let body = self
            .body
            .strip_prefix(b"\xEF\xBB\xBF")
            .unwrap_or(&self.body);
        serde_json::from_slice(body).ok()
    }

    /// The text of a header, or none.
    pub fn header(&self, name: &str) -> Option<&str> {
        self.headers.get(name).and_then(|value| value.to_str().ok())
    }

    /// Microsoft's own id of the answer, by which its support finds it; empty where it gave none.
    pub fn reply_id(&self) -> &str {
        reply_id(&self.headers)
    }

    /// The server's time when it answered, in microseconds since the Unix epoch, as its `Date` header says; whole seconds.
    pub fn date_us(&self) -> Option<i64> {
        parse_date_us(self.header("Date")?)
    }
}

/// Microsoft's id of an answer: Graph writes `request-id`, other services `x-ms-request-id`.
pub(crate) fn reply_id(headers: &HeaderMap) -> &str {
    let text = |name| headers.get(name).and_then(|value| value.to_str().ok());
    let found = text("request-id").or_else(|| text("x-ms-request-id"));
    // It goes into records that are kept: a GUID has 36 characters.
    found.filter(|id| id.len() <= 100).unwrap_or_default()
}

/// Code and message of an error body.
///
/// Shape: Graph and the Management Activity API write `{"error":{"code","message"}}`; a body that is
/// something else gives its first bytes as message.
pub(crate) fn error_of(body: &[u8]) -> (String, String) {
    let parsed: Option<Value> = serde_json::from_slice(body).ok();
    let Some(error) = parsed.as_ref().and_then(|body| body.get("error")) else {
        return (String::new(), redacted(&String::from_utf8_lossy(body)));
    };
    let text = |key: &str| {
        error
            .get(key)
            .and_then(Value::as_str)
            .unwrap_or_default()
            .to_owned()
    };
    (text("code"), redacted(&text("message")))
}

/// The first [`MESSAGE_BYTES_MAX`] bytes of a message, without what looks like a token or a secret.
fn redacted(text: &str) -> String {
    let mut out = String::new();
    for word in
        text.split_inclusive(|letter: char| letter.is_whitespace() || "\"'<>,;&".contains(letter))
    {
        if out.len() + word.len() > MESSAGE_BYTES_MAX {
            break;
        }
        if looks_secret(word) {
            out.push_str("(redacted) ");
        } else {
            out.extend(
                word.chars()
                    .map(|letter| if letter.is_control() { ' ' } else { letter }),
            );
        }
    }
    out.trim().to_owned()
}

/// JSON web tokens begin with `eyJ`; secrets are given as `client_secret=…`; signatures as `sig=…`.
fn looks_secret(word: &str) -> bool {
    let lower = word.to_ascii_lowercase();
    word.contains("eyJ")
        || [
            "secret=",
            "assertion=",
            "sig=",
            "password=",
            "access_token=",
        ]
        .iter()
        .any(|mark| lower.contains(mark))
}

#[cfg(test)]
mod tests {
    use super::{MESSAGE_BYTES_MAX, error_of};

    #[test]
    fn reads_code_and_message() {
        let body =
            br#"{"error":{"code":"AF20024","message":"The subscription is already enabled."}}"#;
        assert_eq!(
            error_of(body),
            (
                "AF20024".to_owned(),
                "The subscription is already enabled.".to_owned()
            )
        );
    }

    #[test]
    fn a_page_is_a_short_message_without_code() {
        let (code, message) = error_of(format!("<html>{}", "x ".repeat(9_000)).as_bytes());
        assert_eq!(code, "");
        assert!(message.starts_with("<html>") && message.len() <= MESSAGE_BYTES_MAX);
    }

    #[test]
    fn secrets_and_control_characters_are_removed() {
        let body = br#"{"error":{"code":"x","message":"bad eyJ0eXAi.abc client_secret=hunter2&a=b \u001b]0;"}}"#;
        let (_, message) = error_of(body);
        assert!(
            !message.contains("eyJ") && !message.contains("hunter2"),
            "{message}"
        );
        assert!(!message.contains('\u{1b}'), "{message}");
    }
}
