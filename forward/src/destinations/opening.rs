//! How the settings of a destination are read when it is opened: addresses, secrets, and what a fault of one says.

use schemas::secret::Secret;

use crate::error::ForwardError;
use crate::formats::message::MessageTemplate;
use crate::http::header::HeaderValue;
use crate::http::{HttpConfig, HttpDoor, Url};
use crate::said::Redaction;
use crate::surroundings::Surroundings;

/// A destination that is being opened.
pub(super) struct Opening<'a> {
    name: &'a str,
    with: &'a Surroundings,
    redaction: Redaction,
}

impl<'a> Opening<'a> {
    pub(super) fn new(name: &'a str, with: &'a Surroundings) -> Self {
        Self {
            name,
            with,
            redaction: Redaction::default(),
        }
    }

    /// What a setting that cannot be used makes.
    pub(super) fn fault(&self, key: &'static str, why: impl Into<String>) -> ForwardError {
        ForwardError::Setting {
            name: self.name.to_owned(),
            key,
            why: why.into(),
        }
    }

    /// The secret at a reference; it is hidden in what is shown from now on.
    pub(super) fn secret(
        &mut self,
        key: &'static str,
        reference: &str,
    ) -> Result<Secret, ForwardError> {
        let secret = self
            .with
            .resolve_reference(reference)
            .map_err(|why| self.fault(key, why))?;
        self.redaction.hide(&secret);
        Ok(secret)
    }

    /// A value that may be a secret: what a reference leads to, or the text itself; it is hidden either way.
    pub(super) fn value(&mut self, key: &'static str, text: &str) -> Result<Secret, ForwardError> {
        let value = self
            .with
            .resolve(text)
            .map_err(|why| self.fault(key, why))?;
        self.redaction.hide(&value);
        Ok(value)
    }

    /// An address, which may be a reference where it is a secret itself.
    pub(super) fn url(&mut self, key: &'static str, text: &str) -> Result<Url, ForwardError> {
        let address = self
            .with
            .resolve(text)
            .map_err(|why| self.fault(key, why))?;
        if address.expose() != text {
            self.redaction.hide(&address);
        }
        let url = Url::parse(address.expose())
            .map_err(|error| self.fault(key, format!("it is no URL: {error}")))?;
        if url.cannot_be_a_base() || url.host().is_none() {
            return Err(self.fault(key, "it names no host"));
        }
        Ok(url)
    }

    /// The template of a message, by its settings `title` and `text`, which `key` names.
    pub(super) fn template(
        &self,
        key: &'static str,
        title: &str,
        text: &str,
    ) -> Result<MessageTemplate, ForwardError> {
        MessageTemplate::new(title, text).map_err(|why| self.fault(key, why))
    }

    /// The value of a header with a secret in it.
    pub(super) fn authorization(
        &self,
        key: &'static str,
        scheme: &str,
        secret: &Secret,
    ) -> Result<HeaderValue, ForwardError> {
        authorization(scheme, secret).map_err(|why| self.fault(key, why))
    }

    /// The HTTP door, which hides every secret that was read.
    pub(super) fn door(self, config: &HttpConfig) -> Result<HttpDoor, ForwardError> {
        HttpDoor::new(self.name, config, self.with, self.redaction)
    }

    /// What hides every secret that was read.
    pub(super) fn into_redaction(self) -> Redaction {
        self.redaction
    }
}

/// The value of `Authorization`, kept from logs.
///
/// # Errors
/// That the secret cannot stand in a header.
pub(super) fn authorization(scheme: &str, secret: &Secret) -> Result<HeaderValue, &'static str> {
    let mut value = HeaderValue::from_str(&format!("{scheme} {}", secret.expose().trim()))
        .map_err(|_| "the secret has characters that cannot stand in a header")?;
    value.set_sensitive(true);
    Ok(value)
}

/// An address with further segments behind its path.
pub(super) fn below<'s>(base: &Url, segments: impl IntoIterator<Item = &'s str>) -> Url {
    let mut url = base.clone();
    if let Ok(mut path) = url.path_segments_mut() {
        path.pop_if_empty().extend(segments);
    }
    url
}
