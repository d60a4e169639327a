//! `vedette forward`: the stage as a service, and a look at its destinations.

mod replay;

use std::io::Write as _;

use anyhow::Context as _;
use bus::Bus;
use clap::Subcommand;
use forward::destination::Destination;
use forward::feed::{Extent, Feed, FeedSource};
use forward::replay::{Sent, send, test_notice};
use forward::stage::left_behind;
use forward::{DestinationConfig, ForwardConfig};
use schemas::environment::{Clock as _, SystemClock};
use schemas::time::{iso_ms, parse_us};

use crate::commands::run::run;
use crate::commands::runtime;
use crate::config::Config;
use crate::config::forward::{address, surroundings};
use crate::output::exit::BadConfiguration;
use crate::output::{self, Table, Verdict, inert, inert_sentence};
use crate::stages::Stage;

pub(crate) const EXAMPLES: &str = "\
Examples:
  vedette forward --config vedette.toml             the stage as a service
  vedette forward list                              destinations, and what goes there
  vedette forward validate                          asks each: credentials, TLS, topic; says what to fix
  vedette forward test soc                          one labelled test alert, and what the destination answered
  vedette forward status                            how many messages wait for each
  vedette forward forget old                        what the log keeps for one that is configured no more; --yes drops it
  vedette forward tap soc                           what goes there from now on, as JSON on standard output
  vedette forward replay soc --since 24h            sends what the bus still has of the last day again
  vedette forward replay soc --since 7d --dead-letters
                                                    sends again what was refused

Exit codes: 0 done, 1 a destination has a fault or refused something, or the bus has no longer all that was to be sent again,
3 no such destination, 4 it could not be reached.";

/// The stage, or a look at its destinations.
#[derive(Debug, clap::Args)]
pub(crate) struct Forward {
    #[command(subcommand)]
    what: Option<What>,
}

#[derive(Debug, Subcommand)]
enum What {
    /// List the destinations, and what goes there.
    List,
    /// Send one labelled test alert, and say what the destination answered.
    Test {
        /// The destination.
        name: String,
    },
    /// Show how many messages wait for each destination.
    Status,
    /// Remove the place of a destination that is configured no more: the embedded log keeps what it has not read for ever.
    Forget {
        /// The destination.
        name: String,
        /// Do it; without this it says what would be dropped.
        #[arg(long)]
        yes: bool,
    },
    /// Send again what the bus still has; receivers know it by id and version.
    Replay {
        /// The destination.
        name: String,
        /// From when on, by the time of publishing: `30m`, `24h`, `7d`, or a time as in RFC 3339.
        #[arg(long, value_parser = parse_since)]
        since: Since,
        /// What it refused, instead of what the routes lead there.
        #[arg(long)]
        dead_letters: bool,
    },
    /// Show what goes to a destination from now on, as JSON, a line each.
    Tap {
        /// The destination.
        name: String,
    },
    /// Ask each destination, or one, and say what is wrong and how to mend it.
    Validate {
        /// The destination; all of them if none is named.
        name: Option<String>,
    },
}

/// From when on.
#[derive(Debug, Clone, Copy)]
enum Since {
    /// This long ago, in microseconds.
    Ago(i64),
    /// A time, in microseconds since the Unix epoch, UTC.
    At(i64),
}

impl Since {
    fn us(self, now_us: i64) -> i64 {
        match self {
            Self::Ago(ago_us) => now_us.saturating_sub(ago_us),
            Self::At(at_us) => at_us,
        }
    }
}

fn parse_since(text: &str) -> Result<Since, String> {
    let unit_us = |unit: &str| match unit {
        "m" => Some(60_000_000),
        "h" => Some(3_600_000_000),
        "d" => Some(86_400_000_000),
        _ => None,
    };
    let digits = text.bytes().take_while(u8::is_ascii_digit).count();
    let (number, unit) = text.split_at(digits);
    if let (Ok(number), Some(unit_us)) = (number.parse::<i64>(), unit_us(unit)) {
        return Ok(Since::Ago(number.saturating_mul(unit_us)));
    }
    parse_us(text)
        .map(Since::At)
        .ok_or_else(|| "write 30m, 24h, 7d, or a time such as 2026-11-30T08:00:00Z".to_owned())
}

impl Forward {
    /// Does it.
    pub(crate) fn run(self, config: &Config) -> anyhow::Result<Verdict> {
        let Some(what) = self.what else {
            return run(config, &[Stage::Forward]);
        };
        let forward = config.forward();
        forward.check().context(BadConfiguration)?;
        if !matches!(what, What::List) {
            // Files of destinations and the embedded log may be there.
            config.open_folders()?;
        }
        match what {
            What::List => list(&forward),
            What::Status => runtime()?.block_on(status(config, &forward)),
            What::Forget { name, yes } => runtime()?.block_on(forget(config, &forward, &name, yes)),
            What::Validate { name } => {
                let destinations = match &name {
                    Some(name) => vec![named(&forward, name)?.clone()],
                    None => forward.destinations.clone(),
                };
                runtime()?.block_on(validate(&destinations))
            }
            What::Test { name } => runtime()?.block_on(test(named(&forward, &name)?)),
            What::Tap { name } => {
                runtime()?.block_on(tap(config, &forward, named(&forward, &name)?))
            }
            What::Replay {
                name,
                since,
                dead_letters,
            } => {
                let destination = named(&forward, &name)?;
                let source = if dead_letters {
                    FeedSource::DeadLetters
                } else {
                    FeedSource::Topics
                };
                let since_us = since.us(SystemClock.now_us());
                runtime()?.block_on(replay::run(
                    config,
                    &forward,
                    destination,
                    (source, since_us),
                ))
            }
        }
    }
}

/// The destination of a name.
fn named<'a>(forward: &'a ForwardConfig, name: &str) -> anyhow::Result<&'a DestinationConfig> {
    let found = forward.destinations.iter().find(|one| one.name == name);
    found.ok_or_else(|| {
        let known: Vec<&str> = forward
            .destinations
            .iter()
            .map(|one| one.name.as_str())
            .collect();
        let known = if known.is_empty() {
            "there is no [[destinations]] in the configuration".to_owned()
        } else {
            format!("there are {}", known.join(", "))
        };
        anyhow::anyhow!("no destination is named \"{name}\": {known}").context(BadConfiguration)
    })
}

fn open(destination: &DestinationConfig) -> anyhow::Result<Box<dyn Destination>> {
    let opened = destination.to.open(&destination.name, &surroundings());
    opened.context(BadConfiguration)
}

async fn open_bus(config: &Config) -> anyhow::Result<Bus> {
    Bus::open(&config.bus())
        .await
        .context("could not open the bus")
}

fn list(forward: &ForwardConfig) -> anyhow::Result<Verdict> {
    let routes = forward.routes();
    let mut table = Table::new(["destination", "kind", "where", "what goes there"]);
    for destination in &forward.destinations {
        let kinds = routes.kinds_of(&destination.name);
        let kinds: Vec<&str> = kinds.iter().map(|kind| kind.as_str()).collect();
        table.row([
            destination.name.clone(),
            destination.to.kind().to_owned(),
            address(&destination.to),
            if kinds.is_empty() {
                "nothing: no route leads here".to_owned()
            } else {
                kinds.join(", ")
            },
        ]);
    }
    let mut out = output::stdout();
    out.table(&table)?;
    if forward.destinations.is_empty() {
        writeln!(
            out,
            "no destination is configured: add a [[destinations]], as docs/forward-alerts.md shows"
        )?;
    }
    Ok(Verdict::Done)
}

async fn status(config: &Config, forward: &ForwardConfig) -> anyhow::Result<Verdict> {
    let bus = open_bus(config).await?;
    let routes = forward.routes();
    let mut table = Table::new([
        "destination",
        "kind",
        "topic",
        "messages that wait",
        "has begun",
    ]);
    for destination in &forward.destinations {
        for topic in routes.topics_of(&destination.name) {
            let ends = bus.ends(topic).await?;
            let committed = bus.committed(&destination.group(), topic).await?;
            table.row([
                destination.name.clone(),
                destination.to.kind().to_owned(),
                topic.name(),
                bus::behind(&ends, &committed).to_string(),
                if committed.is_empty() { "no" } else { "yes" }.to_owned(),
            ]);
        }
    }
    let mut out = output::stdout();
    out.table(&table)?;
    for (name, messages) in left_behind(&bus, &forward.destinations).await? {
        writeln!(
            out,
            "{} is configured no more, and the log keeps {messages} messages for it: `vedette forward forget` drops them",
            inert(&name)
        )?;
    }
    writeln!(
        out,
        "what is wrong with a destination is said by http://{}/readyz of the process that forwards",
        config.health.address
    )?;
    Ok(Verdict::Done)
}

async fn forget(
    config: &Config,
    forward: &ForwardConfig,
    name: &str,
    is_confirmed: bool,
) -> anyhow::Result<Verdict> {
    if forward.destinations.iter().any(|one| one.name == name) {
        anyhow::bail!(anyhow::anyhow!(
            "\"{name}\" is configured: it would begin anew; fix: remove its [[destinations]] first"
        )
        .context(BadConfiguration));
    }
    let bus = open_bus(config).await?;
    let left = left_behind(&bus, &forward.destinations).await?;
    let Some(messages) = left.get(name) else {
        let names: Vec<&str> = left.keys().map(String::as_str).collect();
        anyhow::bail!(anyhow::anyhow!(
            "nothing is kept for a destination \"{name}\" that is configured no more; there are: {}",
            if names.is_empty() { "none".to_owned() } else { names.join(", ") }
        )
        .context(BadConfiguration));
    };
    let mut out = output::stdout();
    if !is_confirmed {
        writeln!(
            out,
            "{name} has a place on the log, and {messages} messages that it has not read are kept for it; \
             `vedette forward forget {name} --yes` removes the place, and the log removes them when they are old"
        )?;
        return Ok(Verdict::Findings);
    }
    bus.forget(&forward::config::group(name)).await?;
    writeln!(
        out,
        "{name} is forgotten: {messages} messages are kept for it no more"
    )?;
    Ok(Verdict::Done)
}

async fn validate(destinations: &[DestinationConfig]) -> anyhow::Result<Verdict> {
    let mut out = output::stdout();
    let mut verdict = Verdict::Done;
    for destination in destinations {
        let found = match destination.to.open(&destination.name, &surroundings()) {
            Ok(mut opened) => opened.validate().await,
            Err(error) => vec![forward::destination::Validated::fault(
                "its settings can be used",
                error.to_string(),
            )],
        };
        for one in found {
            match one.fault {
                None => writeln!(
                    out,
                    "{}: ok: {}",
                    destination.name,
                    inert_sentence(&one.what)
                )?,
                Some(fault) => {
                    verdict = Verdict::Findings;
                    writeln!(
                        out,
                        "{}: fault: {}: {}",
                        destination.name,
                        inert_sentence(&one.what),
                        inert_sentence(&fault)
                    )?;
                }
            }
        }
    }
    Ok(verdict)
}

async fn test(destination: &DestinationConfig) -> anyhow::Result<Verdict> {
    let mut opened = open(destination)?;
    let now_us = SystemClock.now_us();
    let notice = test_notice(now_us);
    let key = notice.idempotency_key();
    let mut sent = Sent::default();
    let outcome = send(opened.as_mut(), vec![notice], &SystemClock, &mut sent).await;
    let mut out = output::stdout();
    outcome
        .with_context(|| format!("the test alert did not arrive at \"{}\"", destination.name))?;
    if let Some((_, why)) = sent.refused.first() {
        writeln!(out, "refused: {}", inert_sentence(why))?;
        return Ok(Verdict::Findings);
    }
    writeln!(
        out,
        "delivered: {} took the test alert {key} at {}\nit answered: {}",
        destination.name,
        iso_ms(SystemClock.now_us()),
        inert_sentence(&sent.said)
    )?;
    Ok(Verdict::Done)
}

async fn tap(
    config: &Config,
    forward: &ForwardConfig,
    destination: &DestinationConfig,
) -> anyhow::Result<Verdict> {
    let bus = open_bus(config).await?;
    let what = (FeedSource::Topics, Extent::FromNow);
    let mut feed = Feed::open(&bus, &destination.name, forward.routes(), what).await?;
    let mut out = output::stdout();
    loop {
        let notices = tokio::select! {
            _ = tokio::signal::ctrl_c() => return Ok(Verdict::Done),
            notices = feed.next() => notices?,
        };
        for notice in notices.unwrap_or_default() {
            writeln!(out, "{}", notice.document)?;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::{Since, parse_since};

    #[test]
    fn since_is_a_span_or_a_time() {
        let us = |text: &str| parse_since(text).map(|since: Since| since.us(100_000_000_000));
        assert_eq!(us("30m"), Ok(100_000_000_000 - 1_800_000_000));
        assert_eq!(us("1d"), Ok(100_000_000_000 - 86_400_000_000));
        assert_eq!(us("1970-01-01T00:00:01Z"), Ok(1_000_000));
        for wrong in ["", "24", "h", "24w", "-1h", "yesterday"] {
            assert!(us(wrong).is_err(), "{wrong}");
        }
    }
}
