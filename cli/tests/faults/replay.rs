//! Replays what is durable after a run against the invariants: the log of each table, the audit chain, and the calls
//! that the tenant itself saw. Pure, but for reading the tables' logs.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

use schemas::invariants::{
    CalledEffective, CommittedRange, EffectBegins, EffectRepeats, Predicate,
};
use schemas::time::parse_us;
use serde_json::Value;

/// What did not hold, one sentence each.
#[derive(Debug, Default)]
pub(crate) struct Findings(pub(crate) Vec<String>);

impl Findings {
    fn weigh<P: Predicate>(&mut self, what: &P, about: &str) {
        if !what.holds() {
            let sentence = P::INVARIANT.sentence();
            self.0.push(format!("{sentence} But: {what:?} ({about})"));
        }
    }

    fn note(&mut self, holds: bool, what: impl FnOnce() -> String) {
        if !holds {
            self.0.push(what());
        }
    }
}

/// The entries of every table's log, in order, each as its lines.
pub(crate) fn commits(lake: &Path) -> BTreeMap<String, Vec<Vec<Value>>> {
    let mut tables = BTreeMap::new();
    for entry in std::fs::read_dir(lake).unwrap() {
        let folder = entry.unwrap().path().join("_delta_log");
        let Ok(files) = std::fs::read_dir(&folder) else {
            continue;
        };
        let mut files: Vec<_> = files
            .map(|file| file.unwrap().path())
            .filter(|file| {
                file.extension()
                    .is_some_and(|extension| extension == "json")
            })
            .collect();
        files.sort();
        let read = |file: &std::path::PathBuf| {
            let text = std::fs::read_to_string(file).unwrap();
            text.lines()
                .map(|line| serde_json::from_str(line).unwrap())
                .collect()
        };
        let name = folder
            .parent()
            .unwrap()
            .file_name()
            .unwrap()
            .to_string_lossy()
            .into_owned();
        tables.insert(name, files.iter().map(read).collect());
    }
    tables
}

/// Positions never go back on one log, and no file is added or taken away twice.
pub(crate) fn table(name: &str, commits: &[Vec<Value>], findings: &mut Findings) {
    let mut stands: BTreeMap<String, i64> = BTreeMap::new();
    let mut files: BTreeSet<String> = BTreeSet::new();
    for (version, lines) in commits.iter().enumerate() {
        let about = format!("{name}, entry {version}");
        for line in lines {
            // What begins with "last/" names the message before a position, and is a hash.
            let position = line["txn"]["appId"].as_str();
            if let Some(position) = position.filter(|id| !id.starts_with("last/")) {
                let to = line["txn"]["version"].as_i64().unwrap_or_default();
                let stood_at = stands.insert(position.to_owned(), to).unwrap_or(0);
                let range = CommittedRange {
                    stood_at,
                    from: stood_at,
                    to,
                    same_log: true,
                };
                findings.weigh(&range, &format!("{about}, {position}"));
            }
            if let Some(file) = line["add"]["path"].as_str() {
                findings.note(files.insert(file.to_owned()), || {
                    format!("{about}: {file} is added twice")
                });
            }
            if let Some(file) = line["remove"]["path"].as_str() {
                findings.note(files.remove(file), || {
                    format!("{about}: {file} is removed, and is not there")
                });
            }
        }
    }
}

/// What an action's call looks like.
fn is_call_of(action: &Value, call: &Value) -> bool {
    let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
    let (path, body) = (text(&call["path"]), text(&call["body"]));
    let is_kind = match action["action"].as_str() {
        Some("block_sign_in") => body.contains("accountEnabled"),
        Some("revoke_sessions") => path.contains("revokeSignInSessions"),
        Some("disable_inbox_rules") => path.contains("messageRules"),
        _ => false,
    };
    is_kind && path.contains(&text(&action["target"]))
}

/// Whether another action of the case did what this one was meant to.
fn did_another(actions: &[Value], action: &Value) -> bool {
    let is_same = |other: &&Value| {
        let mut names = ["action", "case_id"].iter();
        names.all(|name| other[*name] == action[*name])
    };
    let mut same = actions.iter().filter(is_same);
    same.any(|other| other["state"] == "effective")
}

/// Every call has its intent, once; what is called effective was read back; what was refused is done by another.
///
/// `clocks_agree` is false where the processes' clock was moved.
pub(crate) fn response(
    actions: &[Value],
    calls: &[Value],
    entries: &[Value],
    clocks_agree: bool,
    findings: &mut Findings,
) {
    let mut seen: BTreeMap<String, u32> = BTreeMap::new();
    for call in calls.iter().filter(|call| call["effective"] == true) {
        let about = format!("{} {}", call["method"], call["path"]);
        let of: Vec<&Value> = actions
            .iter()
            .filter(|action| is_call_of(action, call))
            .collect();
        let is_intent = |entry: &&Value| {
            let is_before = parse_us(entry["event_time"].as_str().unwrap_or_default())
                .is_some_and(|at_us| Some(at_us) <= call["wall_us"].as_i64());
            entry["action_state"] == "intended"
                && of
                    .iter()
                    .any(|action| action["action_id"] == entry["action_id"])
                && (is_before || !clocks_agree)
        };
        let intents = entries.iter().filter(is_intent).count();
        findings.weigh(
            &EffectBegins {
                intent_durable: intents > 0,
            },
            &about,
        );
        let times = seen.entry(format!("{about} {}", call["body"])).or_default();
        findings.weigh(&EffectRepeats { unread: *times }, &about);
        *times += 1;
    }
    let is_effective = |kind: &Value, id: &Value| {
        actions.iter().any(|action| {
            action["state"] == "effective"
                && (action["action"] == *kind && action["action_id"] == *id)
        })
    };
    for action in actions {
        let about = format!("{} {}", action["action"], action["action_id"]);
        match action["state"].as_str() {
            Some("effective") => {
                let read_back = !action["detail"]["after"].is_null();
                findings.weigh(&CalledEffective { read_back }, &about);
            }
            Some("refused") => {
                let by = &action["detail"]["superseded_by"];
                findings.note(is_effective(&action["action"], by), || {
                    format!(
                        "{about} was refused, and no other did it: {}",
                        action["detail"]
                    )
                });
            }
            // A clock that jumped made its evidence old; what comes after plans it again.
            Some("expired") if !clocks_agree => {
                findings.note(did_another(actions, action), || {
                    format!("{about} expired, and no other did it: {}", action["detail"])
                });
            }
            state => findings
                .0
                .push(format!("{about} ended as {state:?}: {}", action["detail"])),
        }
    }
}
