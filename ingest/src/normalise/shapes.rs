//! How people's tools dress records: one file for each shape, beside a sample of it. Pure.
//!
//! A shape is a description in the words of [`super::shape`], read by [`super::undress`]: what it is known by, where the record stands in it, and what
//! stands around the record that the record does not say itself. How to add one: `docs/add-a-shape.md`.

mod audit_search;
mod cloud_app_events;
mod depth_losses;
mod elastic;
mod entra_portal;
mod entra_sign_in_events;
mod graph_audit_query;
mod hawk;
mod hunting_stream;
mod snake_case;
mod splunk;

use super::shape::Shape;

/// Every shape; the first that knows an object takes it.
pub(super) const ALL: &[&Shape] = &[
    &graph_audit_query::SHAPE,
    &cloud_app_events::SHAPE,
    &audit_search::SHAPE,
    &hunting_stream::SHAPE,
    &entra_sign_in_events::SHAPE,
    &entra_portal::SIGN_INS,
    &entra_portal::AUDITS,
    &elastic::HIT,
    &elastic::ORIGINAL,
    &elastic::AUDIT_LOG,
    &elastic::SIGN_INS,
    &elastic::AUDITS,
    &elastic::ACTIVITY,
    &splunk::RESULT,
    &splunk::ROW,
    &splunk::COLLECTED,
    &hawk::SHAPE,
    &depth_losses::SHAPE,
    &snake_case::SHAPE,
];

/// The shapes in which connectors get records; people's tools do not stand between.
pub(super) const LIVE: &[&Shape] = &[
    &graph_audit_query::SHAPE,
    &cloud_app_events::SHAPE,
    &audit_search::SHAPE,
    &hunting_stream::SHAPE,
];

#[cfg(test)]
mod tests;
