//! What may be done: no action that gives back what was taken from an attacker, and a never-act list that protects.

use respond::action::ActionKind;
use respond::directory::ObjectId;
use respond::never_act::parts;

use super::Findings;
use crate::config::Config;
use crate::data_folder::is_within;

pub(super) fn check(config: &Config, findings: &mut Findings) {
    for action in &config.respond.automatic {
        automatic(*action, findings);
    }
    for entry in &config.respond.never_act {
        never_act(entry, findings);
    }
    if config.respond.check().is_err() {
        findings.fault(
            "respond.never_act",
            "names nobody, and dry_run is off",
            "nobody keeps the break-glass accounts from being blocked",
            "name them by object id, or say never_act_none = true",
        );
    }
    let acts = config.tenants.iter().any(|tenant| tenant.act.is_some());
    if !config.respond.dry_run && !acts {
        findings.note(
            "respond.dry_run",
            "is off, and no tenant has a table `act`",
            "nothing is ever done",
            "register an application that acts and name it, or leave dry_run on",
        );
    }
    audit_key(config, findings);
    limits(config, findings);
    files(config, findings);
}

/// Who can write the journal must not be able to write its audit chain anew.
fn audit_key(config: &Config, findings: &mut Findings) {
    let (at, path) = ("respond.audit_key", &config.respond.audit_key);
    let anew = "who can write the journal can write the audit chain anew, and it verifies";
    let make = "make one with `vedette audit key --new PATH`, outside the data folder";
    if path.as_os_str().is_empty() {
        if config.tenants.iter().any(|tenant| tenant.act.is_some()) {
            findings.note(at, "is not set: the audit chain is not signed", anew, make);
        }
    } else if is_within(path, &config.data) {
        findings.note(at, "is in the data folder", anew, make);
    }
}

fn automatic(action: ActionKind, findings: &mut Findings) {
    let gives_back =
        "it gives back what was taken from an attacker, and no alert says that he is gone";
    let undo = "take it out; a person undoes an action with `vedette audit undo`";
    match action {
        ActionKind::AllowSignIn => {
            findings.fault("respond.automatic", "has allow_sign_in", gives_back, undo);
        }
        ActionKind::EnableInboxRules => {
            findings.fault(
                "respond.automatic",
                "has enable_inbox_rules",
                gives_back,
                undo,
            );
        }
        ActionKind::RevokeSessions => findings.note(
            "respond.automatic",
            "has revoke_sessions, which cannot be undone",
            "a false alarm signs the person out everywhere, who then signs in again",
            "nothing, if that is meant",
        ),
        ActionKind::BlockSignIn | ActionKind::DisableInboxRules => {}
    }
}

fn never_act(entry: &str, findings: &mut Findings) {
    let (_, entry) = parts(entry);
    if entry.is_empty() || ObjectId::parse(&entry).is_ok() {
        return;
    }
    let fix = "write the account's object id";
    if is_user_name(&entry) {
        let why = "a name can be given to somebody else; until it was found nothing is sent";
        findings.note(
            "respond.never_act",
            format!("{entry:?} is a name"),
            why,
            fix,
        );
    } else {
        let what = format!("{entry:?} is no object id and no user principal name");
        findings.fault("respond.never_act", what, "it protects nobody", fix);
    }
}

fn limits(config: &Config, findings: &mut Findings) {
    let respond = &config.respond;
    let never = "nothing could ever be done";
    let busy = "the directory would be asked without a pause, or hardly ever";
    for (key, value, most, why) in [
        (
            "case_window_hours",
            respond.case_window_hours,
            HOURS_MAX,
            "every alert would be a case of its own, or cases would never end",
        ),
        (
            "targets_per_hour_max",
            u64::from(respond.targets_per_hour_max),
            u64::MAX,
            never,
        ),
        (
            "read_backs_max",
            u64::from(respond.read_backs_max),
            1_000,
            "no effect could ever be seen",
        ),
        (
            "attempts_max",
            u64::from(respond.attempts_max),
            u64::MAX,
            never,
        ),
        (
            "automatic_age_hours_max",
            respond.automatic_age_hours_max,
            HOURS_MAX,
            "nothing could ever be automatic, or what is long over would be acted on",
        ),
        (
            "approval_age_hours_max",
            respond.approval_age_hours_max,
            HOURS_MAX,
            "every approval would expire at once, or never",
        ),
        (
            "outbox_age_minutes_max",
            respond.outbox_age_minutes_max,
            HOURS_MAX * 60,
            "nothing could ever be sent, or everything without anybody seeing it",
        ),
        (
            "read_back_wait_ms",
            respond.read_back_wait_ms,
            HOUR_MS,
            busy,
        ),
        ("retry_wait_ms", respond.retry_wait_ms, HOUR_MS, busy),
    ] {
        findings.bounds(format!("respond.{key}"), value, 1, most, why);
    }
    findings.bounds(
        "respond.cool_down_s",
        respond.cool_down_s,
        0,
        HOURS_MAX * 3_600,
        "an account could hardly ever be acted on again",
    );
}

fn files(config: &Config, findings: &mut Findings) {
    let respond = &config.respond;
    for (key, path) in [
        ("journal", &respond.journal),
        ("kill_switch", &respond.kill_switch),
    ] {
        if path.as_os_str().is_empty() || config.data.join(path).is_dir() {
            findings.fault(
                format!("respond.{key}"),
                "names no file",
                "respond could not use it",
                "name a file, relative to the data folder",
            );
        }
    }
}

/// Hours of a year: what is set longer waits for ever, or acts on what nobody remembers.
const HOURS_MAX: u64 = 8_784;
const HOUR_MS: u64 = 3_600_000;

/// True for something like `ada@contoso.example`.
fn is_user_name(text: &str) -> bool {
    let is_name = |part: &str| {
        let is_odd = |character: char| character.is_whitespace() || character.is_control();
        !part.is_empty() && !part.contains('@') && !part.chars().any(is_odd)
    };
    text.split_once('@')
        .is_some_and(|(user, domain)| is_name(user) && is_name(domain) && domain.contains('.'))
}

#[cfg(test)]
mod tests {
    use super::is_user_name;

    #[test]
    fn a_user_name_is_told_from_other_words() {
        assert!(is_user_name("ada_contoso.com#EXT#@fabrikam.example"));
        for text in [
            "ada",
            "ada@",
            "@contoso.example",
            "ada@contoso",
            "a b@c.d",
            "a@b@c.d",
        ] {
            assert!(!is_user_name(text), "{text}");
        }
    }
}
