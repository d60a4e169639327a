//! How an application proves who it is: by a secret, by a certificate, or by a token of another identity provider.
//!
//! Protocol: Microsoft identity platform, client credentials with `client_secret`, or with `client_assertion`: a JSON web
//! token that is signed with the certificate's key, or the token of a federated identity (workload identity).

use std::fmt;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use aws_lc_rs::digest::{SHA256, digest};
use aws_lc_rs::rand::SystemRandom;
use aws_lc_rs::signature::{RSA_PSS_SHA256, RsaKeyPair};
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use rustls_pki_types::pem::PemObject as _;
use rustls_pki_types::{CertificateDer, PrivateKeyDer};
use schemas::small_file;
use serde_json::json;

use crate::error::MicrosoftError;
use schemas::secret::Secret;

/// How long an assertion is good for, in seconds; Microsoft takes ten minutes at most.
const ASSERTION_LIFETIME_S: i64 = 540;

/// How long before now an assertion begins, in seconds, for clocks that differ.
const ASSERTION_EARLY_S: i64 = 60;

/// Longest token of a federated identity, in bytes; the usual have about two thousand.
const FEDERATED_TOKEN_BYTES_MAX: u64 = 64 * 1024;

/// How an application proves who it is; its `Debug` shows no secret.
#[derive(Clone)]
pub enum Credential {
    /// A client secret.
    Secret(Secret),
    /// A certificate whose public part the registration has.
    Certificate(Certificate),
    /// A file with a token of another identity provider, which is read for each token: it is replaced while we run.
    FederatedTokenFile(PathBuf),
}

impl From<Secret> for Credential {
    fn from(secret: Secret) -> Self {
        Self::Secret(secret)
    }
}

impl fmt::Debug for Credential {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Secret(secret) => secret.fmt(formatter),
            Self::Certificate(certificate) => certificate.fmt(formatter),
            Self::FederatedTokenFile(path) => write!(formatter, "FederatedTokenFile({path:?})"),
        }
    }
}

/// What is sent with a request for a token.
pub(crate) enum Proof {
    Secret(Secret),
    Assertion(Secret),
}

impl Credential {
    /// True if it is a secret of nothing.
    pub fn is_empty(&self) -> bool {
        matches!(self, Self::Secret(secret) if secret.expose().is_empty())
    }

    /// The proof for a request to `token_url` at `now_us`.
    pub(crate) async fn proof(
        &self,
        client_id: &str,
        token_url: &str,
        now_us: i64,
    ) -> Result<Proof, MicrosoftError> {
        match self {
            Self::Secret(secret) => Ok(Proof::Secret(secret.clone())),
            Self::Certificate(certificate) => certificate
                .assertion(client_id, token_url, now_us)
                .map(Proof::Assertion),
            Self::FederatedTokenFile(path) => federated_token(path).await.map(Proof::Assertion),
        }
    }
}

async fn federated_token(path: &Path) -> Result<Secret, MicrosoftError> {
    let refused = |problem: &str| unusable(format!("{}: {problem}", path.display()));
    let file = path.to_owned();
    let read = move || small_file::read_text(&file, FEDERATED_TOKEN_BYTES_MAX);
    let text = tokio::task::spawn_blocking(read)
        .await
        .map_err(|_| refused("reading it ended by a fault"))?
        .map_err(|error| refused(&error.to_string()))?;
    let token = text.trim();
    if token.is_empty() || token.contains(char::is_whitespace) {
        return Err(refused("it holds no token"));
    }
    Ok(Secret::new(token))
}

fn unusable(problem: String) -> MicrosoftError {
    MicrosoftError::Credential { problem }
}

/// A certificate with its private key.
#[derive(Clone)]
pub struct Certificate {
    key: Arc<RsaKeyPair>,
    /// Hash of the certificate, as the registration is searched by it.
    thumbprint: String,
}

impl fmt::Debug for Certificate {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "Certificate({}, key redacted)", self.thumbprint)
    }
}

impl Certificate {
    /// Reads a PEM text with a certificate and its RSA key, in either order; of a chain, the first certificate counts.
    ///
    /// # Errors
    /// [`MicrosoftError::Credential`] names the part that cannot be used, and never shows it.
    pub fn from_pem(pem: &[u8]) -> Result<Self, MicrosoftError> {
        let refused = |problem: &str| unusable(format!("the certificate file {problem}"));
        let certificate = CertificateDer::from_pem_slice(pem)
            .map_err(|_| refused("has no certificate in PEM"))?;
        let key = PrivateKeyDer::from_pem_slice(pem)
            .map_err(|_| refused("has no private key in PEM, or an encrypted one"))?;
        let key = match &key {
            PrivateKeyDer::Pkcs8(key) => RsaKeyPair::from_pkcs8(key.secret_pkcs8_der()),
            PrivateKeyDer::Pkcs1(key) => RsaKeyPair::from_der(key.secret_pkcs1_der()),
            _ => return Err(refused("has a key that is not RSA")),
        };
        let key = key.map_err(|_| refused("has a key that is not RSA of 2048 bits or more"))?;
        Ok(Self {
            key: Arc::new(key),
            thumbprint: URL_SAFE_NO_PAD.encode(digest(&SHA256, &certificate)),
        })
    }

    /// A token of our own that says who asks, where and when, signed with the key.
    fn assertion(
        &self,
        client_id: &str,
        token_url: &str,
        now_us: i64,
    ) -> Result<Secret, MicrosoftError> {
        let issued_s = now_us.div_euclid(1_000_000);
        let header = json!({"alg": "PS256", "typ": "JWT", "x5t#S256": self.thumbprint});
        let claims = json!({
            "aud": token_url,
            "iss": client_id,
            "sub": client_id,
            "jti": uuid::Uuid::new_v4().to_string(),
            "iat": issued_s,
            "nbf": issued_s - ASSERTION_EARLY_S,
            "exp": issued_s + ASSERTION_LIFETIME_S,
        });
        let encode = |part: serde_json::Value| URL_SAFE_NO_PAD.encode(part.to_string());
        let signed = format!("{}.{}", encode(header), encode(claims));
        let mut signature = vec![0; self.key.public_modulus_len()];
        self.key
            .sign(
                &RSA_PSS_SHA256,
                &SystemRandom::new(),
                signed.as_bytes(),
                &mut signature,
            )
            .map_err(|_| unusable("the certificate's key could not sign".to_owned()))?;
        let signature = URL_SAFE_NO_PAD.encode(signature);
        Ok(Secret::new(format!("{signed}.{signature}")))
    }
}

#[cfg(test)]
mod tests {
    use super::{Certificate, Credential, Proof};
    use aws_lc_rs::digest::{SHA256, digest};
    use aws_lc_rs::encoding::{AsDer as _, Pkcs8V1Der};
    use aws_lc_rs::rsa::KeySize;
    use aws_lc_rs::signature::{
        KeyPair as _, RSA_PSS_2048_8192_SHA256, RsaKeyPair, UnparsedPublicKey,
    };
    use base64::Engine as _;
    use base64::engine::general_purpose::{STANDARD, URL_SAFE_NO_PAD};
    use serde_json::Value;

    const URL: &str = "https://login.microsoftonline.com/t/oauth2/v2.0/token";

    /// What is hashed as the certificate; it is never read.
    const CERTIFICATE: &[u8] = b"stands for a certificate";

    fn pem(kind: &str, der: &[u8]) -> String {
        let text = STANDARD.encode(der);
        let lines: Vec<&str> = text
            .as_bytes()
            .chunks(64)
            .map(|line| std::str::from_utf8(line).unwrap())
            .collect();
        format!(
            "-----BEGIN {kind}-----\n{}\n-----END {kind}-----\n",
            lines.join("\n")
        )
    }

    #[tokio::test]
    async fn a_certificate_signs_what_microsoft_asks_for() {
        let key = RsaKeyPair::generate(KeySize::Rsa2048).unwrap();
        let der: Pkcs8V1Der<'_> = key.as_der().unwrap();
        let file = pem("PRIVATE KEY", der.as_ref()) + &pem("CERTIFICATE", CERTIFICATE);
        let credential = Credential::Certificate(Certificate::from_pem(file.as_bytes()).unwrap());
        let Proof::Assertion(assertion) = credential.proof("app", URL, 7_000_000).await.unwrap()
        else {
            panic!("a certificate is no secret");
        };
        let (signed, signature) = assertion.expose().rsplit_once('.').unwrap();
        let signature = URL_SAFE_NO_PAD.decode(signature).unwrap();
        UnparsedPublicKey::new(&RSA_PSS_2048_8192_SHA256, key.public_key().as_ref())
            .verify(signed.as_bytes(), &signature)
            .unwrap();
        let parts: Vec<Value> = signed
            .split('.')
            .map(|part| serde_json::from_slice(&URL_SAFE_NO_PAD.decode(part).unwrap()).unwrap())
            .collect();
        let thumbprint = URL_SAFE_NO_PAD.encode(digest(&SHA256, CERTIFICATE));
        assert_eq!(parts[0]["x5t#S256"], thumbprint.as_str());
        assert_eq!(parts[0]["alg"], "PS256");
        assert_eq!(
            (&parts[1]["iss"], &parts[1]["sub"]),
            (&"app".into(), &"app".into())
        );
        assert_eq!(parts[1]["aud"], URL);
        assert_eq!(parts[1]["nbf"], -53);
        assert!(parts[1]["exp"].as_i64().unwrap() - parts[1]["nbf"].as_i64().unwrap() <= 600);
        assert!(!format!("{credential:?}").contains(&signature_text(&assertion)));
    }

    fn signature_text(assertion: &crate::Secret) -> String {
        assertion.expose().to_owned()
    }

    #[test]
    fn what_is_no_certificate_with_its_key_is_named_and_not_shown() {
        let certificate = pem("CERTIFICATE", CERTIFICATE);
        let canary = "canary7f3c".repeat(10);
        let key = pem("PRIVATE KEY", canary.as_bytes());
        for (file, part) in [
            (String::new(), "no certificate"),
            (certificate.clone(), "no private key"),
            (certificate + &key, "not RSA"),
        ] {
            let error = Certificate::from_pem(file.as_bytes())
                .unwrap_err()
                .to_string();
            assert!(error.contains(part), "{error}");
            assert!(!error.contains("canary"), "{error}");
        }
    }
}
