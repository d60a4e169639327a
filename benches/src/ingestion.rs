//! Ingest beside a bare producer: the same bytes of the same file into the same Kafka.
//!
//! The bare producer sends each line as it is, keyed by its number: no parsing, no identity, no envelope. What
//! vedette costs beyond it is what those cost.

use std::fs;
use std::io::{self, BufRead as _};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use bus::config::KafkaConfig;
use bus::{Bus, BusConfig};
use ingest::ImportConfig;
use ingest::sources::files::{self, ImportOptions};
use rdkafka::ClientConfig;
use rdkafka::error::{KafkaError, RDKafkaErrorCode};
use rdkafka::producer::{BaseRecord, DefaultProducerContext, Producer as _, ThreadedProducer};
use schemas::environment::SystemClock;
use tokio_util::sync::CancellationToken;

/// Topic of the bare producer.
const BARE_TOPIC: &str = "bare";
/// Longest wait for the last acknowledgement.
const FLUSH_WAIT: Duration = Duration::from_mins(2);
/// Wait for room in the producer's queue.
const QUEUE_WAIT: Duration = Duration::from_millis(5);

/// What stopped a measurement.
#[derive(Debug, thiserror::Error)]
pub enum IngestionError {
    /// The file could not be read.
    #[error("could not read the events")]
    File(#[from] io::Error),
    /// The bus could not be opened.
    #[error("could not open the bus")]
    Bus(#[source] Box<bus::BusError>),
    /// The import ended early.
    #[error("could not import")]
    Import(#[source] Box<ingest::IngestError>),
    /// The bare producer failed.
    #[error("could not produce")]
    Produce(#[from] KafkaError),
}

/// Imports the file as `vedette import` does; gives the number of records that Kafka has acknowledged.
///
/// # Errors
/// [`IngestionError`] if a part of it could not be done.
pub fn import(events: &Path, brokers: &str) -> Result<u64, IngestionError> {
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .enable_all()
        .build()?;
    runtime.block_on(async {
        let kafka = KafkaConfig {
            brokers: brokers.to_owned(),
            development: true,
            ..KafkaConfig::default()
        };
        let bus = Bus::open(&BusConfig::Kafka(kafka))
            .await
            .map_err(|cause| IngestionError::Bus(Box::new(cause)))?;
        let options = ImportOptions {
            bounds: ImportConfig::default(),
            tenant_id: None,
            is_tenant_of_all: false,
            dates: schemas::time::DateOrder::default(),
            downstream: None,
            clock: Arc::new(SystemClock),
            stop: CancellationToken::new(),
        };
        let paths: Vec<PathBuf> = vec![events.to_owned()];
        let summary = files::import(&paths, &options, &bus, |_| {})
            .await
            .map_err(|cause| IngestionError::Import(Box::new(cause)))?;
        Ok(summary.records)
    })
}

/// Sends every line as it is; gives the number of lines that Kafka has acknowledged.
///
/// # Errors
/// [`IngestionError`] if a part of it could not be done.
pub fn produce(events: &Path, brokers: &str) -> Result<u64, IngestionError> {
    let producer: ThreadedProducer<DefaultProducerContext> = ClientConfig::new()
        .set("bootstrap.servers", brokers)
        .set("enable.idempotence", "true")
        .set("acks", "all")
        .set("compression.type", "zstd")
        .set("linger.ms", "5")
        .set("message.timeout.ms", "0")
        .create()?;
    let mut sent = 0;
    for line in io::BufReader::new(fs::File::open(events)?).split(b'\n') {
        let line = line?;
        let key = sent.to_string();
        loop {
            match producer.send(BaseRecord::to(BARE_TOPIC).key(&key).payload(&line)) {
                Ok(()) => break,
                Err((KafkaError::MessageProduction(RDKafkaErrorCode::QueueFull), _)) => {
                    std::thread::sleep(QUEUE_WAIT);
                }
                Err((error, _)) => return Err(error.into()),
            }
        }
        sent += 1;
    }
    producer.flush(FLUSH_WAIT)?;
    Ok(sent)
}
