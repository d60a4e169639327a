//! `vedette audit`: cases and actions as a responder sees them, and the check of the audit chain.

mod lake;
mod since;
mod verify;
mod whom;

use anyhow::Context as _;
use clap::{Subcommand, ValueEnum};
use respond::action::{Action, AllowSignIn, BlockSignIn, DisableInboxRules, RevokeSessions};
use respond::record::{ActionRecord, State};
use respond::review::Review;
use schemas::environment::{Clock as _, SystemClock};
use schemas::time::iso_ms;
use serde_json::{Value, json};

use crate::config::Config;
use crate::operator::{os_user, person};
use crate::output::{Form, Verdict, exit, list, list_some, say};

const EXAMPLES: &str = "\
Examples:
  vedette audit cases
  vedette audit actions --output json | jq 'select(.state == \"planned\")'
  vedette audit show ACTION_ID                    what was decided about it, by whom, and what came of it
  vedette audit approve ACTION_ID --by kim        shows whom it is about first; asks where that is in doubt
  vedette audit approve ACTION_ID --by kim --account OBJECT_ID --yes-although renamed
  vedette audit retry ACTION_ID --by kim          what is held, was refused, or came too late
  vedette audit request CASE_ID block-sign-in --by kim
  vedette audit undo ACTION_ID --by kim           refused where others changed it since, or nobody can say
  vedette audit verify --expect 1042:6f0c…        an entry that you have kept elsewhere
  vedette audit verify                exit code 1 names the first entry that is not what it was
  vedette audit key --new /etc/vedette/audit.pem   a key that signs the chain, for respond.audit_key
  vedette audit verify --public-key d75a98…        also that nobody without that key wrote it anew";

/// What a table has of an action; more than fits a terminal is in the other forms.
const ACTIONS_SHOWN: [&str; 6] = [
    "action_id",
    "action",
    "target",
    "state",
    "changed",
    "held_because",
];

/// Looks at cases and actions.
#[derive(Debug, Subcommand)]
#[command(after_help = EXAMPLES)]
pub(crate) enum Audit {
    /// List the cases.
    Cases {
        /// Form of the list.
        #[arg(long, short, value_enum, default_value_t = Form::Table)]
        output: Form,
        /// How many, the newest.
        #[arg(long, default_value_t = 1_000)]
        limit: usize,
    },
    /// List the actions, each with its state and what was seen.
    Actions {
        /// Form of the list.
        #[arg(long, short, value_enum, default_value_t = Form::Table)]
        output: Form,
        /// How many, the newest.
        #[arg(long, default_value_t = 1_000)]
        limit: usize,
    },
    /// List the entries of the audit chain about an action or a case: what was decided, by whom, and what came of it.
    Show {
        /// The action's or the case's id; or a kind that is about neither: `kill_switch`, `configuration`, `damaged_row`, `decision`.
        id: String,
        /// Form of the list.
        #[arg(long, short, value_enum, default_value_t = Form::Table)]
        output: Form,
        /// How many, the newest.
        #[arg(long, default_value_t = 1_000)]
        limit: usize,
    },
    /// Approve a planned action, of the account that is shown; exit code 1 if something speaks against it.
    Approve(Approving),
    /// Refuse an action that was not sent yet.
    Deny(Decision),
    /// Ask again for an action that is held, was refused, or came too late; the account is shown as for an approval.
    Retry(Approving),
    /// Ask for an action on the account of a case, which is shown; asking is approving.
    Request(Request),
    /// Ask for what restores the state before an action; refused where others have changed it since.
    Undo(since::Undoing),
    /// Check every entry of the audit chain, and compare it with the lake's copy.
    Verify(verify::Verify),
    /// Make the key that signs the audit chain, or tell its public one.
    Key(verify::Key),
}

/// A person's decision about an action.
#[derive(Debug, clap::Args)]
pub(crate) struct Decision {
    /// The action's id.
    action_id: String,
    /// Who decides; it goes into the audit chain.
    #[arg(long, value_parser = person)]
    by: String,
}

/// A person's decision that an action is to happen.
#[derive(Debug, clap::Args)]
pub(crate) struct Approving {
    #[command(flatten)]
    decision: Decision,
    #[command(flatten)]
    whom: whom::Whom,
}

impl Approving {
    /// The question of whom it is about.
    fn asked(&self, what: &'static str) -> whom::Undecided<'_> {
        whom::Undecided {
            what,
            about: &self.decision.action_id,
            rest: "",
            by: &self.decision.by,
        }
    }
}

/// A person's request for an action.
#[derive(Debug, clap::Args)]
pub(crate) struct Request {
    /// The case's id.
    case_id: String,
    /// The action.
    #[arg(value_enum)]
    action: Asked,
    /// Who asks; it goes into the audit chain.
    #[arg(long, value_parser = person)]
    by: String,
    #[command(flatten)]
    whom: whom::Whom,
}

/// What can be asked for; rules are turned on again by an undo, which knows which they were.
#[derive(Debug, Clone, Copy, ValueEnum)]
enum Asked {
    /// Block sign-in.
    BlockSignIn,
    /// Allow sign-in.
    AllowSignIn,
    /// Void every session.
    RevokeSessions,
    /// Turn off the inbox rules that take or hide mail.
    DisableInboxRules,
}

impl Asked {
    fn action(self) -> Action {
        match self {
            Self::BlockSignIn => Action::BlockSignIn(BlockSignIn {}),
            Self::AllowSignIn => Action::AllowSignIn(AllowSignIn {}),
            Self::RevokeSessions => Action::RevokeSessions(RevokeSessions {}),
            Self::DisableInboxRules => Action::DisableInboxRules(DisableInboxRules::default()),
        }
    }
}

impl Audit {
    /// Does it.
    pub(crate) fn run(self, config: &Config) -> anyhow::Result<Verdict> {
        if let Self::Key(key) = self {
            return key.run(config);
        }
        let journal = config.journal();
        anyhow::ensure!(
            journal.exists(),
            "there is no journal at {}: respond has not run on this data folder (see `data` in the configuration)",
            journal.display()
        );
        let review = Review::open(&journal)
            .context("could not open the journal")?
            .as_user(os_user());
        let now_us = SystemClock.now_us();
        match self {
            Self::Cases { output, limit } => list(&cases(&review, limit)?, output),
            Self::Actions { output, limit } => {
                list_some(&actions(&review, limit)?, output, &ACTIONS_SHOWN)
            }
            Self::Show { id, output, limit } => list(&entries(&review, &id, limit)?, output),
            Self::Approve(approving) => approve(review, config, &approving, now_us),
            Self::Deny(decision) => say(&format!(
                "denied: {}",
                review
                    .deny(&decision.action_id, &decision.by, now_us)?
                    .state
            )),
            Self::Retry(approving) => retry(review, config, &approving, now_us),
            Self::Request(asked) => request(review, config, &asked, now_us),
            Self::Undo(undoing) => undo(&review, config, &undoing, now_us),
            Self::Verify(asked) => verify::run(&review, config, asked),
            Self::Key(key) => key.run(config),
        }
    }
}

fn approve(
    review: Review,
    config: &Config,
    approving: &Approving,
    now_us: i64,
) -> anyhow::Result<Verdict> {
    let Decision { action_id, by } = &approving.decision;
    let known = review.action(action_id)?;
    let is_planned = known.is_none_or(|known| known.state == State::Planned && !known.dry_run);
    if !is_planned {
        // It is refused, and nobody need look whom it is about.
        let approved = review.approve(action_id, by, now_us);
        let approved = approved.with_context(|| why_not(&review, action_id))?;
        return say(&format!("approved: {}", approved.state));
    }
    let record = review.rehearsal(action_id, by, now_us);
    let record = record.with_context(|| why_not(&review, action_id))?;
    approving.whom.decide(
        review,
        config,
        &approving.asked("approve"),
        record.as_ref(),
        |review| {
            let approved = review.approve(action_id, by, SystemClock.now_us());
            approved.with_context(|| why_not(review, action_id))
        },
    )
}

fn retry(
    review: Review,
    config: &Config,
    approving: &Approving,
    now_us: i64,
) -> anyhow::Result<Verdict> {
    let Decision { action_id, by } = &approving.decision;
    let dry_run = config.respond.dry_run;
    let known = review.action(action_id)?;
    if known.is_none_or(|known| matches!(known.state, State::Planned | State::Effective)) {
        // It is refused, and nobody need look whom it is about.
        return told(&review.retry(action_id, by, dry_run, now_us)?);
    }
    let record = review.rehearsal(action_id, by, now_us)?;
    approving.whom.decide(
        review,
        config,
        &approving.asked("retry"),
        record.as_ref(),
        |review| Ok(review.retry(action_id, by, dry_run, SystemClock.now_us())?),
    )
}

fn request(
    review: Review,
    config: &Config,
    request: &Request,
    now_us: i64,
) -> anyhow::Result<Verdict> {
    let Request {
        case_id,
        action,
        by,
        whom,
    } = request;
    let rest = action
        .to_possible_value()
        .map_or(String::new(), |value| format!(" {}", value.get_name()));
    let asked = whom::Undecided {
        what: "request",
        about: case_id,
        rest: &rest,
        by,
    };
    let record = match review.rehearsal_of(case_id, action.action(), by, now_us) {
        Ok(record) => record,
        Err(error) if error.is_refusal() => {
            // Refused as it would be, which the chain is told.
            return told(&review.request(
                case_id,
                action.action(),
                by,
                config.respond.dry_run,
                now_us,
            )?);
        }
        Err(error) => return Err(error.into()),
    };
    whom.decide(review, config, &asked, Some(&record), |review| {
        let now_us = SystemClock.now_us();
        Ok(review.request(case_id, action.action(), by, config.respond.dry_run, now_us)?)
    })
}

/// What a person who could not approve an action should know of it.
fn why_not(review: &Review, action_id: &str) -> String {
    let record = review.action(action_id).ok().flatten();
    match record.as_ref().and_then(|record| record.hold.as_ref()) {
        Some(hold) => format!(
            "could not approve it: it is approved already, and held: {}; vedette audit retry {action_id} --by NAME lets \
             it go on",
            hold.why
        ),
        None => "could not approve it".to_owned(),
    }
}

/// Asks for an undo, unless others have changed since what it would take back, or nobody can say.
fn undo(
    review: &Review,
    config: &Config,
    undoing: &since::Undoing,
    now_us: i64,
) -> anyhow::Result<Verdict> {
    let (id, by) = (&undoing.decision.action_id, &undoing.decision.by);
    if let Some(record) = review.action(id)?
        && let Err(error) = since::refuse_if_others_changed(config, &record, undoing.yes_although)
    {
        review.tell_refused("undo", id, by, &exit::chain(&error), now_us)?;
        return Err(error);
    }
    told(&review.undo(id, by, config.respond.dry_run, now_us)?)
}

fn cases(review: &Review, limit: usize) -> anyhow::Result<Vec<Value>> {
    Ok(review
        .cases(limit)?
        .iter()
        .map(|case| {
            json!({
                "case_id": case.case_id,
                "opened": iso_ms(case.opened_time_us),
                "severity": case.severity,
                "status": case.status,
                "entity": case.entity(),
                "user": case.user,
                "alerts": case.alerts_count(),
                "title": case.title,
            })
        })
        .collect())
}

fn actions(review: &Review, limit: usize) -> anyhow::Result<Vec<Value>> {
    Ok(review
        .actions(limit)?
        .iter()
        .map(|action| {
            json!({
                "action_id": action.action_id,
                "case_id": action.case_id,
                "action": action.action.kind().as_str(),
                "target": action.account(),
                "state": action.standing(),
                "held_because": action.hold.as_ref().map(|hold| &hold.why),
                "dry_run": action.dry_run,
                "requested_by": action.requested_by,
                "changed": iso_ms(action.changed_time_us),
                "detail": action.detail,
            })
        })
        .collect())
}

fn entries(review: &Review, about: &str, limit: usize) -> anyhow::Result<Vec<Value>> {
    Ok(review
        .entries(about, limit)?
        .iter()
        .map(|entry| {
            json!({
                "entry": entry.sequence,
                "time": iso_ms(entry.time_us),
                "action": entry.action,
                "state": entry.state,
                "requested_by": entry.requested_by,
                "target": entry.target,
                // Written by us as JSON; what is not is shown as it is.
                "detail": serde_json::from_str(&entry.detail)
                    .unwrap_or_else(|_| Value::String(entry.detail.clone())),
            })
        })
        .collect())
}

fn told(action: &ActionRecord) -> anyhow::Result<Verdict> {
    say(&format!(
        "asked for: action {} is {}",
        action.action_id,
        action.standing()
    ))
}
