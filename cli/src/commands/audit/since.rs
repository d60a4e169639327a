//! Who changed since whether an account may sign in, as far as the lake has the tenant's audit log.
//!
//! Whether sign-in is allowed is one bit: that somebody changed it and changed it back cannot be seen in it, and an undo
//! would allow an account that somebody else has blocked for a reason of his own.

use anyhow::{Context as _, bail};
use clap::ValueEnum;
use datafusion::arrow::array::RecordBatch;
use lake::literals;
use respond::action::ActionKind;
use respond::record::ActionRecord;
use schemas::time::iso_ms;
use sigma::plan::fields::text;

use super::Decision;
use super::lake::ask_lake;
use crate::config::Config;

/// A person asks for an undo.
#[derive(Debug, clap::Args)]
pub(crate) struct Undoing {
    #[command(flatten)]
    pub(super) decision: Decision,
    /// Undo although a doubt stands, which must be named as it was shown.
    #[arg(long, value_enum)]
    pub(super) yes_although: Option<Unseen>,
}

/// What speaks against an undo that a person may waive.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(super) enum Unseen {
    /// Nobody can say whether others changed the account since.
    Unseen,
}

/// Refuses if the lake has a change of the account's sign-in since the action took effect, and shows all of them; and if
/// it could not have any, unless that is waived.
///
/// Source: <https://learn.microsoft.com/entra/identity/monitoring-health/reference-audit-activities> (activities
/// `Disable account`, `Enable account`, `Update user`).
///
/// # Errors
/// The changes, a line each; why none can be seen; or that the lake cannot be read.
pub(super) fn refuse_if_others_changed(
    config: &Config,
    record: &ActionRecord,
    waived: Option<Unseen>,
) -> anyhow::Result<()> {
    let is_sign_in = matches!(
        record.action.kind(),
        ActionKind::BlockSignIn | ActionKind::AllowSignIn
    );
    // Of everything else the state tells itself what others made of it.
    if !is_sign_in {
        return Ok(());
    }
    let (tenant_id, since_us) = (&record.tenant_id, record.changed_time_us);
    let changes = query(tenant_id, record.account(), since_us);
    let later = later(tenant_id, since_us);
    let asked = ask_lake(config, [changes.as_str(), later.as_str()])
        .context("could not ask the lake who changed the account since")?;
    let why_unseen = match asked {
        None => Some("there is no lake here".to_owned()),
        Some([changes, later]) => {
            refuse_changes(&changes, record)?;
            let is_silent = later.iter().all(|batch| batch.num_rows() == 0);
            is_silent.then(|| {
                format!(
                    "the lake has nothing of the tenant's audit log after {}",
                    iso_ms(since_us)
                )
            })
        }
    };
    match why_unseen {
        Some(why) if waived.is_none() => bail!(
            "nobody can say whether others changed since whether {} may sign in, so this undo could take back what they \
             decided: {why}\nlook at the account and at Entra's audit log, then: vedette audit undo {} --by NAME \
             --yes-although unseen",
            record.account(),
            record.action_id
        ),
        _ => Ok(()),
    }
}

fn refuse_changes(batches: &[RecordBatch], record: &ActionRecord) -> anyhow::Result<()> {
    let mut changes = Vec::new();
    for batch in batches {
        for row in 0..batch.num_rows() {
            let cell = |name| text(batch, name, row).unwrap_or_default();
            let by = [cell("user_principal_name"), cell("app_display_name")].concat();
            let by = if by.is_empty() { "somebody" } else { &by };
            changes.push(format!(
                "  {} {} by {by}",
                cell("event_time"),
                cell("operation_name")
            ));
        }
    }
    anyhow::ensure!(
        changes.is_empty(),
        "others changed since whether {} may sign in, so this undo could take back what they decided:\n{}\nlook at the \
         account, then ask for the action itself: vedette audit request {} allow-sign-in --by NAME",
        record.account(),
        changes.join("\n"),
        record.case_id
    );
    Ok(())
}

fn later(tenant_id: &str, since_us: i64) -> String {
    format!(
        "SELECT event_time FROM directory_audits WHERE tenant_id = {} AND event_time > to_timestamp_micros({since_us}) \
         LIMIT 1",
        literals([tenant_id])
    )
}

fn query(tenant_id: &str, account: &str, since_us: i64) -> String {
    let (tenant, target) = (literals([tenant_id]), literals([account]));
    format!(
        "SELECT event_time, operation_name, user_principal_name, app_display_name FROM directory_audits \
         WHERE tenant_id = {tenant} AND event_time > to_timestamp_micros({since_us}) AND target_id = {target} \
         AND (operation_name IN ('Disable account', 'Enable account') \
         OR (operation_name = 'Update user' AND modified_properties LIKE '%AccountEnabled%')) \
         ORDER BY event_time LIMIT 20"
    )
}
