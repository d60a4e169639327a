//! Who has a file locked, as far as the system tells: for a person who wonders why nothing is written.

use std::fs::{self, File};
use std::os::unix::fs::MetadataExt as _;

/// `process 4711 (logrotate)`; none where the system does not say.
pub(super) fn of(file: &File) -> Option<String> {
    let inode = file.metadata().ok()?.ino();
    let process = process(&fs::read_to_string("/proc/locks").ok()?, inode)?;
    let name = fs::read_to_string(format!("/proc/{process}/comm")).unwrap_or_default();
    Some(format!("process {process} ({})", name.trim()))
}

/// The process that holds a lock on the file of this number; one that waits for it does not.
///
/// Source: `proc_locks(5)`.
fn process(locks: &str, inode: u64) -> Option<u32> {
    let inode = inode.to_string();
    locks.lines().find_map(|line| {
        let fields: Vec<&str> = line.split_whitespace().collect();
        let [_, "FLOCK", _, _, process, place, ..] = fields[..] else {
            return None;
        };
        let is_it = place.rsplit(':').next() == Some(inode.as_str());
        process.parse().ok().filter(|process| is_it && *process > 0)
    })
}

#[cfg(test)]
mod tests {
    use super::process;

    #[test]
    fn the_holder_is_named_and_not_who_waits() {
        let locks = "1: POSIX  ADVISORY  WRITE 17 08:01:99 0 EOF\n\
                     2: FLOCK  ADVISORY  WRITE 4711 08:01:99 0 EOF\n\
                     2: -> FLOCK  ADVISORY  WRITE 18 08:01:99 0 EOF\n\
                     3: FLOCK  ADVISORY  WRITE -1 08:01:98 0 EOF\n";
        assert_eq!(process(locks, 99), Some(4711));
        assert_eq!(process(locks, 98), None);
        assert_eq!(process(locks, 9), None);
        assert_eq!(process("", 99), None);
    }
}
