//! Counts the checks of invariants that the processes made, as their metrics tell them.

use std::collections::BTreeSet;

/// Checks that processes told of before they were killed, and in the end.
#[derive(Debug, Default, PartialEq, Eq)]
pub(crate) struct Checks {
    pub(crate) passed: u64,
    pub(crate) failed: u64,
}

impl Checks {
    /// Adds what a page of metrics says.
    pub(crate) fn add(&mut self, page: &str) {
        for line in page.lines() {
            let Some(labels) = line.strip_prefix("vedette_invariant_checks_total{") else {
                continue;
            };
            let count = line
                .rsplit(' ')
                .next()
                .and_then(|text| text.parse().ok())
                .unwrap_or(0);
            if labels.contains("passed=\"true\"") {
                self.passed += count;
            } else {
                self.failed += count;
            }
        }
    }
}

/// Ports of this machine on which a process listens.
///
/// Source: <https://www.kernel.org/doc/Documentation/networking/proc_net_tcp.txt>.
pub(crate) fn listens_on(process: u32) -> Vec<u16> {
    let folder = format!("/proc/{process}");
    let sockets: BTreeSet<String> = std::fs::read_dir(format!("{folder}/fd"))
        .into_iter()
        .flatten()
        .filter_map(|entry| std::fs::read_link(entry.ok()?.path()).ok())
        .filter_map(|link| {
            let link = link.to_str()?;
            Some(link.strip_prefix("socket:[")?.strip_suffix(']')?.to_owned())
        })
        .collect();
    let table = std::fs::read_to_string(format!("{folder}/net/tcp")).unwrap_or_default();
    table
        .lines()
        .filter_map(|line| port(line, &sockets))
        .collect()
}

/// The port of a line, if it listens through one of the sockets.
fn port(line: &str, sockets: &BTreeSet<String>) -> Option<u16> {
    const LISTENS: &str = "0A";
    let fields: Vec<&str> = line.split_whitespace().collect();
    let (local, state, socket) = (fields.get(1)?, fields.get(3)?, fields.get(9)?);
    if *state != LISTENS || !sockets.contains(*socket) {
        return None;
    }
    u16::from_str_radix(local.split_once(':')?.1, 16).ok()
}
