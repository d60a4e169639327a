//! A private authority, certificates of it, and a receiver that speaks TLS with them.
#![expect(
    clippy::expect_used,
    reason = "a test ends where its footing is missing"
)]

use std::path::PathBuf;
use std::sync::{Arc, Mutex};

use rcgen::{BasicConstraints, CertificateParams, CertifiedIssuer, IsCa, KeyPair};
use rustls::ServerConfig;
use rustls::server::WebPkiClientVerifier;
use rustls_pki_types::pem::PemObject as _;
use rustls_pki_types::{CertificateDer, PrivateKeyDer};
use tempfile::TempDir;
use tokio::net::TcpListener;
use tokio_rustls::TlsAcceptor;

use crate::receiver::{Behaviour, Received, serve};

/// A private authority, in files.
pub(crate) struct Authority {
    folder: TempDir,
    issuer: CertifiedIssuer<'static, KeyPair>,
}

impl Authority {
    pub(crate) fn new() -> Self {
        let folder = TempDir::new().expect("a folder");
        let mut params = CertificateParams::new(Vec::new()).expect("parameters");
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        let key = KeyPair::generate().expect("a key");
        let issuer = CertifiedIssuer::self_signed(params, key).expect("an authority");
        std::fs::write(folder.path().join("ca.pem"), issuer.pem()).expect("it is written");
        Self { folder, issuer }
    }

    pub(crate) fn ca_file(&self) -> PathBuf {
        self.folder.path().join("ca.pem")
    }

    /// A certificate and key for a name, in files.
    pub(crate) fn issue(&self, name: &str) -> (PathBuf, PathBuf) {
        let params = CertificateParams::new(vec![name.to_owned()]).expect("parameters");
        let key = KeyPair::generate().expect("a key");
        let certificate = params.signed_by(&key, &self.issuer).expect("a certificate");
        let path = |ending: &str| self.folder.path().join(format!("{name}.{ending}"));
        std::fs::write(path("pem"), certificate.pem()).expect("it is written");
        std::fs::write(path("key"), key.serialize_pem()).expect("it is written");
        (path("pem"), path("key"))
    }

    /// What a server shows, and whether it asks for a certificate of this authority.
    pub(crate) fn server(&self, name: &str, asks_for_ours: bool) -> Arc<ServerConfig> {
        let (certificate, key) = self.issue(name);
        let read = |path: PathBuf| std::fs::read(path).expect("a file");
        let chain: Vec<CertificateDer<'static>> =
            CertificateDer::pem_slice_iter(&read(certificate))
                .collect::<Result<_, _>>()
                .expect("a chain");
        let key = PrivateKeyDer::from_pem_slice(&read(key)).expect("a key");
        let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
        let builder = ServerConfig::builder_with_provider(Arc::clone(&provider))
            .with_safe_default_protocol_versions()
            .expect("versions");
        let builder = if asks_for_ours {
            let mut roots = rustls::RootCertStore::empty();
            let root =
                CertificateDer::from_pem_slice(self.issuer.pem().as_bytes()).expect("a root");
            roots.add(root).expect("it is added");
            let verifier = WebPkiClientVerifier::builder_with_provider(Arc::new(roots), provider)
                .build()
                .expect("a verifier");
            builder.with_client_cert_verifier(verifier)
        } else {
            builder.with_no_client_auth()
        };
        Arc::new(builder.with_single_cert(chain, key).expect("a server"))
    }
}

/// A receiver that speaks TLS; gives its port and what it received.
pub(crate) async fn https(
    config: Arc<ServerConfig>,
    behaviour: Behaviour,
) -> (u16, Arc<Mutex<Vec<Received>>>) {
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
    let port = listener.local_addr().expect("an address").port();
    let received = Arc::new(Mutex::new(Vec::new()));
    let kept = Arc::clone(&received);
    tokio::spawn(async move {
        let acceptor = TlsAcceptor::from(config);
        let behaviour = Arc::new(Mutex::new(behaviour));
        while let Ok((stream, _)) = listener.accept().await {
            let (acceptor, kept) = (acceptor.clone(), Arc::clone(&kept));
            let behaviour = Arc::clone(&behaviour);
            tokio::spawn(async move {
                // Whoever does not trust us leaves here.
                if let Ok(stream) = acceptor.accept(stream).await {
                    serve(stream, &kept, &behaviour).await;
                }
            });
        }
    });
    (port, received)
}
