//! What a destination is made with, beside its settings.

use std::fmt;
use std::sync::Arc;

use schemas::secret::Secret;

/// Reads a secret by its reference, `env:NAME` or `file:PATH`; an error names the reference, never the secret.
pub type ReadSecret = Arc<dyn Fn(&str) -> Result<Secret, String> + Send + Sync>;

/// What a destination is made with.
#[derive(Clone)]
pub struct Surroundings {
    /// Reads its secrets.
    pub read_secret: ReadSecret,
}

impl Surroundings {
    /// The secret at a reference.
    ///
    /// # Errors
    /// That it is no reference, or leads to nothing; never the secret.
    pub fn resolve_reference(&self, reference: &str) -> Result<Secret, String> {
        (self.read_secret)(reference)
    }

    /// A value that may be a secret: what a reference leads to, or the text itself.
    ///
    /// # Errors
    /// That the reference leads to nothing.
    pub fn resolve(&self, value: &str) -> Result<Secret, String> {
        if ["env:", "file:"].iter().any(|kind| value.starts_with(kind)) {
            return self.resolve_reference(value);
        }
        Ok(Secret::new(value))
    }
}

impl fmt::Debug for Surroundings {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("Surroundings")
    }
}
