//! Every figure that `/metrics` has, with what it says: what Prometheus shows as help, and `docs/metrics.md`.

use metrics::{Unit, describe_counter, describe_gauge, describe_histogram};

/// What kind of figure it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum MetricKind {
    Counter,
    Gauge,
    Histogram,
}

use MetricKind::{Counter, Gauge, Histogram};

/// A figure: its name, its kind, its labels, and what it says.
struct DescribedMetric {
    name: &'static str,
    kind: MetricKind,
    #[cfg_attr(
        not(test),
        expect(
            dead_code,
            reason = "Prometheus has labels from the figures themselves; the page has not"
        )
    )]
    labels: &'static str,
    says: &'static str,
}

const fn described(
    name: &'static str,
    kind: MetricKind,
    labels: &'static str,
    says: &'static str,
) -> DescribedMetric {
    DescribedMetric {
        name,
        kind,
        labels,
        says,
    }
}

/// Sorted by name.
#[rustfmt::skip]
const METRICS: &[DescribedMetric] = &[
    described("bus_commits_fenced_total", Counter, "group", "Commits that Kafka refused because another member reads the partition now."),
    described("bus_commits_total", Counter, "group", "Commits of positions that were acknowledged."),
    described("bus_kafka_errors_total", Counter, "", "Errors that librdkafka told of: brokers away, connections lost."),
    described("bus_log_removed_total", Counter, "", "Messages removed from the embedded log after their retention."),
    described("bus_publish_retries_total", Counter, "topic", "Publications that had to be tried again."),
    described("bus_published_total", Counter, "topic", "Messages whose publication was acknowledged."),
    described("detect_alerts_total", Counter, "label", "Alerts published, versions of the same alert each counted."),
    described("detect_batches_total", Counter, "", "Announced batches that were evaluated."),
    described("detect_damaged_rows_total", Counter, "", "Rows of vedette's own tables that cannot be read and are left out; each leaves a line in the ledger."),
    described("detect_files_missing_total", Counter, "", "Announced files that were not there; each leaves a line in the ledger."),
    described("detect_files_moved_total", Counter, "", "Announced files whose rows compaction had moved, read where they are now."),
    described("detect_gaps_filled_total", Counter, "", "Files that could not be read at first and were evaluated at a later try."),
    described("detect_ip_database_errors_total", Counter, "", "Addresses that the database of networks could not answer for."),
    described("detect_latency_seconds", Histogram, "", "From when a record was accepted to its alert."),
    described("detect_left_out_total", Counter, "", "Announcements that can never be evaluated; each leaves a line in the ledger."),
    described("detect_outcomes_total", Counter, "state", "Changes of what correlations found: raised, amended, withdrawn."),
    described("detect_panics_total", Counter, "", "Records at which a rule ended by a fault of ours; the others of the batch were evaluated."),
    described("detect_reloads_total", Counter, "result", "Rules read anew: taken, or refused with the old ones kept."),
    described("detect_replaced_logs_total", Counter, "", "Logs or topics that were replaced under the stage, which began again at their start."),
    described("detect_rows_total", Counter, "", "Rows of the batches that were evaluated."),
    described("detect_rules", Gauge, "state", "Rules that run, and rules that were refused."),
    described("detect_signals", Gauge, "", "Signals in memory, which correlations may still count."),
    described("detect_signals_total", Counter, "", "Signals published: matches of rules that a correlation counts."),
    described("detect_unreadable_signals_total", Counter, "", "Signals that cannot be read and are not counted; the lake keeps each as a dead letter."),
    described("forward_circuit_open", Gauge, "destination", "1 while a destination has failed so often that one notice alone is tried."),
    described("forward_dead_letters_total", Counter, "destination, reason", "Notices that a destination will never take."),
    described("forward_in_hand", Gauge, "destination", "Notices in memory that wait for a destination."),
    described("forward_lag_messages", Gauge, "destination", "Messages on the bus that a destination has not been given yet."),
    described("forward_lost_total", Counter, "destination", "Messages that the bus removed before a destination had them."),
    described("forward_notices_total", Counter, "destination, outcome", "Notices by what became of them."),
    described("forward_oldest_age_seconds", Gauge, "destination", "Age of the oldest notice that waits for a destination."),
    described("forward_replaced_logs_total", Counter, "destination", "Logs or topics that were replaced under a destination."),
    described("forward_retries_total", Counter, "destination", "Deliveries that have to be tried again."),
    described("forward_retry_after_capped_total", Counter, "destination", "Times that a destination asked for a longer wait than is believed."),
    described("ingest_backlog_unknown_total", Counter, "", "Times that nobody could say how far the lake is behind."),
    described("ingest_backlog_waits_total", Counter, "", "Times that sources waited because the lake was too far behind."),
    described("ingest_dead_letters_total", Counter, "source, reason", "Records that became dead letters."),
    described("ingest_records_total", Counter, "source, table", "Records published, by the table that they are for."),
    described("ingest_repeated_messages_total", Counter, "source", "Messages that a hub delivered again."),
    described("ingest_replaced_logs_total", Counter, "", "Logs or topics that were replaced; sources read again what they still have."),
    described("ingest_source_failures_total", Counter, "source", "Failures of a source; each is tried again."),
    described("ingest_source_last_success_timestamp_seconds", Gauge, "source", "When a source last answered, as a Unix time."),
    described("ingest_source_restarts_total", Counter, "source", "Readers of a source that ended by a fault of ours and were started again."),
    described("ingest_subscription_starts_total", Counter, "content_type", "Subscriptions of the Management Activity API that had to be started."),
    described("lake_checkpoints_total", Counter, "table", "Checkpoints written into a table's log."),
    described("lake_commit_duration_seconds", Histogram, "table", "Time of a commit: files, log entry, and both on disk."),
    described("lake_compactions_total", Counter, "table", "Compactions: small files joined."),
    described("lake_dead_letters_total", Counter, "reason", "Messages that no table could take."),
    described("lake_duplicates_total", Counter, "table", "Records that were there already, with the same content."),
    described("lake_fenced_total", Counter, "", "Batches dropped here because another lake has taken over their partition."),
    described("lake_files_removed_total", Counter, "", "Replaced files removed after their time."),
    described("lake_files_set_aside_total", Counter, "table", "Files that are damaged or gone, taken out of their table; each leaves a line in the ledger."),
    described("lake_lost_messages_total", Counter, "", "Messages that the bus removed before the lake had read them."),
    described("lake_replaced_logs_total", Counter, "", "Logs or topics that were replaced under the stage, which began again at their start."),
    described("lake_revisions_total", Counter, "table", "Records that came again with another content, kept in `revisions`."),
    described("lake_rows_total", Counter, "table", "Rows committed."),
    described("microsoft_requests_total", Counter, "audience, outcome", "Requests to Microsoft."),
    described("microsoft_token_requests_total", Counter, "audience", "Tokens asked for."),
    described("respond_account_lookups_total", Counter, "outcome", "Lookups of which account a record names."),
    described("respond_action_duration_seconds", Histogram, "action, outcome", "From an action's plan to what its read-back showed."),
    described("respond_actions_held", Gauge, "tenant, reason", "Actions that wait: for a person, the budget, the directory, the kill switch."),
    described("respond_actions_planned_total", Counter, "", "Actions planned."),
    described("respond_actions_total", Counter, "action, outcome", "Actions by the state that they came to."),
    described("respond_alerts_total", Counter, "outcome", "Alerts read, by what was done with them."),
    described("respond_cases_merged_total", Counter, "", "Cases joined into another."),
    described("respond_holds_total", Counter, "reason", "Times that an action was held."),
    described("respond_lease_held", Gauge, "", "1 while this process is the one responder that may act."),
    described("respond_leases_lost_total", Counter, "", "Times that another responder took over."),
    described("respond_pages_total", Counter, "action, outcome", "Outcomes that a person has to look at."),
    described("respond_replaced_logs_total", Counter, "", "Logs or topics that were replaced under the stage."),
    described("respond_rows_set_aside_total", Counter, "", "Damaged rows of the journal, set aside; everything else goes on."),
    described("retries_total", Counter, "task", "Waits before another try of what failed, by the task that waits."),
    described("vedette_disk_free_bytes", Gauge, "folder", "Free space where records are kept."),
    described("vedette_invariant_checks_total", Counter, "id, passed", "Checks of what must always hold; `passed` is false for none, or something is wrong with vedette."),
    described("vedette_lag_messages", Gauge, "stage", "Messages that a stage has not read yet."),
    described("vedette_memory_peak_bytes", Gauge, "", "Most memory that the process has held."),
    described("vedette_standstills_total", Counter, "part", "Loops that did not come round in their time."),
];

/// Tells the recorder what each figure says.
pub(super) fn describe() {
    for metric in METRICS {
        let unit = match metric.name {
            name if name.ends_with("_seconds") => Unit::Seconds,
            name if name.ends_with("_bytes") => Unit::Bytes,
            _ => Unit::Count,
        };
        match metric.kind {
            Counter => describe_counter!(metric.name, unit, metric.says),
            Gauge => describe_gauge!(metric.name, unit, metric.says),
            Histogram => describe_histogram!(metric.name, unit, metric.says),
        }
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;
    use std::fmt::Write as _;
    use std::path::{Path, PathBuf};

    use super::super::OURS;
    use super::{Counter, Gauge, Histogram, METRICS, MetricKind};
    use crate::generated_page::{self, root};

    /// Every Rust file under a folder.
    fn sources(folder: &Path, found: &mut Vec<PathBuf>) {
        for entry in std::fs::read_dir(folder).expect("a folder of sources") {
            let path = entry.expect("an entry").path();
            if path.is_dir() {
                sources(&path, found);
            } else if path.extension().is_some_and(|extension| extension == "rs") {
                found.push(path);
            }
        }
    }

    /// The name of a figure, where the text begins with what its macro is given.
    fn first_literal(text: &str) -> &str {
        let literal = text.trim_start().strip_prefix('"');
        let name = literal.and_then(|literal| literal.split('"').next());
        name.expect("the name is a literal")
    }

    /// The figures that the code counts, by name.
    fn counted() -> BTreeMap<String, MetricKind> {
        let mut files = Vec::new();
        for name in OURS {
            // The command's crate is named otherwise than what it builds.
            let folder = if *name == "vedette" { "cli" } else { name };
            sources(&root().join(folder).join("src"), &mut files);
        }
        let mut counted = BTreeMap::new();
        for file in files {
            let text = std::fs::read_to_string(file).expect("a source");
            for (call, kind) in [
                ("counter", Counter),
                ("gauge", Gauge),
                ("histogram", Histogram),
            ] {
                let opening = format!("metrics::{call}!(");
                let names = text.split(&opening).skip(1).map(first_literal);
                counted.extend(names.map(|name| (name.to_owned(), kind)));
            }
        }
        counted
    }

    #[test]
    fn every_figure_is_described_and_every_description_is_of_a_figure() {
        let described: BTreeMap<_, _> = METRICS
            .iter()
            .map(|metric| (metric.name.to_owned(), metric.kind))
            .collect();
        assert_eq!(described, counted());
        assert!(METRICS.is_sorted_by_key(|metric| metric.name));
    }

    #[test]
    fn the_page_of_the_figures_is_what_the_code_says() {
        let mut page = String::from(
            "# Metrics\n\nWritten by `UPDATE_DOCS=1 cargo test -p cli --bins described`; not edited by hand. What `/metrics` \
             answers at `health.address`.\n\n| metric | kind | labels | what it says |\n|---|---|---|---|\n",
        );
        for metric in METRICS {
            let kind = format!("{:?}", metric.kind).to_lowercase();
            writeln!(
                page,
                "| `{}` | {kind} | {} | {} |",
                metric.name, metric.labels, metric.says
            )
            .expect("text");
        }
        generated_page::check("docs/metrics.md", &page, "described");
    }
}
