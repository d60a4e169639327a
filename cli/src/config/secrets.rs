//! Secrets: read by reference, told by the names of settings, and never shown.

use std::os::unix::fs::PermissionsExt as _;
use std::path::Path;

use anyhow::Context as _;
use microsoft::Secret;
use schemas::limits::SETTING_BYTES_MAX;
use schemas::small_file;

/// What is shown instead of a secret.
pub(super) const NOT_SHOWN: &str = "(not shown)";

/// Reads a secret by its reference, `env:NAME` or `file:PATH`.
pub(super) fn read_secret(reference: &str) -> anyhow::Result<Secret> {
    let text = match split(reference) {
        Some(Reference::Environment(name)) => environment(name)?,
        Some(Reference::File(path)) => {
            check_file(Path::new(path))?;
            small_file::read_text(Path::new(path), SETTING_BYTES_MAX)
                .with_context(|| format!("cannot read the secret file {path}"))?
        }
        None => anyhow::bail!(
            "a secret must be a reference, env:NAME or file:PATH, so that the configuration can be shared"
        ),
    };
    let text = text.trim_end_matches(['\r', '\n']);
    anyhow::ensure!(!text.is_empty(), "the secret at {reference} is empty");
    Ok(Secret::new(text))
}

/// Where a secret is.
enum Reference<'a> {
    Environment(&'a str),
    File(&'a str),
}

fn split(text: &str) -> Option<Reference<'_>> {
    match text.split_once(':')? {
        ("env", name) => Some(Reference::Environment(name)),
        ("file", path) => Some(Reference::File(path)),
        _ => None,
    }
}

/// True if a setting's value says where its secret is.
pub(super) fn is_reference(value: &str) -> bool {
    split(value).is_some()
}

/// The path of a reference to a file.
pub(super) fn file_of(reference: &str) -> Option<&Path> {
    match split(reference)? {
        Reference::File(path) => Some(Path::new(path)),
        Reference::Environment(_) => None,
    }
}

/// Refuses a secret file that others may change: they could put theirs in its place.
fn check_file(path: &Path) -> anyhow::Result<()> {
    if let Some(mode) = mode(path) {
        anyhow::ensure!(
            mode & 0o022 == 0,
            "others may write to the secret file {}: chmod go-w {0}",
            path.display()
        );
    }
    Ok(())
}

/// The permission bits of a file; none if there is none or the system does not say.
pub(super) fn mode(path: &Path) -> Option<u32> {
    let facts = std::fs::metadata(path).ok()?;
    Some(facts.permissions().mode() & 0o7777)
}

/// True if a setting of this name holds a secret.
///
/// Names are librdkafka's and ours; what only says where a secret is, or who asks with it, is none.
pub(super) fn is_secret(name: &str) -> bool {
    let name = name.to_ascii_lowercase();
    let holds = [
        "password",
        "passphrase",
        "secret",
        "token",
        "credential",
        "key",
        ".pem",
        "oauthbearer.config",
        // A setting of Java clients that people copy; it holds the password in its text.
        "jaas.config",
    ]
    .iter()
    .any(|word| name.contains(word));
    let says_where = [
        "location",
        "file",
        "path",
        "url",
        "id",
        "method",
        "algorithm",
    ]
    .iter()
    .any(|word| name.ends_with(word));
    holds && !says_where
}

/// A setting as it may be shown: references as they are, secrets not at all.
pub(super) fn shown(name: &str, value: &str) -> String {
    if is_secret(name) && !is_reference(value) {
        NOT_SHOWN.to_owned()
    } else {
        without_user_info(value)
    }
}

/// A URL without the password before its host; any other text as it is.
pub(super) fn without_user_info(text: &str) -> String {
    let Some((scheme, rest)) = text.split_once("://") else {
        return text.to_owned();
    };
    let authority = rest.split(['/', '?', '#']).next().unwrap_or(rest);
    match authority.rfind('@') {
        Some(at) => format!("{scheme}://{NOT_SHOWN}{}", rest.get(at..).unwrap_or("")),
        None => text.to_owned(),
    }
}

/// True if a URL has something before its host, such as a name and a password.
pub(super) fn has_user_info(text: &str) -> bool {
    without_user_info(text) != text
}

#[expect(
    clippy::disallowed_methods,
    reason = "the one place that reads the environment"
)]
fn environment(name: &str) -> anyhow::Result<String> {
    std::env::var(name).with_context(|| format!("the environment variable {name} is not set"))
}

#[cfg(test)]
mod tests {
    use super::{is_secret, read_secret, shown, without_user_info};
    use std::os::unix::fs::PermissionsExt as _;

    #[test]
    fn a_secret_in_the_file_itself_is_refused_and_not_repeated() {
        let error = read_secret("hunter2-canary").expect_err("no reference");
        assert!(!format!("{error:#}").contains("hunter2"), "{error:#}");
    }

    #[test]
    fn a_secret_file_that_others_may_change_is_refused() {
        let folder = tempfile::tempdir().expect("a folder");
        let path = folder.path().join("secret");
        std::fs::write(&path, "hunter2\n").expect("it is written");
        let reference = format!("file:{}", path.display());
        let set = |mode| std::fs::set_permissions(&path, std::fs::Permissions::from_mode(mode));
        set(0o600).expect("a mode");
        assert_eq!(read_secret(&reference).expect("read").expose(), "hunter2");
        set(0o620).expect("a mode");
        let error = read_secret(&reference).expect_err("the group may change it");
        assert!(error.to_string().contains("chmod go-w"), "{error}");
    }

    #[test]
    fn secrets_are_told_by_their_names() {
        for name in [
            "sasl.password",
            "ssl.key.password",
            "ssl.key.pem",
            "ssl.keystore.password",
            "sasl.oauthbearer.client.secret",
            "sasl.oauthbearer.config",
            "sasl.jaas.config",
            "sasl.oauthbearer.assertion.private.key.passphrase",
        ] {
            assert!(is_secret(name), "{name}");
            assert_eq!(shown(name, "hunter2"), "(not shown)");
            assert_eq!(shown(name, "env:NAME"), "env:NAME");
        }
        for name in [
            "security.protocol",
            "ssl.key.location",
            "sasl.oauthbearer.token.endpoint.url",
            "sasl.username",
            "sasl.oauthbearer.client.credentials.client.id",
        ] {
            assert!(!is_secret(name), "{name}");
            assert_eq!(shown(name, "plain"), "plain");
        }
    }

    #[test]
    fn a_password_before_a_host_is_not_shown() {
        assert_eq!(
            without_user_info("http://ada:hunter2@proxy.example:3128/a@b"),
            "http://(not shown)@proxy.example:3128/a@b"
        );
        assert_eq!(without_user_info("http://proxy:3128"), "http://proxy:3128");
        assert_eq!(without_user_info("env:PROXY"), "env:PROXY");
    }
}
