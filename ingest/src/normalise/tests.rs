//! Cases of the normaliser.
