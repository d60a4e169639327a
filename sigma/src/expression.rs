//! What a rule asks, apart from where it is answered: predicates on values, and formulas over their answers.

mod formula;
mod predicate;
mod record_path;
pub(crate) mod regex_text;
pub(crate) mod rewrite;
mod rows;
mod time_part;

pub(crate) use self::formula::{Formula, Residual, Ternary};
pub use self::predicate::{Fold, Leaf, Network, Number, Order, Question};
pub(crate) use self::predicate::{Position, Predicate, Relation};
pub(crate) use self::record_path::{Leaves, RecordPath, visit_texts};
pub(crate) use self::rows::Rows;
pub use self::time_part::TimePart;
