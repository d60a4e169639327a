//! From the text of a rule to a formula over tests of fields.

pub(crate) mod detection;
mod item;
mod meaning;
pub(crate) mod modifiers;
mod text;
