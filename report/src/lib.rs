//! What an import found, as one page of HTML that needs nothing else, or as JSON.
//!
//! Pure: a [`Report`] in, text out; no lake, no clock, no file. On the page everything is grouped, counted, sorted and cut
//! in Rust; the template only prints. What is cut is counted on the page: nothing is hidden silently. The page has no
//! script, no font and no network.
//!
//! ```
//! use report::{Report, Tenant, to_html, to_json};
//!
//! let found = Report {
//!     tenants: vec![Tenant { id: "7f3c".to_owned(), name: "<b>harbour.example</b>".to_owned() }],
//!     ..Report::default()
//! };
//! let page = to_html(&found)?;
//! assert!(page.contains("&lt;b&gt;harbour.example"));
//! assert!(to_json(&found).contains("harbour.example"));
//! # Ok::<(), report::PageError>(())
//! ```
//!
//! | module | decides |
//! |---|---|
//! | [`input`] | what a report is made from |
//! | [`bounds`] | how much of it a page shows |
//! | `raised` | which alerts are shown in full, whose they are, which events they have |
//! | `accounts` | alerts by account and rule, with their evidence |
//! | `coverage` | what was read, what could not be, which questions stay open |
//! | `timeline` | when: the strip, and the days under it |
//! | `entities`, `techniques` | who and what takes part, and how |
//! | `headline` | the first screen |
//! | `page`, `document` | all of it as HTML, and as JSON |
//! | `text`, `moment` | hostile text made inert, times and numbers for people |

mod accounts;
pub mod bounds;
mod coverage;
mod document;
mod entities;
mod headline;
pub mod input;
mod moment;
mod page;
mod raised;
mod techniques;
#[cfg(test)]
mod tests;
mod text;
mod timeline;

pub use document::to_json;
pub use entities::listed;
pub use input::{
    Added, DayLine, EntityKind, EventLine, FileLine, Made, Report, Sighting, TableLine, Tenant,
};
pub use page::{PageError, to_html};
pub use raised::evidence_in_full;
