//! Hawk's flattened copies (`Simple_…`): a record whose parameters are columns. Sample: `hawk.sample.json`.
//!
//! The whole record stands in another file of the same folder, under the same id.

use crate::normalise::shape::{Form, Place, Shape, says};

pub(super) const SHAPE: Shape = Shape {
    name: "a flattened row of Hawk's",
    known_by: &["Operation", "Param_*", "!Parameters"],
    record: Place::Itself,
    whole: &[],
    says: &[says("Parameters", &[], Form::Pairs("Param_"))],
    is_kept: false,
};
