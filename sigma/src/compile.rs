//! From the text of a rule to a formula over tests of fields.

pub mod detection;
pub mod item;
mod meaning;
pub(crate) mod modifiers;
pub mod text;
