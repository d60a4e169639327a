//! What `benches/run` measures, one part at a time.
//!
//! `bench detect EVENTS.ndjson RULES_FOLDER` prints counts per rule and processor seconds as JSON, and with a FOLDER
//! after it stores the events there at the same time;
//! `bench store EVENTS.ndjson RULES_FOLDER FOLDER` stores them and prints the bytes;
//! `bench stored FOLDER RULES_FOLDER THREADS` prints counts per rule over what is stored;
//! `bench correlate RULES_FOLDER SIGNALS` prints what so many signals of a day cost the correlations of a folder;
//! `bench ingest EVENTS.ndjson BROKERS` and `bench produce EVENTS.ndjson BROKERS` print how many were acknowledged.
//! Exit code: 0 done, 2 could not run.

use std::error::Error;
use std::io::{Write, stderr, stdout};
use std::path::Path;
use std::process::ExitCode;

use benches::{correlated, detection, ingestion, store, stored};

fn main() -> ExitCode {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let words: Vec<&str> = arguments.iter().map(String::as_str).collect();
    let done = match words.as_slice() {
        ["detect", events, rules] => detect(Path::new(events), Path::new(rules), None),
        ["detect", events, rules, folder] => detect(Path::new(events), Path::new(rules), Some(Path::new(folder))),
        ["store", events, rules, folder] => store(Path::new(events), Path::new(rules), Path::new(folder)),
        ["stored", folder, rules, threads] => detect_stored(Path::new(folder), Path::new(rules), threads),
        ["correlate", rules, signals] => correlate(Path::new(rules), signals),
        ["ingest", events, brokers] => acknowledged(ingestion::import(Path::new(events), brokers)),
        ["produce", events, brokers] => acknowledged(ingestion::produce(Path::new(events), brokers)),
        _ => Err("usage: bench detect EVENTS.ndjson RULES_FOLDER [FOLDER] | bench store EVENTS.ndjson RULES_FOLDER FOLDER | bench stored FOLDER RULES_FOLDER THREADS | bench correlate RULES_FOLDER SIGNALS | bench ingest|produce EVENTS.ndjson BROKERS".into()),
    };
    match done {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            let cause = error.source().map(ToString::to_string).unwrap_or_default();
            // Nothing is left to do where even this cannot be written.
            drop(writeln!(stderr(), "bench: {error} {cause}"));
            ExitCode::from(2)
        }
    }
}

fn detect(events: &Path, rules: &Path, folder: Option<&Path>) -> Result<(), Box<dyn Error>> {
    let report = detection::run(events, rules, folder)?;
    writeln!(stdout(), "{:#}", detection::to_json(&report))?;
    Ok(())
}

fn store(events: &Path, rules: &Path, folder: &Path) -> Result<(), Box<dyn Error>> {
    writeln!(stdout(), "{}", store::store(events, rules, folder)?)?;
    Ok(())
}

fn detect_stored(folder: &Path, rules: &Path, threads: &str) -> Result<(), Box<dyn Error>> {
    stored::detect(folder, rules, threads.parse()?, &mut stdout())?;
    Ok(())
}

fn correlate(rules: &Path, signals: &str) -> Result<(), Box<dyn Error>> {
    writeln!(stdout(), "{}", correlated::run(rules, signals.parse()?)?)?;
    Ok(())
}

fn acknowledged(count: Result<u64, ingestion::IngestionError>) -> Result<(), Box<dyn Error>> {
    writeln!(stdout(), "{}", count?)?;
    Ok(())
}
