//! Tells what happens while it happens, on standard error.

use std::collections::BTreeSet;
use std::io::Write as _;
use std::time::Duration;

use indicatif::{ProgressBar, ProgressStyle};

use simulator::Connection;

use super::observe::Look;
use crate::output;

/// Says each thing once.
pub(super) struct Narrator {
    bar: ProgressBar,
    said: BTreeSet<String>,
}

impl Narrator {
    pub(super) fn new(tenant: &Connection) -> Self {
        let bar = ProgressBar::new_spinner();
        if let Ok(style) = ProgressStyle::with_template("{spinner} {elapsed:>4}  {msg}") {
            bar.set_style(style);
        }
        bar.enable_steady_tick(Duration::from_millis(120));
        let narrator = Self {
            bar,
            said: BTreeSet::new(),
        };
        narrator.say(&format!(
            "a simulated tenant is up: {} (HTTP), {} (AMQP)",
            tenant.http_url, tenant.amqp_url
        ));
        narrator.say("ingest, lake, detect and respond run in this process, on the embedded log");
        narrator
    }

    fn say(&self, line: &str) {
        let line = format!("  {:>4.1} s  {line}", self.bar.elapsed().as_secs_f64());
        // Without a terminal the bar prints nothing, and the lines are still wanted.
        if self.bar.is_hidden() {
            drop(writeln!(output::stderr(), "{line}"));
        } else {
            self.bar.println(line);
        }
    }

    fn once(&mut self, key: String, line: &str) {
        if self.said.insert(key) {
            self.say(line);
        }
    }

    /// Says what is new since the last look.
    pub(super) fn tell(&mut self, look: &Look) {
        for step in look.story["steps"].as_array().into_iter().flatten() {
            let what = step["what"].as_str().unwrap_or_default();
            self.once(
                format!("step {what}"),
                &format!("attacker: {}", what.replace('_', " ")),
            );
        }
        for alert in &look.alerts {
            let who = match alert.user.as_str() {
                "" => "-",
                user => user,
            };
            self.once(
                format!("alert {} {who}", alert.label),
                &format!(
                    "alert:    {} {} {} ({who})",
                    alert.label, alert.severity, alert.title
                ),
            );
        }
        for case in &look.cases {
            self.once(
                format!("case {}", case.case_id),
                &format!("case:     {}", case.title),
            );
        }
        for action in &look.actions {
            self.once(
                format!("action {} {}", action.action_id, action.state),
                &format!("action:   {} {}", action.action.kind(), action.state),
            );
        }
        let sent: u64 = look.sent.iter().sum();
        let kept: u64 = look.kept.iter().sum();
        self.bar.set_message(format!(
            "{kept} of {sent} events in the lake, {} alerts",
            look.alerts.len()
        ));
    }
}

impl Drop for Narrator {
    fn drop(&mut self) {
        self.bar.finish_and_clear();
    }
}
