//! Whom a decision is about, shown before it is taken: the account as the directory has it now, and what speaks against its
//! being the one that the evidence names.
//!
//! The responder looks, because it is the one that acts and has the secrets; the question and the answer are rows of its
//! journal.

use std::io::Write as _;
use std::time::{Duration, Instant};

use anyhow::Context as _;
use respond::accounts::named::{DoubtKind, Sighted};
use respond::record::ActionRecord;
use respond::review::Review;
use respond::sighting::{NotSeen, Sighting};
use respond::stage::{is_running, stands_by};
use schemas::environment::{Clock as _, SystemClock};
use schemas::time::iso_ms;
use serde_json::{Value, json};

use crate::config::Config;
use crate::output::{self, DetailForm, Verdict};

/// How often the journal is looked at for the answer.
const LOOK_EVERY: Duration = Duration::from_millis(100);

/// What a person says of the account that a decision is about.
#[derive(Debug, clap::Args)]
pub(super) struct Whom {
    /// Decide although this speaks against the account's being the right one, by the word that is shown; with --account.
    #[arg(long, value_name = "DOUBT", value_parser = doubt, requires = "account")]
    yes_although: Vec<DoubtKind>,
    /// Object id of the account that is meant; if it is another one by now, nothing is decided.
    #[arg(long, value_name = "OBJECT_ID")]
    account: Option<String>,
    /// Longest wait for the responder to look who it is, in seconds; 0 for not asking it.
    #[arg(long, default_value_t = 20)]
    wait_s: u64,
    /// Form of what is shown.
    #[arg(long, short, value_enum, default_value_t = DetailForm::Table)]
    output: DetailForm,
}

/// What is to be decided, by whom.
pub(super) struct Undecided<'a> {
    /// For example `approve`.
    pub(super) what: &'a str,
    /// The action's or the case's id.
    pub(super) about: &'a str,
    /// What follows the id in the command, for example the action that is asked for.
    pub(super) rest: &'a str,
    /// Who decides.
    pub(super) by: &'a str,
}

fn doubt(text: &str) -> Result<DoubtKind, String> {
    DoubtKind::of_str(text).ok_or_else(|| {
        let known: Vec<&str> = DoubtKind::ALL.iter().map(|kind| kind.as_str()).collect();
        format!("a doubt is one of {}", known.join(", "))
    })
}

impl Whom {
    /// Shows whom the decision is about, takes it where nothing is left to say, and tells what came of it.
    ///
    /// # Errors
    /// If the journal fails, or the decision is refused by it.
    pub(super) fn decide(
        &self,
        review: Review,
        config: &Config,
        asked: &Undecided<'_>,
        record: Option<&ActionRecord>,
        take: impl FnOnce(&Review) -> anyhow::Result<ActionRecord>,
    ) -> anyhow::Result<Verdict> {
        let looked = match record {
            Some(record) => self.look(&review, config, record)?,
            None => Err("it has begun, and is looked at again as it is".to_owned()),
        };
        let sighting = looked.as_ref().ok();
        let sighted = match &looked {
            Ok(sighting) => sighting.seen(self.account.as_deref(), &self.yes_although),
            Err(why) if self.account.is_some() => {
                anyhow::bail!("nothing was decided: whom it is about could not be looked up: {why}")
            }
            Err(_) => Ok(None),
        };
        if self.output == DetailForm::Table {
            show(record, &looked)?;
        }
        let sighted: Option<Sighted> = match sighted {
            Ok(sighted) => sighted,
            Err(not_seen) => {
                let why = not_seen.to_string();
                review.tell_refused(
                    asked.what,
                    asked.about,
                    asked.by,
                    &why,
                    SystemClock.now_us(),
                )?;
                return self.refused(asked, sighting, &not_seen);
            }
        };
        let taken = take(&review.having_seen(sighted))?;
        let mut out = output::stdout();
        match self.output {
            DetailForm::Table => writeln!(
                out,
                "{}: action {} is {}",
                past(asked.what),
                taken.action_id,
                taken.standing()
            )?,
            DetailForm::Json => {
                let mut shown = shown(sighting);
                shown["taken"] = true.into();
                shown["action_id"] = taken.action_id.as_str().into();
                shown["state"] = taken.standing().into();
                out.json(&shown)?;
            }
        }
        Ok(Verdict::Done)
    }

    /// What the responder finds, or why it does not look.
    fn look(
        &self,
        review: &Review,
        config: &Config,
        record: &ActionRecord,
    ) -> anyhow::Result<Result<Sighting, String>> {
        if let Some(why) = cannot_act(config, &record.tenant_id) {
            return Ok(Err(why));
        }
        let journal = config.journal();
        if self.wait_s == 0 {
            return Ok(Err("you said that it is not to be asked".to_owned()));
        }
        if !is_running(&journal) {
            return Ok(Err(format!(
                "no responder runs on {} now",
                journal.display()
            )));
        }
        if let Some(why) = stands_by(&journal) {
            return Ok(Err(format!("the responder here stands by ({why})")));
        }
        let asked = review
            .ask_whom(record, SystemClock.now_us())
            .context("could not ask the responder whom it is about")?;
        let started = Instant::now();
        loop {
            if let Some(sighting) = review.sighting(&asked)? {
                return Ok(Ok(sighting));
            }
            if started.elapsed() >= Duration::from_secs(self.wait_s) {
                return Ok(Err(format!(
                    "the responder has not answered within {} s",
                    self.wait_s
                )));
            }
            std::thread::sleep(LOOK_EVERY);
        }
    }

    /// Says why nothing was decided, and what to say to decide it.
    fn refused(
        &self,
        asked: &Undecided<'_>,
        sighting: Option<&Sighting>,
        not_seen: &NotSeen,
    ) -> anyhow::Result<Verdict> {
        let mut out = output::stdout();
        if self.output == DetailForm::Json {
            let mut shown = shown(sighting);
            shown["taken"] = false.into();
            shown["why"] = not_seen.to_string().into();
            out.json(&shown)?;
            return Ok(Verdict::Findings);
        }
        writeln!(out, "nothing was decided: {not_seen}")?;
        let account = sighting.and_then(|sighting| sighting.account.as_ref());
        if let (NotSeen::Doubted { .. }, Some(account), Some(sighting)) =
            (not_seen, account, sighting)
        {
            let mut although: Vec<String> = sighting
                .doubts()
                .iter()
                .map(|doubt| format!(" --yes-although {}", doubt.kind.as_str()))
                .collect();
            although.dedup();
            writeln!(
                out,
                "if you know that it is: vedette audit {} {}{} --by {} --account {}{}",
                asked.what,
                asked.about,
                asked.rest,
                quoted(asked.by),
                account.id,
                although.concat()
            )?;
        }
        Ok(Verdict::Findings)
    }
}

/// Why nothing can be done in a tenant, by the configuration that was given; none if it can.
pub(super) fn cannot_act(config: &Config, tenant_id: &str) -> Option<String> {
    let of_tenant = |tenant: &&crate::config::Tenant| tenant.id.eq_ignore_ascii_case(tenant_id);
    match config.tenants.iter().find(of_tenant) {
        Some(tenant) if tenant.act.is_some() => None,
        Some(_) => Some(format!(
            "tenant {tenant_id} has no table `act` in the configuration ({}): nothing can be done there until it has, and \
             the action expires meanwhile",
            config.origin
        )),
        None => Some(format!(
            "tenant {tenant_id} is not in the configuration ({}): nothing can be done there until it is, and the action \
             expires meanwhile",
            config.origin
        )),
    }
}

fn past(what: &str) -> &str {
    match what {
        "approve" => "approved",
        _ => "asked for",
    }
}

fn quoted(name: &str) -> String {
    let is_plain = |letter: char| letter.is_ascii_alphanumeric() || "._-@".contains(letter);
    if name.chars().all(is_plain) {
        name.to_owned()
    } else {
        format!("'{}'", name.replace('\'', "'\\''"))
    }
}

/// For people.
fn show(record: Option<&ActionRecord>, looked: &Result<Sighting, String>) -> anyhow::Result<()> {
    let mut out = output::stdout();
    let what = record.map_or("it".to_owned(), |record| {
        record.action.plan(record.account())
    });
    let sighting = match looked {
        Ok(sighting) => sighting,
        Err(why) => {
            writeln!(
                out,
                "{what}\nwhom it is about was not looked up: {why}; if anything speaks against whom it finds, it is refused, \
                 and you are asked anew"
            )?;
            return Ok(());
        }
    };
    writeln!(out, "{what}")?;
    match &sighting.account {
        Some(user) => {
            writeln!(out, "  account    {}", user.user_principal_name)?;
            writeln!(out, "  object id  {}", user.id)?;
            let made = user.created_us.map_or("not told".to_owned(), iso_ms);
            writeln!(out, "  made       {made}")?;
            writeln!(
                out,
                "  who        {}{}, sign-in {}",
                if user.is_guest { "guest" } else { "member" },
                if user.is_synced {
                    " from an on-premises directory"
                } else {
                    ""
                },
                if user.account_enabled {
                    "allowed"
                } else {
                    "blocked"
                }
            )?;
            let roles = sighting.roles.as_ref().map(|roles| {
                let names: Vec<&str> = roles.iter().map(|role| role.name.as_str()).collect();
                names.join(", ")
            });
            let roles = match roles {
                None => "could not be read".to_owned(),
                Some(none) if none.is_empty() => "none".to_owned(),
                Some(names) => names,
            };
            writeln!(out, "  roles      {roles}")?;
        }
        None => writeln!(out, "  account    none was found")?,
    }
    for doubt in sighting.doubts() {
        writeln!(out, "  doubt      {}: {}", doubt.kind.as_str(), doubt.why)?;
    }
    for against in sighting.against().iter().chain(&sighting.problems) {
        writeln!(out, "  against    {against}")?;
    }
    Ok(())
}

/// For programs.
fn shown(sighting: Option<&Sighting>) -> Value {
    let Some(sighting) = sighting else {
        return json!({"looked": false, "account": null, "doubts": [], "against": [], "problems": []});
    };
    json!({
        "looked": true,
        "account": sighting.account.as_ref().map(|user| json!({
            "id": user.id,
            "user_principal_name": user.user_principal_name,
            "made": user.created_us.map(iso_ms),
            "is_guest": user.is_guest,
            "is_synced": user.is_synced,
            "sign_in_allowed": user.account_enabled,
        })),
        "roles": sighting.roles,
        "doubts": sighting.doubts().iter().map(|doubt| json!({"doubt": doubt.kind, "why": doubt.why})).collect::<Vec<_>>(),
        "against": sighting.against(),
        "problems": sighting.problems,
    })
}
