//! Defender's streaming API: a row of a hunting table in `properties`. Sample: `hunting_stream.sample.ndjson`.

use crate::normalise::shape::{Form, Place, Shape, same, says};

pub(super) const SHAPE: Shape = Shape {
    name: "Defender's stream",
    known_by: &["category=AdvancedHunting-*", "properties"],
    record: Place::Inside(&["properties"]),
    whole: &[],
    says: &[
        says("Type", &["category"], Form::Behind("AdvancedHunting-")),
        same("tenantId", &["tenantId"]),
        same("Timestamp", &["time"]),
    ],
    is_kept: false,
};
