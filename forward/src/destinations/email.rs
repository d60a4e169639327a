//! `email` destination: mail over SMTP, with STARTTLS or TLS from the start.
//!
//! Delivery: at least once; a mail counts as delivered when the server answers 250 to it, and so has it in its queue.
//! Idempotency: `Message-ID` is made of the notice's key, the same in every try, by which many stores keep one of two.
//! A server that refuses the mail for good (5yz) makes a dead letter; one that does not want it now (4yz) gets it again.
//!
//! The mail is `text/plain`: nothing in it is markup. What stands in a header is encoded by the library (RFC 2047), and
//! has no line breaks before ([`crate::formats::message`]), so nothing can begin another header.
//! Source: RFC 5321, RFC 3207, RFC 5322.

use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use lettre::message::header::{ContentType, Header, HeaderName, HeaderValue};
use lettre::message::{Mailbox, SinglePart};
use lettre::transport::smtp::authentication::Credentials;
use lettre::transport::smtp::client::{Certificate, Tls, TlsParameters};
use lettre::transport::smtp::extension::ClientId;
use lettre::{AsyncSmtpTransport, AsyncTransport as _, Message, Tokio1Executor};
use schemas::limits::SETTING_BYTES_MAX;
use schemas::small_file;
use serde::{Deserialize, Serialize};

use super::one_by_one::{self, SendOne};
use super::opening::Opening;
use crate::contract::Notice;
use crate::destination::{BatchLimits, Destination, Outcome, Reply, Retry, Validated};
use crate::error::ForwardError;
use crate::formats::message::MessageTemplate;
use crate::guard::{Guard, Network};
use crate::said::Redaction;
use crate::surroundings::Surroundings;

/// Most notices of a batch: a mail each.
const NOTICES_MAX: usize = 20;

/// Most bytes of them.
const BYTES_MAX: usize = 4 * 1024 * 1024;

/// Longest wait for an answer of the server: RFC 5321 allows minutes, and whoever is told something urgent does not.
const TIMEOUT: Duration = Duration::from_secs(15);

/// How the connection is encrypted.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum MailEncryption {
    /// By STARTTLS, and not at all without it (port 587).
    #[default]
    Starttls,
    /// From the start (port 465).
    Tls,
    /// Not at all: only to a server on this machine.
    None,
}

/// A server that takes mail, and whom it is for.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct EmailConfig {
    /// The server's name.
    pub server: String,
    /// Its port; 587 for STARTTLS.
    #[serde(default = "port")]
    pub port: u16,
    /// `starttls`, `tls` or `none`.
    #[serde(default)]
    pub encryption: MailEncryption,
    /// PEM file with certificate authorities that are trusted besides the system's; empty for none.
    #[serde(default)]
    pub ca_file: PathBuf,
    /// Networks that may be reached although they are private, for example `["10.20.0.0/16"]`; all others are refused.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub allow_networks: Vec<Network>,
    /// A user; empty for none.
    #[serde(default)]
    pub user: String,
    /// Reference to the user's password.
    #[serde(default)]
    pub password: String,
    /// Who writes, for example `vedette <vedette@contoso.example>`.
    pub from: String,
    /// Whom to.
    pub to: Vec<String>,
    /// Template of the subject; empty for vedette's own.
    #[serde(default)]
    pub title: String,
    /// Template of the text; empty for vedette's own.
    #[serde(default)]
    pub text: String,
}

const fn port() -> u16 {
    587
}

/// Sends notices by mail.
pub struct EmailDestination {
    server: String,
    port: u16,
    guard: Guard,
    tls: Tls,
    credentials: Option<Credentials>,
    from: Mailbox,
    to: Vec<Mailbox>,
    template: MessageTemplate,
    redaction: Redaction,
}

impl EmailDestination {
    /// A destination; nothing is connected yet.
    ///
    /// # Errors
    /// [`ForwardError::Setting`] if a setting cannot be used or the password cannot be read.
    pub fn new(
        name: &str,
        config: &EmailConfig,
        with: &Surroundings,
    ) -> Result<Self, ForwardError> {
        let mut opening = Opening::new(name, with);
        let template = opening.template("to.email.title or text", &config.title, &config.text)?;
        let from = mailbox(&config.from).map_err(|why| opening.fault("to.email.from", why))?;
        let to: Vec<Mailbox> = config
            .to
            .iter()
            .map(|address| mailbox(address))
            .collect::<Result<_, _>>()
            .map_err(|why| opening.fault("to.email.to", why))?;
        if to.is_empty() {
            return Err(opening.fault("to.email.to", "it names nobody"));
        }
        let is_here = ["localhost", "127.0.0.1", "::1"].contains(&config.server.as_str());
        if config.encryption == MailEncryption::None && !is_here {
            let why =
                "whoever is on the way would read the mail and the password; fix: starttls or tls";
            return Err(opening.fault("to.email.encryption", why));
        }
        let tls = encryption(config).map_err(|why| opening.fault("to.email.ca_file", why))?;
        let mut credentials = None;
        if !config.user.is_empty() {
            let password = opening.secret("to.email.password", &config.password)?;
            let password = password.expose().trim_end().to_owned();
            credentials = Some(Credentials::new(config.user.clone(), password));
        }
        Ok(Self {
            server: config.server.clone(),
            port: config.port,
            guard: Guard::new(config.allow_networks.clone()),
            tls,
            credentials,
            from,
            to,
            template,
            redaction: opening.into_redaction(),
        })
    }

    /// What sends to the server, at an address that the guard allows.
    async fn transport(&self) -> Result<AsyncSmtpTransport<Tokio1Executor>, String> {
        let found = tokio::net::lookup_host((self.server.as_str(), self.port))
            .await
            .map_err(|error| format!("it could not be found: {error}"))?;
        let allowed = self.guard.allowed(&self.server, found)?;
        let address = allowed.first().ok_or("its name leads to no address")?;
        // The certificate is that of the server's name, whatever address was looked at.
        let mut builder =
            AsyncSmtpTransport::<Tokio1Executor>::builder_dangerous(address.ip().to_string())
                .port(self.port)
                .tls(self.tls.clone())
                .hello_name(ClientId::Domain(self.from.email.domain().to_owned()))
                .timeout(Some(TIMEOUT));
        if let Some(credentials) = &self.credentials {
            builder = builder.credentials(credentials.clone());
        }
        Ok(builder.build())
    }

    /// The mail about a notice.
    ///
    /// # Errors
    /// Why it cannot be written as mail.
    pub fn mail(&self, notice: &Notice) -> Result<Message, String> {
        let message = self.template.message(notice);
        let domain = self.from.email.domain();
        let mut builder = Message::builder()
            .from(self.from.clone())
            .subject(message.title)
            .message_id(Some(format!(
                "<{}@{domain}>",
                message_id(&notice.idempotency_key())
            )))
            .header(AutoSubmitted);
        for to in &self.to {
            builder = builder.to(to.clone());
        }
        let part = SinglePart::builder()
            .header(ContentType::TEXT_PLAIN)
            .body(message.text);
        builder.singlepart(part).map_err(|error| error.to_string())
    }
}

/// Says that a program writes, so that no other one answers: RFC 3834, section 5.
#[derive(Debug, Clone)]
struct AutoSubmitted;

impl Header for AutoSubmitted {
    fn name() -> HeaderName {
        HeaderName::new_from_ascii_str("Auto-Submitted")
    }

    fn parse(_: &str) -> Result<Self, Box<dyn std::error::Error + Send + Sync>> {
        Ok(Self)
    }

    fn display(&self) -> HeaderValue {
        HeaderValue::new(Self::name(), "auto-generated".to_owned())
    }
}

/// The left side of a message's id: letters, digits, dots and dashes of the key, which our ids are made of.
fn message_id(key: &str) -> String {
    let is_plain = |letter: &char| letter.is_ascii_alphanumeric() || ".-_".contains(*letter);
    key.chars().filter(is_plain).take(200).collect()
}

fn mailbox(address: &str) -> Result<Mailbox, String> {
    address
        .parse()
        .map_err(|error| format!("\"{address}\" is no address of mail: {error}"))
}

fn encryption(config: &EmailConfig) -> Result<Tls, String> {
    let mut parameters = TlsParameters::builder(config.server.clone());
    if !config.ca_file.as_os_str().is_empty() {
        let shown = config.ca_file.display();
        let pem = small_file::read_text(&config.ca_file, SETTING_BYTES_MAX)
            .map_err(|error| format!("{shown} cannot be read: {error}"))?;
        let authority = Certificate::from_pem(pem.as_bytes())
            .map_err(|error| format!("{shown} has no certificate in PEM: {error}"))?;
        parameters = parameters.add_root_certificate(authority);
    }
    let parameters = parameters
        .build_rustls()
        .map_err(|error| error.to_string())?;
    Ok(match config.encryption {
        MailEncryption::Starttls => Tls::Required(parameters),
        MailEncryption::Tls => Tls::Wrapper(parameters),
        MailEncryption::None => Tls::None,
    })
}

/// What an answer of the server means for a mail.
///
/// Source: RFC 5321, section 4.2.3; RFC 4954, section 6, for 530 to 538.
fn outcome(error: &lettre::transport::smtp::Error, why: String) -> Outcome {
    let code = error.status().map(u16::from);
    match code {
        // What is wrong with the credentials or the addresses is wrong for every mail.
        Some(530..=538) => Outcome::Retry(Retry::because(format!(
            "{why}; fix: look at user and password"
        ))),
        Some(550 | 551 | 553) => {
            Outcome::Retry(Retry::because(format!("{why}; fix: look at from and to")))
        }
        Some(500..=599) => Outcome::Refused { why },
        _ => Outcome::Retry(Retry::because(why)),
    }
}

#[async_trait]
impl SendOne for EmailDestination {
    async fn send_one(&self, notice: &Notice) -> (Outcome, String) {
        let mail = match self.mail(notice) {
            Ok(mail) => mail,
            Err(why) => {
                let why = format!("it cannot be written as mail: {why}");
                return (Outcome::Refused { why: why.clone() }, why);
            }
        };
        let transport = match self.transport().await {
            Ok(transport) => transport,
            Err(why) => return (Outcome::Retry(Retry::because(why.clone())), why),
        };
        match transport.send(mail).await {
            Ok(answer) => {
                let text = answer.message().collect::<Vec<_>>().join(" ");
                (
                    Outcome::Delivered,
                    self.redaction.said(&format!("{} {text}", answer.code())),
                )
            }
            Err(error) => {
                let why = self.redaction.said(&schemas::fate::chain(&error));
                (outcome(&error, why.clone()), why)
            }
        }
    }
}

#[async_trait]
impl Destination for EmailDestination {
    fn limits(&self) -> BatchLimits {
        BatchLimits {
            notices_max: NOTICES_MAX,
            bytes_max: BYTES_MAX,
        }
    }

    async fn deliver(&mut self, batch: &[Arc<Notice>]) -> Reply {
        one_by_one::deliver(self, batch, Duration::ZERO).await
    }

    async fn validate(&mut self) -> Vec<Validated> {
        let what = "the server answers, and takes the credentials";
        let transport = match self.transport().await {
            Ok(transport) => transport,
            Err(why) => return vec![Validated::fault(what, why)],
        };
        vec![match transport.test_connection().await {
            Ok(true) => Validated::well(what),
            Ok(false) => Validated::fault(what, "it closed the connection"),
            Err(error) => {
                Validated::fault(what, self.redaction.said(&schemas::fate::chain(&error)))
            }
        }]
    }
}
