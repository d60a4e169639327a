//! Files of YAML and their documents, read within bounds and with the line of everything that is said of them.

pub(crate) mod bounds;
mod files;
pub(crate) mod lines;
mod source;

pub use self::files::{FILE_BYTES_MAX, Listing, read};
pub use self::source::DocumentSource;
