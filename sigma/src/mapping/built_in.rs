//! Our own tables of names.

use std::sync::LazyLock;

use super::user_mapping::UserMapping;

/// Our own tables, in the order in which a log source is looked for.
const BUILT_IN: &[(&str, &str)] = &[
    ("signins.yml", include_str!("signins.yml")),
    ("directory_audits.yml", include_str!("directory_audits.yml")),
    ("risk_events.yml", include_str!("risk_events.yml")),
    ("m365_activity.yml", include_str!("m365_activity.yml")),
    ("azure_activity.yml", include_str!("azure_activity.yml")),
    ("graph_activity.yml", include_str!("graph_activity.yml")),
    ("graph_alerts.yml", include_str!("graph_alerts.yml")),
];

/// Our own tables.
pub(crate) fn built_in() -> &'static UserMapping {
    static TABLES: LazyLock<UserMapping> = LazyLock::new(|| {
        let mut all = UserMapping::default();
        for (name, text) in BUILT_IN {
            match UserMapping::parse(name, text) {
                Ok(one) => all.join(one),
                // A test reads them all, so this is a table that was changed and never tested.
                Err(rejected) => tracing::error!(%rejected, "cannot read built-in table of names"),
            }
        }
        all
    });
    &TABLES
}

#[cfg(test)]
mod tests {
    use super::{BUILT_IN, UserMapping};

    #[test]
    fn every_built_in_table_is_read() {
        for (name, text) in BUILT_IN {
            let parsed = UserMapping::parse(name, text).map_err(|rejected| rejected.to_string());
            assert_eq!(parsed.map(|one| one.sources.len()), Ok(1), "{name}");
        }
    }
}
