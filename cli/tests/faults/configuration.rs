//! The configuration of a run: a simulated tenant, a data folder, and topics of its own.

use serde_json::Value;

use crate::broker::Broker;
use crate::pipeline::{Pipeline, Round};
use crate::profile::Mode;

/// What the names of a run's topics begin with.
pub(crate) fn prefix(round: &Round) -> String {
    format!(
        "{}.seed{}.{:?}.{}.",
        std::process::id(),
        round.seed,
        round.mode,
        round.turn
    )
}

/// Where the stages meet, with topics of this run's own.
fn bus(pipeline: &Pipeline, broker: Option<&Broker>) -> String {
    let Some(broker) = broker else {
        return String::new();
    };
    format!(
        "[bus.kafka]\ndevelopment = true\nbrokers = \"{}\"\nprefix = \"{}\"",
        broker.address(),
        pipeline.prefix
    )
}

/// The file of all processes.
pub(crate) fn configuration(
    pipeline: &Pipeline,
    broker: Option<&Broker>,
    round: &Round,
    ready: &Value,
) -> String {
    let folder = pipeline.folder.path().display();
    let text = |key: &str| ready[key].as_str().unwrap().to_owned();
    format!(
        r#"
data = "{folder}/data"

[health]
address = "127.0.0.1:0"

{bus}

[lake]
batch_wait_ms = 200

[http]
requests_per_minute = 60000

[respond]
cool_down_s = 1
read_back_wait_ms = 200
dry_run = {dry_run}
automatic = ["block_sign_in", "revoke_sessions", "disable_inbox_rules"]
never_act = {never_act}

[[tenants]]
id = "{tenant}"
base_url = "{base}"

[tenants.read]
client_id = "{read_id}"
client_secret = "file:{folder}/read.secret"

[tenants.act]
client_id = "{act_id}"
client_secret = "file:{folder}/act.secret"

[tenants.management_activity]
poll_ms = 500

[tenants.graph_alerts]
poll_ms = 500

[[tenants.event_hubs]]
namespace = "{namespace}"
hub = "{hub}"
endpoint = "{amqp}"
"#,
        bus = bus(pipeline, broker),
        dry_run = round.mode == Mode::DryRun,
        never_act = ready["break_glass_ids"],
        tenant = pipeline.tenant_id,
        base = pipeline.base_url,
        read_id = ready["reading"]["client_id"].as_str().unwrap(),
        act_id = ready["acting"]["client_id"].as_str().unwrap(),
        namespace = text("hub_namespace"),
        hub = text("hub_name"),
        amqp = text("amqp_url"),
    )
}
