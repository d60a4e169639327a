//! The configuration that connects vedette to a simulated tenant, as a person would write it for a real one.

use std::path::Path;

use anyhow::Context as _;
use simulator::Connection;

use crate::config::Config;

/// Writes `vedette.toml` and the secrets that it names into a folder, which is its data folder too.
///
/// # Errors
/// If a file cannot be written.
pub(crate) fn write_configuration(folder: &Path, tenant: &Connection) -> anyhow::Result<Config> {
    let keep = |name: &str, text: &str| -> anyhow::Result<String> {
        let path = folder.join(name);
        std::fs::write(&path, text)
            .with_context(|| format!("could not write {}", path.display()))?;
        Ok(format!("file:{}", path.display()))
    };
    let text = format!(
        r#"# Written by vedette: a simulated tenant, so response is on.
data = {data:?}

[health]
address = "127.0.0.1:0"

[lake]
batch_wait_ms = 200

[http]
requests_per_minute = 60000

[respond]
dry_run = false
cool_down_s = 1
read_back_wait_ms = 200
automatic = ["block_sign_in", "revoke_sessions", "disable_inbox_rules"]
never_act = {never_act:?}

[[tenants]]
id = {id:?}
base_url = {base:?}

[tenants.read]
client_id = {read_id:?}
client_secret = {read_secret:?}

[tenants.act]
client_id = {act_id:?}
client_secret = {act_secret:?}

[tenants.management_activity]
poll_ms = 500

[tenants.graph_alerts]
poll_ms = 500

[[tenants.event_hubs]]
namespace = {namespace:?}
hub = {hub:?}
endpoint = {amqp:?}
"#,
        data = folder.display().to_string(),
        never_act = tenant.break_glass_ids,
        id = tenant.tenant_id,
        base = tenant.http_url,
        read_id = tenant.reading.client_id,
        read_secret = keep("read.secret", &tenant.reading.client_secret)?,
        act_id = tenant.acting.client_id,
        act_secret = keep("act.secret", &tenant.acting.client_secret)?,
        namespace = tenant.hub_namespace,
        hub = tenant.hub_name,
        amqp = tenant.amqp_url,
    );
    let path = folder.join("vedette.toml");
    std::fs::write(&path, &text).with_context(|| format!("could not write {}", path.display()))?;
    Config::parse(&text)
}
