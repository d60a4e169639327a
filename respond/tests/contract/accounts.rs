//! Whose alerts are: Microsoft's knows the object id, ours the name, and the case is one.

use std::collections::BTreeSet;
use std::sync::{Arc, Mutex, MutexGuard};
use std::time::Duration;

use async_trait::async_trait;
use respond::action::{Action, BlockSignIn, Permission};
use respond::cases::Case;
use respond::directory::{
    Directory, DirectoryError, DirectoryReads, Grant, InboxRule, ObjectId, Reply, Role, User,
};
use respond::executor::Progress;
use respond::record::{ActionRecord, State};
use schemas::topics::Topic;
use schemas::wire::{self, Alert};

use crate::house::{House, PATIENCE};
use crate::memory::{ACCOUNT, MemoryDirectory, NAME};
use crate::town::{Resident, Town};
use crate::world::{T0, TENANT, World, alert, ours, theirs};

/// How a directory behaves now.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Mood {
    Answers,
    Unreachable,
    Hangs,
}

/// A directory whose reads go wrong while told so, and that counts who is asked for.
struct Moody {
    inner: Arc<dyn Directory>,
    mood: Mutex<Mood>,
    asked: Mutex<Vec<String>>,
}

impl Moody {
    fn new(inner: Arc<dyn Directory>, mood: Mood) -> Arc<Self> {
        Arc::new(Self {
            inner,
            mood: Mutex::new(mood),
            asked: Mutex::default(),
        })
    }

    fn becomes(&self, mood: Mood) {
        *self.mood.lock().unwrap() = mood;
    }

    fn asked(&self) -> MutexGuard<'_, Vec<String>> {
        self.asked.lock().unwrap()
    }

    async fn pass(&self) -> Result<(), DirectoryError> {
        let mood = *self.mood.lock().unwrap();
        match mood {
            Mood::Answers => Ok(()),
            Mood::Unreachable => Err(DirectoryError::Unreachable {
                why: "on purpose".to_owned(),
                reply: None,
                may_have_happened: true,
                after: Duration::from_millis(1),
            }),
            Mood::Hangs => std::future::pending().await,
        }
    }
}

#[async_trait]
impl DirectoryReads for Moody {
    async fn grant(&self, needed: &[Permission]) -> Result<Grant, DirectoryError> {
        self.pass().await?;
        self.inner.grant(needed).await
    }
    async fn user(&self, name: &str) -> Result<Option<User>, DirectoryError> {
        self.asked().push(name.to_owned());
        self.pass().await?;
        self.inner.user(name).await
    }
    async fn roles(&self, id: &ObjectId) -> Result<Vec<Role>, DirectoryError> {
        self.inner.roles(id).await
    }
    async fn inbox_rules(&self, id: &ObjectId) -> Result<Vec<InboxRule>, DirectoryError> {
        self.inner.inbox_rules(id).await
    }
}

#[async_trait]
impl Directory for Moody {
    async fn set_account_enabled(
        &self,
        id: &ObjectId,
        on: bool,
        request_id: &str,
    ) -> Result<Reply, DirectoryError> {
        self.inner.set_account_enabled(id, on, request_id).await
    }
    async fn revoke_sessions(
        &self,
        id: &ObjectId,
        request_id: &str,
    ) -> Result<Reply, DirectoryError> {
        self.inner.revoke_sessions(id, request_id).await
    }
    async fn set_rule_enabled(
        &self,
        id: &ObjectId,
        rule: &str,
        on: bool,
        request_id: &str,
    ) -> Result<Reply, DirectoryError> {
        self.inner.set_rule_enabled(id, rule, on, request_id).await
    }
}

impl House {
    /// Waits until the cases are as asked for.
    async fn until_cases(&self, what: &str, are_so: impl Fn(&[Case]) -> bool) -> Vec<Case> {
        self.until("its journal is there", |_| true).await;
        let started = tokio::time::Instant::now();
        loop {
            let cases = self.review().cases(1_000).unwrap();
            if are_so(&cases) {
                return cases;
            }
            assert!(started.elapsed() < PATIENCE, "{what}: {cases:?}");
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
    }

    fn actions(&self) -> Vec<ActionRecord> {
        self.review().actions(1_000).unwrap()
    }

    fn count(&self, state: State) -> usize {
        let actions = self.actions();
        actions.iter().filter(|one| one.state == state).count()
    }
}

fn labels(case: &Case) -> BTreeSet<&str> {
    case.alerts.iter().map(|one| one.label.as_str()).collect()
}

fn has_alerts(count: usize) -> impl Fn(&[Case]) -> bool {
    move |cases| cases.iter().any(|case| case.alerts.len() == count)
}

#[tokio::test]
async fn an_alert_by_id_and_one_by_name_are_one_case_in_either_order() {
    let world = World::simulated().await;
    let victim = world.directory.user(&world.account).await.unwrap().unwrap();
    let by_id = theirs(&world.tenant_id, &world.account, "g1");
    let by_name = ours(&world.tenant_id, &victim.user_principal_name, "a1");
    let mut ids = BTreeSet::new();
    for [first, second] in [[&by_id, &by_name], [&by_name, &by_id]] {
        let mut house = House::new().await;
        house.config.automatic = Vec::new();
        let directory = Moody::new(Arc::clone(&world.directory), Mood::Answers);
        house.add(&world.tenant_id, directory.clone());
        let stage = house.start();
        house.publish(std::slice::from_ref(first)).await;
        house.until_cases("the first", has_alerts(1)).await;
        house.publish(std::slice::from_ref(second)).await;
        let cases = house.until_cases("the second", has_alerts(2)).await;
        stage.end().await;
        assert_eq!(cases.len(), 1, "{cases:?}");
        assert_eq!(
            labels(&cases[0]),
            ["MS-SEC-GRAPH-00001", "SAAS-M365-00001"].into()
        );
        assert_eq!(cases[0].user_id, world.account);
        assert_eq!(cases[0].user, victim.user_principal_name.to_lowercase());
        assert_eq!(house.actions().len(), 3, "one plan");
        // The second was known from the first one's answer.
        assert_eq!(directory.asked().len(), 1);
        ids.insert(cases[0].case_id.clone());
    }
    assert_eq!(ids.len(), 1, "{ids:?}");
}

#[tokio::test]
async fn cases_that_an_unreachable_directory_kept_apart_are_merged_and_act_once() {
    for mood in [Mood::Unreachable, Mood::Hangs] {
        let world = World::simulated().await;
        let victim = world.directory.user(&world.account).await.unwrap().unwrap();
        let mut house = House::new().await;
        (house.config.attempts_max, house.config.retry_wait_ms) = (10_000, 20);
        let directory = Moody::new(Arc::clone(&world.directory), mood);
        house.add(&world.tenant_id, directory.clone());
        let stage = house.start();
        let name = victim.user_principal_name.as_str();
        house
            .publish(&[theirs(&world.tenant_id, &world.account, "g1")])
            .await;
        house
            .until_cases("Microsoft's alone", |cases| cases.len() == 1)
            .await;
        house.publish(&[ours(&world.tenant_id, name, "a1")]).await;
        let apart = house.until_cases("apart", |cases| cases.len() == 2).await;
        // Their actions wait for facts; a restart in between changes nothing.
        assert_eq!(house.count(State::Approved), 6, "{mood:?}");
        stage.kill().await;
        let stage = house.start();
        let both = Alert {
            severity: "low".to_owned(),
            user: name.to_owned(),
            ..alert(&world.tenant_id, &world.account, "a2")
        };
        house.publish(&[both]).await;
        let cases = house.until_cases("merged", has_alerts(3)).await;
        let oldest = apart.iter().min_by_key(|case| case.opened_time_us).unwrap();
        for case in &cases {
            let is_oldest = case.case_id == oldest.case_id;
            let into = (!is_oldest).then(|| oldest.case_id.clone());
            assert_eq!(case.merged_into, into, "{mood:?}");
            assert_eq!(case.alerts.len(), if is_oldest { 3 } else { 1 });
            assert_eq!(is_oldest, labels(case).len() == 2);
        }
        assert_eq!(
            (house.count(State::Approved), house.count(State::Refused)),
            (3, 3)
        );
        directory.becomes(Mood::Answers);
        if mood == Mood::Hangs {
            // A call that hangs does not come back by itself.
            stage.kill().await;
        } else {
            stage.end().await;
        }
        let stage = house.start();
        house
            .until("contained", |_| house.count(State::Effective) == 3)
            .await;
        stage.end().await;
        assert_eq!(world.changes().await.len(), 4, "block, revoke, two rules");
        assert_eq!(house.actions().len(), 6);
        let dossier = house.review().dossier(&oldest.case_id).unwrap();
        assert_eq!(dossier.actions.len(), 6, "all that was done about it");
        house.review().verify(Vec::new()).unwrap();
        let told: Vec<wire::Case> = house.read(Topic::Cases).await;
        let closed = told.iter().filter(|case| case.status == "closed");
        // A message can come twice after a kill, and is then the same.
        let closed: BTreeSet<(&str, u64)> = closed
            .inspect(|case| assert!(case.title.contains(&oldest.case_id), "{case:?}"))
            .map(|case| (case.case_id.as_str(), case.revision))
            .collect();
        assert_eq!(closed.len(), 1, "{told:?}");
    }
}

#[tokio::test]
async fn a_pair_of_long_ago_joins_nothing_and_one_of_late_does_also_after_a_restart() {
    for (hours, is_joined) in [(100, false), (3, true)] {
        let house = House::new().await;
        let stage = house.start();
        // Before, and grave enough for nothing.
        let mut both = alert(TENANT, ACCOUNT, "a0");
        both.severity = "low".to_owned();
        both.first_event_time_us -= hours * 3_600_000_000;
        house.publish(&[both, alert(TENANT, "", "other")]).await;
        house.until_cases("kept", |cases| !cases.is_empty()).await;
        stage.kill().await;
        let stage = house.start();
        house.publish(&[theirs(TENANT, ACCOUNT, "g1")]).await;
        let cases = house
            .until_cases("kept too", |cases| {
                let ids = cases.iter().flat_map(|case| &case.alerts);
                ids.filter(|one| one.alert_id == "g1").count() == 1
            })
            .await;
        stage.end().await;
        assert_eq!(cases.len(), if is_joined { 1 } else { 2 }, "{cases:?}");
        let by_id = cases.iter().find(|case| case.user_id == ACCOUNT).unwrap();
        assert_eq!(by_id.user, if is_joined { NAME } else { "" });
    }
}

#[tokio::test]
async fn a_remembered_pair_never_decides_whom_an_action_hits() {
    // Ada was a.smith until she married; a new colleague got the name, and his mailbox is taken.
    const ADA: &str = "1f00aaaa-0000-4000-8000-0000000000a1";
    const ADAM: &str = "1f00aaaa-0000-4000-8000-0000000000a2";
    const HOUR: i64 = 3_600_000_000;
    for (pair_hours, renamed_hours, hit) in [
        // Remembered for a season; the directory is asked anew, and it is Adam.
        (24 * 90, 24 * 60, vec![ADAM]),
        // So lately that nobody can tell whom the name meant: a person is told.
        (2, 1, vec![]),
    ] {
        let mut house = House::new().await;
        let mut ada = Resident::new(ADA, T0 - 24 * 400 * HOUR, "a.smith@contoso.test");
        let passed_us = T0 - renamed_hours * HOUR;
        ada.names
            .push((passed_us, "a.jones@contoso.test".to_owned()));
        let mut adam = Resident::new(ADAM, T0 - 24 * 400 * HOUR, "adam@contoso.test");
        adam.names
            .push((passed_us, "a.smith@contoso.test".to_owned()));
        let town = Arc::new(Town::new(Arc::clone(&house.clock), vec![ada, adam]));
        house.add(TENANT, town.clone());
        let stage = house.start();
        let taught = Alert {
            severity: "low".to_owned(),
            first_event_time_us: T0 - pair_hours * HOUR,
            user: "a.smith@contoso.test".to_owned(),
            ..alert(TENANT, ADA, "a0")
        };
        house.publish(&[taught]).await;
        house
            .publish(&[ours(TENANT, "a.smith@contoso.test", "a1")])
            .await;
        house
            .until("ended", |states| {
                states.len() == 3 && states.values().all(|state| state.is_final())
            })
            .await;
        stage.end().await;
        assert_eq!(town.hit(), hit, "{:?}", house.actions());
        if hit.is_empty() {
            let told = house.actions()[0].detail["why"].to_string();
            assert!(told.contains("a.smith@contoso.test"), "{told}");
        }
    }
}

#[tokio::test]
async fn a_flood_about_accounts_that_the_directory_does_not_have_asks_for_each_once() {
    const PRINCIPAL: &str = "1f00aaaa-0000-4000-8000-0000000000ff";
    let mut house = House::new().await;
    house.config.automatic = Vec::new();
    let directory = Moody::new(Arc::new(MemoryDirectory::new()), Mood::Answers);
    house.add(TENANT, directory.clone());
    let stage = house.start();
    for round in 0..3 {
        let flood: Vec<Alert> = (0..50)
            .flat_map(|number| {
                let (one, other) = (format!("p{round}-{number}"), format!("u{round}-{number}"));
                [
                    theirs(TENANT, PRINCIPAL, &one),
                    ours(TENANT, "nobody@contoso.test", &other),
                ]
            })
            .collect();
        house.publish(&flood).await;
    }
    let cases = house
        .until_cases("all are kept", |cases| {
            cases.len() == 2 && cases.iter().all(|case| case.alerts_count() == 150)
        })
        .await;
    stage.end().await;
    // They stay as they are.
    let accounts: BTreeSet<(&str, &str)> = cases
        .iter()
        .map(|case| (case.user.as_str(), case.user_id.as_str()))
        .collect();
    assert_eq!(
        accounts,
        [("", PRINCIPAL), ("nobody@contoso.test", "")].into()
    );
    let mut asked = directory.asked().clone();
    asked.sort();
    assert_eq!(asked, [PRINCIPAL, "nobody@contoso.test"]);
}

#[tokio::test]
async fn hostile_names_are_kept_and_never_asked_for() {
    let mut house = House::new().await;
    house.config.automatic = Vec::new();
    let directory = Moody::new(Arc::new(MemoryDirectory::new()), Mood::Answers);
    house.add(TENANT, directory.clone());
    let stage = house.start();
    let long = format!("{}@contoso.test", "a".repeat(100_000));
    let hostile = [
        "../",
        "..",
        "../../groups@contoso.test",
        "a@contoso.test/../../me",
        "a@contoso.test\0",
        "a@contoso.test\r\nHost: evil.test",
        "a@contoso.test?$filter=x",
        "'; DROP TABLE pairs; --",
        long.as_str(),
    ];
    let mut alerts: Vec<Alert> = hostile
        .iter()
        .enumerate()
        .map(|(number, name)| ours(TENANT, name, &format!("h{number}")))
        .collect();
    alerts.push(theirs(TENANT, "../../users", "id"));
    // Both halves, of which one is not what it says: nothing is learnt from it.
    alerts.push(alert(TENANT, "../../users", "pair"));
    alerts.push(ours(TENANT, NAME, "a1"));
    house.publish(&alerts).await;
    let cases = house
        .until_cases("all are kept", |cases| {
            cases.iter().map(Case::alerts_count).sum::<u64>() >= alerts.len() as u64
        })
        .await;
    stage.end().await;
    assert_eq!(*directory.asked(), [NAME]);
    let ours = cases
        .iter()
        .find(|case| case.alerts.iter().any(|one| one.alert_id == "a1"))
        .unwrap();
    assert!(
        ours.alerts.iter().any(|one| one.user_id == ACCOUNT),
        "{ours:?}"
    );
}

#[tokio::test]
async fn in_dry_run_the_directory_is_not_asked() {
    let mut house = House::new().await;
    house.config.dry_run = true;
    let directory = Moody::new(Arc::new(MemoryDirectory::new()), Mood::Answers);
    house.add(TENANT, directory.clone());
    let stage = house.start();
    house
        .publish(&[theirs(TENANT, ACCOUNT, "g1"), ours(TENANT, NAME, "a1")])
        .await;
    house.until_cases("apart", |cases| cases.len() == 2).await;
    // What another alert says is learnt all the same.
    house.publish(&[alert(TENANT, ACCOUNT, "a2")]).await;
    let cases = house.until_cases("merged", has_alerts(3)).await;
    stage.end().await;
    assert!(directory.asked().is_empty());
    assert_eq!(cases.len(), 2);
    let left: Vec<ActionRecord> = house
        .actions()
        .into_iter()
        .filter(|one| one.state == State::Planned)
        .collect();
    assert_eq!(left.len(), 3, "one plan");
}

#[tokio::test]
async fn nobody_is_asked_for_what_decides_nothing() {
    let block = Action::BlockSignIn(BlockSignIn {});
    // Without the account nothing happens, whomever the evidence names.
    let world = World::in_memory();
    let moody = Moody::new(Arc::clone(&world.directory), Mood::Unreachable);
    let record = world.request(&block);
    let executor = world.executor_with(moody.clone(), world.journal.clone());
    let ran = executor.run(&record.action_id).await.unwrap();
    assert!(matches!(ran, Progress::Later { .. }), "{ran:?}");
    assert_eq!(moody.asked().len(), 1);
    // Too late is too late, however the account is now.
    let world = World::in_memory();
    let moody = Moody::new(Arc::clone(&world.directory), Mood::Answers);
    let record = world.request(&block);
    world.pass(25 * 3_600_000_000);
    let executor = world.executor_with(moody.clone(), world.journal.clone());
    let ran = executor.run(&record.action_id).await.unwrap();
    assert_eq!(ran, Progress::Ended(State::Expired));
    assert!(moody.asked().is_empty(), "{:?}", moody.asked());
}
