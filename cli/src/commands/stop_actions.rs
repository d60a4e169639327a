//! `vedette stop-actions`: the kill switch, with the responder's word that nothing more is sent.
//!
//! Only what the audit chain says counts as the responder's word: that it says nothing says nothing.

use std::fs::{self, File};
use std::io::Write as _;
use std::path::Path;
use std::time::{Duration, Instant};

use anyhow::Context as _;
use respond::RespondConfig;
use respond::review::Review;
use respond::stage::{is_running, stands_by};
use schemas::environment::{Clock as _, SystemClock};
use schemas::time::iso_ms;
use schemas::wire::AuditRecord;
use serde_json::{Value, json};

use crate::config::{Config, Origin};
use crate::operator::{os_user, person};
use crate::output::exit::BadConfiguration;
use crate::output::{self, Verdict};

pub(crate) const EXAMPLES: &str = "\
Examples:
  vedette stop-actions --by kim --why \"wrong people are being blocked\"
  vedette stop-actions --by kim --resume

What had not begun is held and goes on after --resume. Reading, rules and alerts are not touched. It stops the
responder that uses this data folder; exit code 4 if none has acknowledged it, also where none runs now.";

/// How often the journal is looked at for the answer.
const LOOK_EVERY: Duration = Duration::from_millis(50);

/// Stops every action, or lets them go on.
#[derive(Debug, clap::Args)]
pub(crate) struct StopActions {
    /// Who decides; it goes into the audit chain.
    #[arg(long, value_parser = person)]
    by: String,
    /// Why, for whoever reads the chain.
    #[arg(long, default_value = "")]
    why: String,
    /// Let actions go on.
    #[arg(long)]
    resume: bool,
    /// Longest wait for the responder's answer, in seconds.
    #[arg(long, default_value_t = 30)]
    wait_s: u64,
}

/// What was there before the command did anything.
struct Before {
    /// Whether the switch was set.
    was_set: bool,
    /// Sequence of the entry that the chain last had of it, or 0.
    entry: u64,
    /// Whether that entry says that it is set.
    was_said_to_be_set: bool,
}

impl StopActions {
    /// Does it.
    pub(crate) fn run(self, config: &Config) -> anyhow::Result<Verdict> {
        let respond = config.respond_files();
        let runs = is_running(&respond.journal);
        if config.origin == Origin::Defaults && !runs && !respond.journal.exists() {
            return Err(anyhow::anyhow!(
                "nothing was stopped: no configuration was named, there is no vedette.toml in this folder, and no responder \
                 has ever run on {}: name the configuration that the responder has, --config FILE",
                respond.journal.display()
            )
            .context(BadConfiguration));
        }
        let switch = &respond.kill_switch;
        // Before anything else: what the journal says is worth less than the switch.
        let before = Before {
            was_set: switch.symlink_metadata().is_ok(),
            ..Before::of_chain(&respond.journal)
        };
        self.flip(switch, before.was_set)?;
        let wanted = self.wanted();
        anyhow::ensure!(
            runs,
            "the switch is {wanted}: {}; but nobody has acknowledged it: no responder runs on {} now, and one that starts \
             will obey it; if one runs on another data folder, name its configuration (this was {})",
            switch.display(),
            respond.journal.display(),
            config.origin
        );
        if let Some(why) = stands_by(&respond.journal) {
            anyhow::bail!(
                "the switch is {wanted} here: {}; but the responder here stands by ({why}), and the one that acts has \
                 a switch of its own: give the command on its host, too",
                switch.display()
            );
        }
        self.wait(&respond, &before)
    }

    const fn wanted(&self) -> &'static str {
        if self.resume { "lifted" } else { "set" }
    }

    fn flip(&self, switch: &Path, was_set: bool) -> anyhow::Result<()> {
        if self.resume {
            match fs::remove_file(switch) {
                Ok(()) => {}
                Err(error) if error.kind() == std::io::ErrorKind::NotFound => {}
                Err(error) => {
                    return Err(error)
                        .with_context(|| format!("could not remove {}", switch.display()));
                }
            }
            let folder = switch.parent();
            let is_there =
                folder.is_none_or(|folder| folder.as_os_str().is_empty() || folder.is_dir());
            if is_there {
                sync_folder(switch)?;
            }
            return Ok(());
        }
        if was_set {
            return Ok(());
        }
        let note = json!({
            "by": self.by, "why": self.why, "os_user": os_user(), "time": iso_ms(SystemClock.now_us()),
        });
        set(switch, &note)
    }

    /// Waits for the responder's word.
    fn wait(&self, respond: &RespondConfig, before: &Before) -> anyhow::Result<Verdict> {
        let mut out = output::stdout();
        let review =
            Review::open(&respond.journal).context("could not read the responder's journal")?;
        let started = Instant::now();
        loop {
            let said = review
                .kill_switch()
                .context("could not read the responder's answer")?;
            if let Some(entry) = said.as_ref().filter(|entry| self.is_word(entry, before)) {
                let meaning = if self.resume {
                    "what was held goes on"
                } else {
                    "nothing is sent to Microsoft from now on"
                };
                writeln!(
                    out,
                    "acknowledged (entry {} of the audit chain): {meaning}",
                    entry.sequence
                )?;
                return Ok(Verdict::Done);
            }
            let held = if self.resume && !before.was_set && !before.was_said_to_be_set {
                // Nobody set it, as far as is known: the responder has nothing to say, unless something is held by it.
                let held = review
                    .held_by_switch()
                    .context("could not read what is held")?;
                if held == 0 {
                    writeln!(
                        out,
                        "the switch was not set: {} is not there, and nothing is held by it",
                        respond.kill_switch.display()
                    )?;
                    return Ok(Verdict::Done);
                }
                format!("; {held} actions are held by it")
            } else {
                String::new()
            };
            anyhow::ensure!(
                started.elapsed() < Duration::from_secs(self.wait_s),
                "the switch is {}, and the responder has not acknowledged it within {} s ({}){held}; every call looks at \
                 it before it is sent, so look at the responder (/readyz says what it cannot do), or end its process to be \
                 sure",
                self.wanted(),
                self.wait_s,
                last_word(said.as_ref()),
            );
            std::thread::sleep(LOOK_EVERY);
        }
    }

    /// Whether an entry is the responder's answer.
    ///
    /// While the chain's last word is that it is set, the responder sends nothing, whenever that was said; that it was
    /// lifted is an answer only if it was said since.
    fn is_word(&self, entry: &AuditRecord, before: &Before) -> bool {
        entry.state == self.wanted() && (!self.resume || entry.sequence > before.entry)
    }
}

impl Before {
    /// By the chain; what cannot be read counts as nothing that was said.
    fn of_chain(journal: &Path) -> Self {
        let said = Review::open(journal).and_then(|review| review.kill_switch());
        let said = said.ok().flatten();
        Self {
            was_set: false,
            entry: said.as_ref().map_or(0, |entry| entry.sequence),
            was_said_to_be_set: said.is_some_and(|entry| entry.state == "set"),
        }
    }
}

fn last_word(said: Option<&AuditRecord>) -> String {
    match said {
        Some(entry) => format!(
            "the audit chain's last word is entry {}: {}",
            entry.sequence, entry.state
        ),
        None => "the audit chain says nothing of it".to_owned(),
    }
}

/// Sets the switch, whole or not at all, so that it is there after a power cut.
fn set(switch: &Path, note: &Value) -> anyhow::Result<()> {
    let mut written = switch.as_os_str().to_owned();
    written.push(".new");
    let cannot = || format!("could not set the switch {}", switch.display());
    if let Some(folder) = switch.parent() {
        // A responder that starts here later obeys it too.
        fs::create_dir_all(folder).with_context(cannot)?;
    }
    let mut file = File::create(&written).with_context(cannot)?;
    writeln!(file, "{note}").with_context(cannot)?;
    file.sync_all().with_context(cannot)?;
    fs::rename(&written, switch).with_context(cannot)?;
    sync_folder(switch)
}

fn sync_folder(file: &Path) -> anyhow::Result<()> {
    let folder = file
        .parent()
        .filter(|folder| !folder.as_os_str().is_empty());
    let folder = folder.unwrap_or(Path::new("."));
    File::open(folder)
        .and_then(|folder| folder.sync_all())
        .with_context(|| format!("could not write {}", folder.display()))
}
