//! What people ask about rules: what is wrong with them, why they match, whether they can, and how to leave out.

pub mod coverage;
pub mod explain;
pub mod lint;
pub mod tuning;
