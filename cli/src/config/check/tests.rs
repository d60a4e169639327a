//! Configurations that were once called usable, and what is said of each.

use super::Weight::{self, Fault, Note};
use super::faults;
use crate::config::Config;

/// A tenant, and what follows in its tables.
macro_rules! tenant {
    ($more:expr) => {
        concat!(
            "[[tenants]]\nid = '0a0a0a0a-0000-4000-8000-00000000000a'\n[tenants.read]\nclient_id = 'R'\nclient_secret = 'env:PATH'\n",
            $more
        )
    };
}

/// A tenant with an event hub.
macro_rules! hub {
    ($more:expr) => {
        tenant!(concat!(
            "[[tenants.event_hubs]]\nnamespace = 'n.test'\nhub = 'h'\n",
            $more
        ))
    };
}

/// Where a finding is, how much it weighs, and the configuration.
#[rustfmt::skip]
const CASES: &[(&str, Weight, &str)] = &[
    ("lake.replaced_files_hours", Fault, "[lake]\nreplaced_files_hours = 0"),
    ("lake.replaced_files_hours", Note, "[lake]\nreplaced_files_hours = 24"),
    ("lake.batch_rows", Fault, "[lake]\nbatch_rows = 0"),
    ("lake.batch_rows", Fault, "[lake]\nbatch_rows = 50001"),
    ("lake.identities", Fault, "[lake]\nidentities = 0"),
    ("lake.location", Fault, "[lake]\nlocation = 's3://bucket'"),
    ("lake.batch_wait_ms", Fault, "[lake]\nbatch_wait_ms = 9223372036854775807"),
    ("health.disk_reserve_megabytes", Fault, "[health]\ndisk_reserve_megabytes = 9223372036854775807"),
    ("health.standstill_s", Fault, "[health]\nstandstill_s = 9223372036854775807"),
    ("http.request_timeout_ms", Fault, "[http]\nrequest_timeout_ms = 9223372036854775807"),
    ("tenants.contoso.example", Fault, "[[tenants]]\nid = 'contoso.example'\n[tenants.read]\nclient_id = 'R'\nclient_secret = 'env:PATH'"),
    ("bus.log.retention_hours", Fault, "[bus.log]\nretention_hours = 0"),
    ("bus.kafka.brokers", Fault, "[bus.kafka]\nbrokers = ' '"),
    ("bus.kafka.replication_factor", Fault, "[bus.kafka]\nreplication_factor = 0"),
    ("bus.kafka.settings.sasl.password", Fault, "[bus.kafka.settings]\n'sasl.password' = 'hunter2'"),
    ("bus.kafka.settings.ssl.ca.location", Fault, "[bus.kafka.settings]\n'ssl.ca.location' = '/no/such/file'"),
    ("tenants.00000000-0000-0000-0000-000000000000", Fault, "[[tenants]]\nid = '00000000-0000-0000-0000-000000000000'\n[tenants.read]\nclient_id = 'R'\nclient_secret = 'env:PATH'"),
    ("bus.kafka", Fault, "[bus.kafka]\nbrokers = '10.0.0.1:9092'"),
    ("bus.kafka", Fault, "[bus.kafka]\nbrokers = 'localhost:9092'\n[bus.kafka.settings]\n'group.id' = 'mine'"),
    ("lake.replaced_files_hours", Fault, "[lake]\nreplaced_files_hours = 9223372036854775807"),
    ("respond.case_window_hours", Fault, "[respond]\ncase_window_hours = 9223372036854775807"),
    ("respond.cool_down_s", Fault, "[respond]\ncool_down_s = 9223372036854775807"),
    ("respond.retry_wait_ms", Fault, "[respond]\nretry_wait_ms = 9223372036854775807"),
    ("http.proxy", Fault, "[http]\nproxy = 'http://ada:hunter2@proxy.test'"),
    ("http.requests_per_minute", Fault, "[http]\nrequests_per_minute = 0"),
    ("http.ca_file", Fault, "[http]\nca_file = '/no/such/file'"),
    ("health.address", Note, "[health]\naddress = '0.0.0.0:9464'"),
    ("log.level", Fault, "[log]\nlevel = 'no such level'"),
    ("respond.automatic", Fault, "[respond]\nautomatic = ['allow_sign_in']"),
    ("respond.automatic", Fault, "[respond]\nautomatic = ['enable_inbox_rules']"),
    ("respond.automatic", Note, "[respond]\nautomatic = ['revoke_sessions']"),
    ("respond.never_act", Fault, "[respond]\nnever_act = ['breakglass']"),
    ("respond.never_act", Fault, "[respond]\ndry_run = false"),
    ("respond.never_act", Note, "[respond]\nnever_act = ['breakglass@contoso.example']"),
    ("respond.targets_per_hour_max", Fault, "[respond]\ntargets_per_hour_max = 0"),
    ("respond.journal", Fault, "[respond]\njournal = ''"),
    ("respond.audit_key", Note, tenant!("[tenants.act]\nclient_id = 'A'\nclient_secret = 'env:PATH'")),
    ("respond.audit_key", Fault, "[respond]\naudit_key = 'no-such-key'"),
    ("respond.audit_key", Note, "[respond]\naudit_key = 'data/key'"),
    ("respond.playbooks", Fault, "[respond]\nplaybooks = 'no-such-folder'"),
    ("detect.rules", Fault, "[detect]\nrules = ['no-such-folder']"),
    ("detect", Fault, "[detect]\nmappings = ['no-such-file.yml']"),
    ("tenants.0a0a0a0a-0000-4000-8000-00000000000a", Note, tenant!("")),
    ("tenants.0a0a0a0a-0000-4000-8000-00000000000a", Fault, concat!(tenant!(""), tenant!(""))),
    ("tenants.0a0a0a0a-0000-4000-8000-00000000000a.act.client_id", Fault, tenant!("[tenants.act]\nclient_id = 'r'\nclient_secret = 'env:PATH'")),
    ("tenants.0a0a0a0a-0000-4000-8000-00000000000a.act.client_secret", Fault, tenant!("[tenants.act]\nclient_id = 'a'\nclient_secret = 'env:VEDETTE_NO_SUCH'")),
    ("tenants.0a0a0a0a-0000-4000-8000-00000000000a.base_url", Fault, concat!(tenant!(""), "[[tenants]]\nid = '0a0a0a0a-0000-4000-8000-00000000000a'\nbase_url = 'http://10.0.0.1'\n[tenants.read]\nclient_id = 'R'\nclient_secret = 'env:PATH'")),
    ("tenants.0a0a0a0a-0000-4000-8000-00000000000a.event_hubs.h.endpoint", Fault, hub!("endpoint = 'amqp://10.0.0.1:5672'")),
    ("tenants.0a0a0a0a-0000-4000-8000-00000000000a.event_hubs.h.batch_messages_max", Fault, hub!("batch_messages_max = 0")),
    ("tenants.0a0a0a0a-0000-4000-8000-00000000000a.event_hubs.h", Fault, hub!("[[tenants.event_hubs]]\nnamespace = 'N.test'\nhub = 'h'")),
    ("tenants.0a0a0a0a-0000-4000-8000-00000000000a.management_activity.first_hours", Fault, tenant!("[tenants.management_activity]\nfirst_hours = 169")),
    ("tenants.0a0a0a0a-0000-4000-8000-00000000000a.management_activity.content_types", Fault, tenant!("[tenants.management_activity]\ncontent_types = ['Audit.Exchnge']")),
    ("tenants.0a0a0a0a-0000-4000-8000-00000000000a.graph_alerts.poll_ms", Fault, tenant!("[tenants.graph_alerts]\npoll_ms = 0")),
    ("tenants.0a0a0a0a-0000-4000-8000-00000000000a.directory.page_objects", Fault, tenant!("[tenants.directory]\npage_objects = 1000")),
];

#[test]
fn what_cannot_work_is_told_with_its_place_its_reason_and_its_mending() {
    for (at, weight, text) in CASES {
        let mut config = Config::parse(text).expect("it is of the right shape");
        // Compiled for each case they would take minutes, and nothing here is about them.
        config.detect.builtin_rules = false;
        let findings = config.check();
        let found = findings
            .iter()
            .find(|finding| finding.at == *at && finding.weight == *weight);
        let Some(found) = found else {
            panic!("{at} is not told of:\n{text}\n{findings:#?}");
        };
        assert!(!found.why.is_empty() && !found.fix.is_empty());
        assert!(!found.to_string().contains("hunter2"), "{found}");
    }
}

#[test]
fn the_defaults_have_nothing_against_them() {
    let findings = Config::default().check();
    assert_eq!(faults(&findings), 0, "{findings:#?}");
}

/// What a folder of playbooks with this one is told of.
fn of_playbook(when: &str) -> Vec<super::Finding> {
    let folder = tempfile::tempdir().expect("a folder");
    let text = format!(
        "name = 'mine'\ntitle = 't'\nwhen = {when}\nsteps = [{{action = 'block_sign_in', target = 'account'}}]\n"
    );
    std::fs::write(folder.path().join("mine.toml"), text).expect("it is written");
    let mut config = Config::default();
    config.detect.builtin_rules = false;
    config.respond.playbooks = folder.path().to_owned();
    let mut findings = config.check();
    findings.retain(|finding| finding.at == "respond.playbooks");
    findings
}

#[test]
fn a_playbook_that_waits_for_nothing_or_for_everybody_is_told() {
    let slip = of_playbook("{severity_at_least = 'high', labels = ['SAAS-M365-0001']}");
    assert_eq!(faults(&slip), 1, "{slip:#?}");
    let unknown = of_playbook("{severity_at_least = 'high', labels = ['SIGMA-565e27c5']}");
    assert_eq!((faults(&unknown), unknown.len()), (0, 1), "{unknown:#?}");
    let everybody = of_playbook("{severity_at_least = 'informational'}");
    assert_eq!(
        (faults(&everybody), everybody.len()),
        (0, 1),
        "{everybody:#?}"
    );
    assert!(
        everybody[0]
            .what
            .contains("for everybody with an alert of severity informational")
    );
    let theirs = of_playbook("{severity_at_least = 'high', labels = ['MS-SEC-GRAPH-00001']}");
    assert_eq!(theirs, []);
}
