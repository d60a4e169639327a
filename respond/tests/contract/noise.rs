//! One noisy account: the work for an alert does not grow with the alerts before it.

use std::collections::BTreeSet;
use std::time::Instant;

use prost::Message as _;
use respond::action::ActionKind;
use respond::cases::{CASE_ALERTS_MAX, Intake, Policy, SeenAlert};
use respond::journal::Journal;
use respond::journal::sqlite::SqliteJournal;
use respond::playbook;
use schemas::severity::Severity;
use schemas::topics::Topic;
use schemas::wire;

use crate::world::{T0, TENANT, alert};

/// Alerts in one transaction, as the intake has them.
const BATCH: usize = 256;

/// Takes so many alerts on one account; gives the seconds.
fn take(journal: &SqliteJournal, intake: &Intake, count: usize) -> f64 {
    let alerts: Vec<SeenAlert> = (0..count)
        .map(|number| {
            let account = "1f00aaaa-0000-4000-8000-00000000000a";
            SeenAlert::of(&alert(TENANT, account, &format!("a{number}"))).unwrap()
        })
        .collect();
    let began = Instant::now();
    for batch in alerts.chunks(BATCH) {
        journal.admit(batch, intake, T0).unwrap();
    }
    began.elapsed().as_secs_f64()
}

fn measure(count: usize) {
    let folder = tempfile::tempdir().unwrap();
    let journal = SqliteJournal::open(&folder.path().join("journal")).unwrap();
    let intake = Intake {
        policy: Policy {
            case_severity_min: Severity::High,
            window_us: Policy::window_of_hours(24),
            automatic: ActionKind::ALL.to_vec(),
            automatic_age_us_max: Policy::age_of_hours(72),
            dry_run: true,
        },
        playbooks: playbook::load(&[]).unwrap(),
        acting_tenants: BTreeSet::new(),
    };
    let elapsed_s = take(&journal, &intake, count);
    let case = &journal.cases(9).unwrap()[0];
    assert_eq!(case.alerts_count(), count as u64);
    assert_eq!(case.alerts.len(), count.min(CASE_ALERTS_MAX));
    let outgoing = journal.outgoing(usize::MAX).unwrap();
    let messages: Vec<&[u8]> = outgoing
        .iter()
        .filter(|message| message.topic == Topic::Cases)
        .map(|message| message.payload.as_slice())
        .collect();
    // One message for each batch, none larger than what names a hundred alerts.
    assert_eq!(messages.len(), count.div_ceil(BATCH));
    let last = wire::Case::decode(*messages.last().unwrap()).unwrap();
    assert_eq!(last.alerts, count as u64);
    assert!(messages.iter().all(|message| message.len() < 16_384));
    let bytes: usize = messages.iter().map(|message| message.len()).sum();
    tell(count, elapsed_s, bytes);
}

#[test]
fn a_case_of_many_alerts_stays_small() {
    // `-- --nocapture` tells the seconds; larger counts were measured once, by changing these.
    measure(1_010);
    measure(2_020);
}

#[expect(clippy::print_stderr, reason = "a measurement tells its figures")]
fn tell(count: usize, elapsed_s: f64, bytes: usize) {
    eprintln!("{count} alerts on one account: {elapsed_s:.2} s, {bytes} bytes of cases to publish");
}
