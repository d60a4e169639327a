//! The table of a log source in any style: product, service and category, or fewer of them.

use rsigma_parser::LogSource;
use schemas::tables::Table;

use super::built_in::built_in;
use super::user_mapping::{TableMapping, UserMapping};
use crate::error::RuleError;

/// The table that holds a rule's log source; names of `user_mapping` come before our own.
///
/// The service decides; a category does where there is no service. Without a product, the service's name must
/// belong to one table alone.
///
/// # Errors
/// [`RuleError::LogSource`] if no table holds it, or more than one might.
pub(crate) fn table(user_mapping: &UserMapping, logsource: &LogSource) -> Result<Table, RuleError> {
    let product = logsource.product.as_deref();
    let service = logsource
        .service
        .as_deref()
        .or(logsource.category.as_deref());
    for sources in [user_mapping.sources(), built_in().sources()] {
        let mut found = sources.iter().filter(|source: &&TableMapping| {
            source
                .logsources
                .iter()
                .any(|names| names.has(product, service))
        });
        match (found.next(), found.next()) {
            (Some(only), None) => return Ok(only.table),
            (Some(first), Some(_)) if product.is_some() => return Ok(first.table),
            (Some(_), Some(_)) => break,
            (None, _) => {}
        }
    }
    Err(RuleError::LogSource {
        logsource: describe(logsource),
        known: known(user_mapping),
    })
}

fn describe(logsource: &LogSource) -> String {
    [&logsource.product, &logsource.category, &logsource.service]
        .into_iter()
        .flatten()
        .cloned()
        .collect::<Vec<_>>()
        .join("/")
}

/// One product and service for each table, as an example of what is known.
fn known(user_mapping: &UserMapping) -> String {
    let example = |source: &TableMapping| {
        let names = source.logsources.first()?;
        let services: Vec<&str> = names.services.iter().take(3).map(String::as_str).collect();
        let product = names.products.first()?;
        Some(format!(
            "{} ({product}/{})",
            source.table,
            services.join("|")
        ))
    };
    let all = user_mapping.sources().iter().chain(built_in().sources());
    all.filter_map(example).collect::<Vec<_>>().join(", ")
}
