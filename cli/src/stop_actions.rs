//! `vedette stop-actions`: the kill switch, with the responder's word that nothing more is sent.

use std::fs::{self, File};
use std::io::Write as _;
use std::path::Path;
use std::time::{Duration, Instant};

use anyhow::Context as _;
use respond::review::Review;
use respond::stage::{is_running, stands_by};
use schemas::environment::{Clock as _, SystemClock};
use schemas::time::iso_ms;
use serde_json::{Value, json};

use crate::config::Config;
use crate::exit::Verdict;
use crate::operator::os_user;

pub(crate) const EXAMPLES: &str = "\
Examples:
  vedette stop-actions --by kim --why \"wrong people are being blocked\"
  vedette stop-actions --by kim --resume

What had not begun is held and goes on after --resume. Reading, rules and alerts are not touched. It stops the
responder that uses this data folder; exit code 4 if that one does not answer.";

/// How often the journal is looked at for the answer.
const LOOK_EVERY: Duration = Duration::from_millis(50);

/// Stops every action, or lets them go on.
#[derive(Debug, clap::Args)]
pub(crate) struct StopActions {
    /// Who decides; it goes into the audit chain.
    #[arg(long)]
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

impl StopActions {
    /// Does it.
    pub(crate) fn run(self, config: &Config) -> anyhow::Result<Verdict> {
        let respond = config.respond_files();
        let (switch, wanted) = (
            &respond.kill_switch,
            if self.resume { "lifted" } else { "set" },
        );
        if self.resume {
            match fs::remove_file(switch) {
                Ok(()) => {}
                Err(error) if error.kind() == std::io::ErrorKind::NotFound => {}
                Err(error) => {
                    return Err(error)
                        .with_context(|| format!("could not remove {}", switch.display()));
                }
            }
            sync_folder(switch)?;
        } else if switch.symlink_metadata().is_err() {
            let note = json!({
                "by": self.by, "why": self.why, "os_user": os_user(), "time": iso_ms(SystemClock.now_us()),
            });
            set(switch, &note)?;
        }
        let mut out = crate::inert::stdout();
        if !is_running(&respond.journal) {
            writeln!(
                out,
                "the switch is {wanted}: {}; no responder runs on {} now, and one that starts will obey it",
                switch.display(),
                respond.journal.display()
            )?;
            return Ok(Verdict::Done);
        }
        if let Some(why) = stands_by(&respond.journal) {
            anyhow::bail!(
                "the switch is {wanted} here: {}; but the responder here stands by ({why}), and the one that acts has \
                 a switch of its own: give the command on its host, too",
                switch.display()
            );
        }
        let review =
            Review::open(&respond.journal).context("could not read the responder's journal")?;
        let started = Instant::now();
        loop {
            let said = review
                .kill_switch()
                .context("could not read the responder's answer")?;
            let state = said.as_ref().map_or("lifted", |entry| entry.state.as_str());
            if state == wanted {
                let entry = said.map_or(0, |entry| entry.sequence);
                let meaning = if self.resume {
                    "what was held goes on"
                } else {
                    "nothing is sent to Microsoft from now on"
                };
                writeln!(
                    out,
                    "acknowledged (entry {entry} of the audit chain): {meaning}"
                )?;
                return Ok(Verdict::Done);
            }
            anyhow::ensure!(
                started.elapsed() < Duration::from_secs(self.wait_s),
                "the switch is {wanted}, and the responder has not acknowledged it within {} s; every call looks at it \
                 before it is sent, so look at the responder, or end its process to be sure",
                self.wait_s
            );
            std::thread::sleep(LOOK_EVERY);
        }
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
