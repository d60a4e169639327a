//! The key that signs the audit chain, so that who can write the journal cannot write it anew unseen.
//!
//! Hashes alone hold whoever edits an entry; who writes every later one anew has a chain that verifies. A signature over
//! the newest entry is one over all of them, and the key need not be where the journal is.
//!
//! Protocol: Ed25519 (RFC 8032) over `vedette audit head`, a zero byte, the sequence in 8 bytes with the lowest first, and
//! the hash in its hexadecimal letters; keys as PKCS #8 and as `SubjectPublicKeyInfo` in PEM, or as 64 hexadecimal digits.

use std::fmt;
use std::fs::OpenOptions;
use std::io::{self, Write as _};
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::{Path, PathBuf};

use aws_lc_rs::rand::SystemRandom;
use aws_lc_rs::signature::{ED25519, Ed25519KeyPair, KeyPair as _, UnparsedPublicKey};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use rustls_pki_types::pem::PemObject as _;
use rustls_pki_types::{PrivatePkcs8KeyDer, SubjectPublicKeyInfoDer};
use schemas::small_file;
use serde::{Deserialize, Serialize};

use super::Anchor;

/// What every signed text begins with, so that a signature of something else is none of an entry.
const CONTEXT: &[u8] = b"vedette audit head\0";

/// What stands before the 32 bytes of a public Ed25519 key in its `SubjectPublicKeyInfo`.
const PUBLIC_PREFIX: [u8; 12] = [
    0x30, 0x2a, 0x30, 0x05, 0x06, 0x03, 0x2b, 0x65, 0x70, 0x03, 0x21, 0x00,
];

/// Longest key file, in bytes: one in PEM has less than two hundred.
const FILE_BYTES_MAX: u64 = 16 * 1024;

/// Why a key cannot be used; nothing of the key is ever told.
#[derive(Debug, thiserror::Error)]
pub enum KeyError {
    /// The file cannot be read or made.
    #[error("cannot use the key file {path:?}")]
    File {
        /// The file.
        path: PathBuf,
        /// What the system said.
        #[source]
        cause: io::Error,
    },
    /// Others than its owner may read the file.
    #[error("others may read the key file {path:?}: chmod 600 it, or make another key")]
    Open {
        /// The file.
        path: PathBuf,
    },
    /// It is no Ed25519 key.
    #[error("{what} is no Ed25519 key: {expected}")]
    Malformed {
        /// The file, or the text.
        what: String,
        /// What it should be.
        expected: &'static str,
    },
    /// The system gave no random numbers.
    #[error("could not make a key")]
    NoRandomness,
}

/// The private key; its `Debug` shows the public one's id.
pub struct AuditKey(Ed25519KeyPair);

impl fmt::Debug for AuditKey {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "AuditKey({})", self.public().id())
    }
}

impl AuditKey {
    /// Makes a key in a new file that only its owner reads; an existing file is left alone.
    ///
    /// # Errors
    /// [`KeyError::File`] if there is such a file, or it cannot be made.
    pub fn make(path: &Path) -> Result<Self, KeyError> {
        let document = Ed25519KeyPair::generate_pkcs8v1(&SystemRandom::new())
            .map_err(|_| KeyError::NoRandomness)?;
        let pem = pem("PRIVATE KEY", document.as_ref());
        let write = || {
            let mut file = OpenOptions::new()
                .write(true)
                .create_new(true)
                .mode(0o600)
                .open(path)?;
            file.write_all(pem.as_bytes())?;
            file.sync_all()
        };
        write().map_err(|cause| KeyError::File {
            path: path.to_owned(),
            cause,
        })?;
        Self::read(path)
    }

    /// Reads a key file: PKCS #8 in PEM, as openssl writes it, or the 32 bytes of the seed in hexadecimal digits.
    ///
    /// # Errors
    /// [`KeyError`] if it cannot be read, others may read it too, or it is something else.
    pub fn read(path: &Path) -> Result<Self, KeyError> {
        let text = text_of(path, true)?;
        let pair = match seed(&text) {
            Some(seed) => Ed25519KeyPair::from_seed_unchecked(&seed).ok(),
            None => PrivatePkcs8KeyDer::from_pem_slice(text.as_bytes())
                .ok()
                .and_then(|der| {
                    Ed25519KeyPair::from_pkcs8_maybe_unchecked(der.secret_pkcs8_der()).ok()
                }),
        };
        pair.map(Self).ok_or_else(|| KeyError::Malformed {
            what: format!("{}", path.display()),
            expected: "a private one is PKCS #8 in PEM, or its seed in 64 hexadecimal digits",
        })
    }

    /// The public key.
    pub fn public(&self) -> PublicKey {
        let mut bytes = [0; 32];
        let known = self.0.public_key().as_ref();
        for (to, from) in bytes.iter_mut().zip(known) {
            *to = *from;
        }
        PublicKey(bytes)
    }

    /// Signs an entry, and with it all before it; none if the library cannot.
    pub fn sign(&self, entry: &Anchor) -> Option<Signed> {
        let signature = self.0.try_sign(&text(entry)).ok()?;
        Some(Signed {
            sequence: entry.sequence,
            hash: entry.hash.clone(),
            key_id: self.public().id(),
            signature: STANDARD.encode(signature.as_ref()),
        })
    }
}

/// A public key, with which signatures are checked.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct PublicKey([u8; 32]);

impl PublicKey {
    /// Reads a key that is given as 64 hexadecimal digits, or as the path of a file with them or with PEM.
    ///
    /// # Errors
    /// [`KeyError`] if it is neither.
    pub fn read(text: &str) -> Result<Self, KeyError> {
        if let Some(bytes) = seed(text) {
            return Ok(Self(bytes));
        }
        let found = text_of(Path::new(text), false)?;
        let of_pem = || {
            let der = SubjectPublicKeyInfoDer::from_pem_slice(found.as_bytes()).ok()?;
            <[u8; 32]>::try_from(der.strip_prefix(&PUBLIC_PREFIX)?).ok()
        };
        seed(&found)
            .or_else(of_pem)
            .map(Self)
            .ok_or_else(|| KeyError::Malformed {
                what: text.to_owned(),
                expected: "a public one is 64 hexadecimal digits, or PEM, as `vedette audit key` tells it",
            })
    }

    /// A short name of the key, that signatures carry.
    pub fn id(&self) -> String {
        blake3::hash(&self.0).to_hex().chars().take(16).collect()
    }

    /// Whether the key's owner signed this entry.
    pub fn has_signed(&self, signed: &Signed) -> bool {
        let entry = Anchor {
            sequence: signed.sequence,
            hash: signed.hash.clone(),
        };
        STANDARD.decode(&signed.signature).is_ok_and(|signature| {
            UnparsedPublicKey::new(&ED25519, &self.0)
                .verify(&text(&entry), &signature)
                .is_ok()
        })
    }
}

impl fmt::Display for PublicKey {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        for byte in self.0 {
            write!(formatter, "{byte:02x}")?;
        }
        Ok(())
    }
}

/// A signature over an entry, as the detail of a later one carries it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Signed {
    /// Sequence of the signed entry.
    pub sequence: u64,
    /// Its hash.
    pub hash: String,
    /// Which key signed.
    pub key_id: String,
    /// The signature, in base64.
    pub signature: String,
}

fn text(entry: &Anchor) -> Vec<u8> {
    let sequence = entry.sequence.to_le_bytes();
    [CONTEXT, &sequence, entry.hash.as_bytes()].concat()
}

fn text_of(path: &Path, is_secret: bool) -> Result<String, KeyError> {
    let cannot = |cause: io::Error| KeyError::File {
        path: path.to_owned(),
        cause,
    };
    let content = small_file::read(path, FILE_BYTES_MAX).map_err(cannot)?;
    if is_secret && content.mode & 0o077 != 0 {
        return Err(KeyError::Open {
            path: path.to_owned(),
        });
    }
    String::from_utf8(content.bytes).map_err(|_| {
        cannot(io::Error::new(
            io::ErrorKind::InvalidData,
            "it is not UTF-8",
        ))
    })
}

/// The 32 bytes that 64 hexadecimal digits mean.
fn seed(text: &str) -> Option<[u8; 32]> {
    let digits = text.trim().as_bytes();
    if digits.len() != 64 {
        return None;
    }
    let mut bytes = [0; 32];
    for (byte, pair) in bytes.iter_mut().zip(digits.chunks_exact(2)) {
        let pair = std::str::from_utf8(pair).ok()?;
        if !pair.chars().all(|digit| digit.is_ascii_hexdigit()) {
            return None;
        }
        *byte = u8::from_str_radix(pair, 16).ok()?;
    }
    Some(bytes)
}

fn pem(kind: &str, der: &[u8]) -> String {
    let text = STANDARD.encode(der);
    let mut lines = vec![format!("-----BEGIN {kind}-----")];
    let of_text = text.as_bytes().chunks(64);
    lines.extend(of_text.map(|line| String::from_utf8_lossy(line).into_owned()));
    lines.push(format!("-----END {kind}-----\n"));
    lines.join("\n")
}

#[cfg(test)]
mod tests {
    use std::fs;
    use std::os::unix::fs::PermissionsExt as _;

    use super::{AuditKey, KeyError, PUBLIC_PREFIX, PublicKey, pem, seed};
    use crate::audit::Anchor;

    /// RFC 8032, 7.1, the first test: seed and public key.
    const SEED: &str = "9d61b19deffd5a60ba844af492ec2cc44449c5697b326919703bac031cae7f60";
    const PUBLIC: &str = "d75a980182b10ab7d54bfed3c964073a0ee172f3daa62325af021a68f707511a";

    #[test]
    fn a_key_is_made_once_and_read_in_either_form() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("key");
        let made = AuditKey::make(&path).unwrap();
        let facts = fs::metadata(&path).unwrap();
        assert_eq!(facts.permissions().mode() & 0o777, 0o600);
        assert!(
            AuditKey::make(&path).is_err(),
            "an existing file is left alone"
        );
        assert_eq!(AuditKey::read(&path).unwrap().public(), made.public());
        assert!(!format!("{made:?}").contains(&made.public().to_string()));

        let of_seed = folder.path().join("seed");
        fs::write(&of_seed, format!("{SEED}\n")).unwrap();
        let open = AuditKey::read(&of_seed);
        assert!(matches!(open, Err(KeyError::Open { .. })), "{open:?}");
        fs::set_permissions(&of_seed, fs::Permissions::from_mode(0o600)).unwrap();
        let public = AuditKey::read(&of_seed).unwrap().public();
        assert_eq!(public.to_string(), PUBLIC);

        let of_public = folder.path().join("public");
        let der = [&PUBLIC_PREFIX[..], &seed(PUBLIC).unwrap()].concat();
        for text in [PUBLIC.to_owned(), pem("PUBLIC KEY", &der)] {
            fs::write(&of_public, text).unwrap();
            let read = PublicKey::read(of_public.to_str().unwrap()).unwrap();
            assert_eq!(read, public);
        }
        assert_eq!(PublicKey::read(PUBLIC).unwrap(), public);
        // A private key is not taken for a public one.
        let confused = PublicKey::read(path.to_str().unwrap());
        assert!(matches!(confused, Err(KeyError::Malformed { .. })));
    }

    #[test]
    fn a_signature_is_of_one_entry_and_one_key() {
        let folder = tempfile::tempdir().unwrap();
        let key = AuditKey::make(&folder.path().join("one")).unwrap();
        let other = AuditKey::make(&folder.path().join("other")).unwrap();
        let entry = Anchor {
            sequence: 7,
            hash: "0123abcd".to_owned(),
        };
        let signed = key.sign(&entry).unwrap();
        assert!(key.public().has_signed(&signed));
        assert!(!other.public().has_signed(&signed));
        let mut moved = signed.clone();
        moved.sequence += 1;
        assert!(!key.public().has_signed(&moved));
        let mut rewritten = signed.clone();
        rewritten.hash.push('0');
        assert!(!key.public().has_signed(&rewritten));
        let mut hostile = signed;
        hostile.signature = "no base64 at all".to_owned();
        assert!(!key.public().has_signed(&hostile));
    }
}
