//! The simulated day in files: what Microsoft would have delivered, as `vedette import` reads it.
//!
//! | file | content |
//! |---|---|
//! | `signins.ndjson` | sign-ins of diagnostic settings |
//! | `directory_audits.ndjson` | directory audits of diagnostic settings |
//! | `risk_events.ndjson` | risk detections of diagnostic settings |
//! | `graph_activity.ndjson` | requests to Microsoft Graph of diagnostic settings |
//! | `m365_activity.ndjson` | records of the unified audit log |
//! | `graph_alerts.ndjson` | versions of alerts of `alerts_v2` |
//! | `stories.json` | the attacks: steps, times and ids of their records; not for import |
//!
//! Records stand in the order of their delivery: late, and some twice, as the configuration says. Nothing
//! waits, and nothing but the folder is touched; the same configuration gives the same bytes.

use std::collections::BTreeMap;
use std::fs::{self, File};
use std::io::{self, BufWriter, Write};
use std::path::{Path, PathBuf};

use serde_json::{Value, json};

use crate::config::SimulatorConfig;
use crate::error::SimulatorError;
use crate::world::moment::{MINUTE_US, milliseconds};
use crate::world::outbox::Feed;
use crate::world::stories::telling;
use crate::world::{World, span_us};

/// When an exported day begins if the configuration does not say: Monday, 2026-09-14T06:00:00Z.
pub const START_US: i64 = 1_789_365_600_000_000;
/// Simulated time between two writings: what became visible within it is in memory at once.
const SLICE_US: i64 = MINUTE_US;
/// Bytes that are written at once.
const BUFFER_BYTES: usize = 256 * 1_024;

/// What an export wrote.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Exported {
    /// Records by the name of the file, duplicates counted.
    pub records: BTreeMap<String, u64>,
    /// The account of the stories.
    pub stories: PathBuf,
}

/// Writes the whole simulated day into a folder, which is made if need be; files of the same names are replaced.
///
/// # Errors
/// [`SimulatorError::Setting`] for a value out of bounds, [`SimulatorError::Export`] for a file that could not be
/// written; what was written so far stays.
pub fn export(config: &SimulatorConfig, folder: &Path) -> Result<Exported, SimulatorError> {
    config.check()?;
    let start_us = config.start_us.unwrap_or(START_US);
    let mut world = World::new(config, start_us);
    let end_us = start_us + span_us(config);
    make_folder(folder)?;
    let mut files = Feed::ALL
        .into_iter()
        .map(|feed| Ok((feed, FeedFile::create(folder, feed)?)))
        .collect::<Result<BTreeMap<Feed, FeedFile>, SimulatorError>>()?;
    let mut now_us = start_us;
    while now_us < end_us {
        now_us = (now_us + SLICE_US).min(end_us);
        for (feed, record) in world.advance_singly(now_us) {
            if let Some(file) = files.get_mut(&feed) {
                file.write(&record)?;
            }
        }
    }
    let mut records = BTreeMap::new();
    for file in files.into_values() {
        let (name, count) = file.finish()?;
        records.insert(name, count);
    }
    Ok(Exported {
        records,
        stories: write_stories(&world, config, start_us, folder)?,
    })
}

struct FeedFile {
    name: String,
    path: PathBuf,
    out: BufWriter<File>,
    records: u64,
}

impl FeedFile {
    fn create(folder: &Path, feed: Feed) -> Result<Self, SimulatorError> {
        let name = format!("{}.ndjson", feed.name());
        let path = folder.join(&name);
        let file = File::create(&path).map_err(|cause| failed(&path, cause))?;
        Ok(Self {
            name,
            path,
            out: BufWriter::with_capacity(BUFFER_BYTES, file),
            records: 0,
        })
    }

    fn write(&mut self, record: &str) -> Result<(), SimulatorError> {
        self.records += 1;
        self.out
            .write_all(record.as_bytes())
            .and_then(|()| self.out.write_all(b"\n"))
            .map_err(|cause| failed(&self.path, cause))
    }

    fn finish(mut self) -> Result<(String, u64), SimulatorError> {
        self.out
            .flush()
            .map_err(|cause| failed(&self.path, cause))?;
        Ok((self.name, self.records))
    }
}

fn failed(path: &Path, cause: io::Error) -> SimulatorError {
    SimulatorError::Export {
        path: path.to_owned(),
        cause,
    }
}

fn make_folder(folder: &Path) -> Result<(), SimulatorError> {
    fs::create_dir_all(folder).map_err(|cause| failed(folder, cause))
}

fn write_stories(
    world: &World,
    config: &SimulatorConfig,
    start_us: i64,
    folder: &Path,
) -> Result<PathBuf, SimulatorError> {
    let told = json!({
        "seed": config.seed,
        "tenant_id": world.scene.recorder.tenant.id,
        "start": milliseconds(start_us),
        "start_us": start_us,
        "stories": stories(world),
    });
    let path = folder.join("stories.json");
    fs::write(&path, format!("{told:#}\n")).map_err(|cause| failed(&path, cause))?;
    Ok(path)
}

/// All stories in one form; those that say what the attacker holds come first.
fn stories(world: &World) -> Vec<Value> {
    let (first, others) = world.performances_by_holdings();
    let all = first.into_iter().map(|(one, _)| one).chain(others);
    all.map(|one| telling::performance(&world.scene, one, telling::time))
        .collect()
}
