//! TLS to destinations: the other side is always verified; private authorities and our own certificate are files.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use rustls::ClientConfig;
use rustls::crypto::aws_lc_rs;
use rustls_pki_types::pem::PemObject as _;
use rustls_pki_types::{CertificateDer, PrivateKeyDer};
use rustls_platform_verifier::Verifier;
use schemas::limits::SETTING_BYTES_MAX;
use schemas::small_file;
use serde::{Deserialize, Serialize};

use crate::surroundings::Surroundings;

/// Whom to trust, and who we are.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct TlsConfig {
    /// PEM file with certificate authorities that are trusted besides the system's; empty for none.
    pub ca_file: PathBuf,
    /// PEM file with our certificate, where the other side asks for one; empty for none.
    pub client_certificate: PathBuf,
    /// Its private key in PEM, by reference: `file:PATH` or `env:NAME`.
    pub client_key: String,
}

impl TlsConfig {
    /// Every path in it.
    pub fn paths_mut(&mut self) -> impl Iterator<Item = &mut PathBuf> {
        [&mut self.ca_file, &mut self.client_certificate]
            .into_iter()
            .filter(|path| !path.as_os_str().is_empty())
    }
}

/// What connects with it.
///
/// # Errors
/// What cannot be used, and why.
pub(crate) fn client(config: &TlsConfig, with: &Surroundings) -> Result<ClientConfig, String> {
    // Another provider is linked too, so none is chosen by itself.
    let provider = Arc::new(aws_lc_rs::default_provider());
    let authorities = certificates(&config.ca_file, "ca_file")?;
    let verifier = Verifier::new_with_extra_roots(authorities, Arc::clone(&provider))
        .map_err(|error| format!("the system's certificate authorities cannot be used: {error}"))?;
    let builder = ClientConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .map_err(|error| error.to_string())?
        .dangerous()
        .with_custom_certificate_verifier(Arc::new(verifier));
    let chain = certificates(&config.client_certificate, "client_certificate")?;
    if chain.is_empty() {
        return Ok(builder.with_no_client_auth());
    }
    let key = with.resolve_reference(&config.client_key)?;
    let key = PrivateKeyDer::from_pem_slice(key.expose().as_bytes())
        .map_err(|_| "client_key is no private key in PEM".to_owned())?;
    builder
        .with_client_auth_cert(chain, key)
        .map_err(|error| format!("client_certificate and client_key do not go together: {error}"))
}

/// The certificates of a file; none where no file is named.
fn certificates(path: &Path, key: &str) -> Result<Vec<CertificateDer<'static>>, String> {
    if path.as_os_str().is_empty() {
        return Ok(Vec::new());
    }
    let pem = small_file::read_text(path, SETTING_BYTES_MAX)
        .map_err(|error| format!("{key} {} cannot be read: {error}", path.display()))?;
    let found: Result<Vec<_>, _> = CertificateDer::pem_slice_iter(pem.as_bytes()).collect();
    match found {
        Ok(found) if !found.is_empty() => Ok(found),
        _ => Err(format!(
            "{key} {} has no certificate in PEM",
            path.display()
        )),
    }
}
