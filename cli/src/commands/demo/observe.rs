//! What the simulator sent, what the lake has, and what was done: looked at from outside, as a user would.

use anyhow::Context as _;
use bus::Bus;
use datafusion::arrow::json::ArrayWriter;
use lake::Lake;
use respond::cases::Case;
use respond::record::ActionRecord;
use respond::review::Review;
use schemas::wire::Alert;
use serde::Deserialize;
use serde_json::Value;

use crate::config::Config;
use crate::stages::{Stage, progress};

/// The tables that the simulated feeds end in, with the feed's name for people.
pub(super) const FEEDS: [(&str, &str); 5] = [
    ("signins", "Entra sign-ins (Event Hubs)"),
    ("directory_audits", "Entra audit log (Event Hubs)"),
    ("risk_events", "Entra risk events (Event Hubs)"),
    (
        "m365_activity",
        "Unified audit log (Management Activity API)",
    ),
    ("graph_alerts", "Microsoft's alerts (Graph)"),
];

/// How things stand at one moment.
#[derive(Debug)]
pub(super) struct Look {
    pub(super) day_is_over: bool,
    /// Distinct records by table that the simulator has sent.
    pub(super) sent: Vec<u64>,
    /// Rows by table in the lake.
    pub(super) kept: Vec<u64>,
    pub(super) alerts: Vec<Alert>,
    pub(super) cases: Vec<Case>,
    pub(super) actions: Vec<ActionRecord>,
    /// The simulator's account of the attack.
    pub(super) story: Value,
    /// Messages that a stage has not finished with.
    pub(super) behind: i64,
}

impl Look {
    /// Nothing is on its way any more.
    pub(super) fn settled(&self) -> bool {
        self.day_is_over && self.sent == self.kept && self.behind == 0
    }
}

/// Alerts as they were raised, in their order.
async fn raised(lake: &Lake) -> anyhow::Result<Vec<Alert>> {
    let query =
        "SELECT * FROM alerts WHERE alert_state = 'raised' ORDER BY detected_time, alert_id";
    let (alerts, damaged) = lake.rows(query).await?;
    match damaged.into_iter().next() {
        Some(error) => Err(error.into()),
        None => Ok(alerts),
    }
}

/// Everything that the report is made of.
#[derive(Debug)]
pub(super) struct Facts {
    pub(super) settled: bool,
    pub(super) last: Look,
    /// Mutating calls, as the simulator has seen them.
    pub(super) calls: Value,
    /// Rows of `coverage`, and of `dead_letters`.
    pub(super) coverage: u64,
    pub(super) dead_letters: u64,
    /// Problem of the audit chain, if it has one.
    pub(super) broken_chain: Option<String>,
}

/// Looks at the simulator, the lake and the journal.
pub(super) struct Observer {
    http: reqwest::Client,
    base_url: String,
    config: Config,
    bus: Bus,
}

impl Observer {
    pub(super) async fn open(base_url: &str, config: &Config) -> anyhow::Result<Self> {
        // The environment's proxy must not be asked for a loopback address.
        let http = reqwest::Client::builder()
            .no_proxy()
            .build()
            .context("could not make an HTTP client")?;
        let bus = Bus::open(&config.bus())
            .await
            .context("could not open the bus")?;
        Ok(Self {
            http,
            base_url: base_url.to_owned(),
            config: config.clone(),
            bus,
        })
    }

    fn review(&self) -> anyhow::Result<Review> {
        Review::open(&self.config.journal()).context("could not open the journal")
    }

    async fn get(&self, path: &str) -> anyhow::Result<Value> {
        let url = format!("{}{path}", self.base_url);
        let answer = self
            .http
            .get(&url)
            .send()
            .await
            .with_context(|| url.clone())?;
        answer.error_for_status()?.json().await.with_context(|| url)
    }

    async fn query<T: serde::de::DeserializeOwned>(
        lake: &Lake,
        query: &str,
    ) -> anyhow::Result<Vec<T>> {
        let (_, batches) = lake.query_all(query).await?;
        let mut json = Vec::new();
        let mut writer = ArrayWriter::new(&mut json);
        writer.write_batches(&batches.iter().collect::<Vec<_>>())?;
        writer.finish()?;
        if json.is_empty() {
            return Ok(Vec::new());
        }
        serde_json::from_slice(&json).context("could not read an answer of the lake")
    }

    async fn count(lake: &Lake, table: &str) -> anyhow::Result<u64> {
        #[derive(Deserialize)]
        struct Count {
            n: u64,
        }
        let rows: Vec<Count> =
            Self::query(lake, &format!("SELECT count(*) AS n FROM {table}")).await?;
        Ok(rows.first().map_or(0, |row| row.n))
    }

    /// How things stand now.
    pub(super) async fn look(&self) -> anyhow::Result<Look> {
        let ledger = self.get("/simulator/ledger").await?;
        let lake = Lake::open(&self.config.lake())?;
        let mut sent = Vec::new();
        let mut kept = Vec::new();
        for (table, _) in FEEDS {
            sent.push(ledger["feeds"][table]["count"].as_u64().unwrap_or(0));
            kept.push(Self::count(&lake, table).await?);
        }
        let review = self.review()?;
        Ok(Look {
            day_is_over: ledger["complete"] == Value::Bool(true),
            sent,
            kept,
            alerts: raised(&lake).await?,
            cases: review.cases(usize::MAX)?,
            actions: review.actions(usize::MAX)?,
            story: self.get("/simulator/story").await?,
            behind: progress::total(&self.bus, &self.config, &Stage::ALL).await?,
        })
    }

    /// Everything that the report is made of, after the stages have drained.
    pub(super) async fn facts(&self, settled: bool) -> anyhow::Result<Facts> {
        let lake = Lake::open(&self.config.lake())?;
        Ok(Facts {
            settled,
            last: self.look().await?,
            calls: self.get("/simulator/calls").await?,
            coverage: Self::count(&lake, "coverage").await?,
            dead_letters: Self::count(&lake, "dead_letters").await?,
            broken_chain: self
                .review()?
                .verify(Vec::new())
                .err()
                .map(|error| error.to_string()),
        })
    }
}
