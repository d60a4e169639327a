//! The process's peak memory.

/// Most memory that was resident at once, in bytes; none where the system does not say.
///
/// Source: `VmHWM` of `/proc/self/status`, proc(5).
pub(crate) fn peak_bytes() -> Option<u64> {
    let status = std::fs::read_to_string("/proc/self/status").ok()?;
    let line = status.lines().find(|line| line.starts_with("VmHWM:"))?;
    let kibibytes: u64 = line.split_whitespace().nth(1)?.parse().ok()?;
    Some(kibibytes * 1024)
}

#[cfg(test)]
mod tests {
    #[test]
    fn a_running_process_has_a_peak() {
        assert!(super::peak_bytes().is_some_and(|bytes| bytes > 1024 * 1024));
    }
}
