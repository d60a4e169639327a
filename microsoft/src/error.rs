//! What can go wrong on the way to Microsoft, and what happens next.

use std::time::Duration;

use schemas::fate::Fate;

use crate::aadsts::{Meaning, Refusal};
use crate::audience::Audience;

/// Why a call to Microsoft brought no answer that can be used.
#[derive(Debug, thiserror::Error)]
pub enum MicrosoftError {
    /// A base URL is none, or would send a token in the clear.
    #[error("cannot use \"{text}\" as an endpoint")]
    Endpoint {
        /// What was given.
        text: String,
    },
    /// The audience has no HTTP endpoint in this cloud.
    #[error("{audience} has no http endpoint in this cloud")]
    NoEndpoint {
        /// The audience.
        audience: Audience,
    },
    /// Microsoft asked for a pause that is not over, and no request was sent.
    #[error("{audience} asked for a pause of {} s more", wait.as_secs())]
    Throttled {
        /// The audience.
        audience: Audience,
        /// What is left of the pause.
        wait: Duration,
    },
    /// The HTTP client cannot be built from its configuration.
    #[error("cannot build the http client: {part} is not usable")]
    HttpConfig {
        /// The key of the configuration.
        part: &'static str,
    },
    /// A URL from a response leads to a host that must not see the token.
    #[error("cannot send a token for {audience} to host \"{host}\"")]
    ForeignHost {
        /// The token's audience.
        audience: Audience,
        /// The host of the URL.
        host: String,
    },
    /// The identity platform gave no token.
    #[error("could not get a token for {audience}: {refusal}")]
    Token {
        /// The token's audience.
        audience: Audience,
        /// What the platform said.
        refusal: Refusal,
    },
    /// The application's certificate or token file cannot be used.
    #[error("cannot use the application's credential: {problem}")]
    Credential {
        /// What is wrong, without anything of the credential.
        problem: String,
    },
    /// Microsoft answered with a status that is no success.
    #[error(
        "could not {method} (status {status}, code \"{code}\", request {request_id}): {message}"
    )]
    Refused {
        /// Method of the request.
        method: Box<str>,
        /// HTTP status.
        status: u16,
        /// Microsoft's error code, or empty.
        code: String,
        /// Microsoft's message: at most [`crate::MESSAGE_BYTES_MAX`] bytes, secrets removed.
        message: String,
        /// Our `client-request-id`.
        request_id: Box<str>,
        /// Microsoft's `request-id` of the answer, or empty.
        reply_id: Box<str>,
        /// How long Microsoft asks us to wait.
        retry_after: Option<Duration>,
    },
    /// The connection failed; for a request that changes something the outcome is unknown.
    #[error("could not reach \"{host}\" (request {request_id}): {kind}")]
    Transport {
        /// Host of the request.
        host: String,
        /// Our `client-request-id`.
        request_id: String,
        /// "connect", "timeout", "body" or "request".
        kind: &'static str,
    },
    /// The body is longer than [`schemas::limits::BODY_BYTES_MAX`].
    #[error(
        "body from \"{host}\" has {length_bytes} bytes or more, limit is {limit_bytes} (request {request_id})"
    )]
    BodyTooLarge {
        /// Host of the request.
        host: String,
        /// Our `client-request-id`.
        request_id: String,
        /// Its length, as far as it is known: as it was announced, or else what had come.
        length_bytes: u64,
        /// The bound.
        limit_bytes: usize,
    },
    /// A header's name or value cannot be sent.
    #[error("cannot send header \"{name}\"")]
    Header {
        /// Name of the header.
        name: String,
    },
}

/// Wait before the next try where the cause is a person's to mend: consent, a secret, a licence.
const MENDED_BY_A_PERSON: Duration = Duration::from_mins(5);

impl MicrosoftError {
    /// What happens next.
    pub fn fate(&self) -> Fate {
        match self {
            Self::Endpoint { .. }
            | Self::NoEndpoint { .. }
            | Self::HttpConfig { .. }
            | Self::Header { .. } => Fate::Stop,
            Self::Throttled { wait, .. } => Fate::Retry { after: *wait },
            Self::ForeignHost { .. } | Self::BodyTooLarge { .. } => Fate::DeadLetter,
            Self::Token { refusal, .. } => match refusal.meaning {
                Meaning::Transient => Fate::SOON,
                Meaning::Settling { after } => Fate::Retry { after },
                Meaning::Person | Meaning::Bug => Fate::Retry {
                    after: MENDED_BY_A_PERSON,
                },
            },
            Self::Refused {
                status,
                retry_after,
                ..
            } => match status {
                408 | 429 | 500..=599 => Fate::Retry {
                    after: retry_after.unwrap_or(Duration::from_secs(1)),
                },
                401 | 403 => Fate::Retry {
                    after: retry_after.unwrap_or(MENDED_BY_A_PERSON),
                },
                _ => Fate::DeadLetter,
            },
            // A token file is replaced now and then, and may be missing for a moment.
            Self::Transport { .. } | Self::Credential { .. } => Fate::SOON,
        }
    }

    /// HTTP status, where Microsoft answered.
    pub fn status(&self) -> Option<u16> {
        match self {
            Self::Refused { status, .. } => Some(*status),
            _ => None,
        }
    }

    /// Microsoft's error code, where it gave one.
    pub fn code(&self) -> Option<&str> {
        match self {
            Self::Refused { code, .. } if !code.is_empty() => Some(code),
            _ => None,
        }
    }

    /// True if a request that changes something may or may not have changed it: read it back.
    pub fn is_outcome_unknown(&self) -> bool {
        match self {
            Self::Transport { kind, .. } => *kind != "connect",
            Self::BodyTooLarge { .. } => true,
            Self::Refused { status, .. } => matches!(status, 408 | 500 | 502 | 504),
            _ => false,
        }
    }
}
