//! Places on the bus of destinations that are configured no more: on the embedded log, what they have not read stays for
//! ever.

use std::collections::BTreeMap;

use bus::{Bus, behind};

use crate::config::{DestinationConfig, group};
use crate::error::ForwardError;

/// The destinations that have a place on the bus and are not configured, and how many messages wait for each.
///
/// # Errors
/// [`ForwardError`] if the bus cannot be reached.
pub async fn left_behind(
    bus: &Bus,
    configured: &[DestinationConfig],
) -> Result<BTreeMap<String, i64>, ForwardError> {
    let mut left = BTreeMap::new();
    for (known, topic) in bus.groups().await? {
        let Some(name) = known.strip_prefix(&group("")) else {
            continue;
        };
        if configured
            .iter()
            .any(|destination| destination.name == name)
        {
            continue;
        }
        let (ends, committed) = (bus.ends(topic).await?, bus.committed(&known, topic).await?);
        *left.entry(name.to_owned()).or_default() += behind(&ends, &committed);
    }
    Ok(left)
}
