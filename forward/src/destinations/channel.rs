//! A channel that people read: an address that is a secret, and what is written there by a template, a message at a time.

use bytes::Bytes;

use super::opening::Opening;
use crate::error::ForwardError;
use crate::formats::message::MessageTemplate;
use crate::http::header::{CONTENT_TYPE, HeaderMap, HeaderValue};
use crate::http::{ANSWER_BYTES_MAX, HttpAnswer, HttpConfig, HttpDoor, HttpRequest, Method, Url};

/// Where messages are posted, and by which template they are made.
pub(super) struct Channel {
    pub(super) door: HttpDoor,
    pub(super) template: MessageTemplate,
    url: Url,
}

impl Channel {
    /// The channel at an address; nothing is connected yet.
    ///
    /// # Errors
    /// [`ForwardError::Setting`] if the address cannot be used.
    pub(super) fn new(
        mut opening: Opening<'_>,
        (key, address): (&'static str, &str),
        template: MessageTemplate,
        http: &HttpConfig,
    ) -> Result<Self, ForwardError> {
        let url = opening.url(key, address)?;
        Ok(Self {
            door: opening.door(http)?,
            template,
            url,
        })
    }

    /// What posts a body of JSON.
    pub(super) fn post(&self, body: impl Into<Bytes>) -> HttpRequest {
        let json = HeaderValue::from_static("application/json");
        self.request(
            Method::POST,
            HeaderMap::from_iter([(CONTENT_TYPE, json)]),
            body.into(),
        )
    }

    /// Asks whether the host answers, and posts nothing.
    pub(super) async fn ask(&self) -> Result<HttpAnswer, String> {
        let request = self.request(Method::HEAD, HeaderMap::new(), Bytes::new());
        self.door.send(request).await
    }

    fn request(&self, method: Method, headers: HeaderMap, body: Bytes) -> HttpRequest {
        HttpRequest {
            method,
            url: self.url.clone(),
            headers,
            body,
            answer_bytes_max: ANSWER_BYTES_MAX,
        }
    }
}
