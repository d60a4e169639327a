//! How a full file is moved aside, and which of those moved before are removed.

use std::fs;
use std::io;
use std::path::Path;

/// Moves the file aside under a name with the time, and removes the oldest of those beyond `keep`.
pub(super) fn rotate(path: &Path, keep: usize, now_us: i64) -> io::Result<()> {
    let (begin, end) = around_time(path);
    let folder = path
        .parent()
        .filter(|folder| !folder.as_os_str().is_empty())
        .unwrap_or(Path::new("."));
    let mut rotated = Vec::new();
    for entry in fs::read_dir(folder)? {
        let name = entry?.file_name().to_string_lossy().into_owned();
        if let Some(at) = rotated_at(&name, &begin, &end) {
            rotated.push((at, name));
        }
    }
    let stamp = stamp(now_us);
    let same_second = rotated.iter().filter(|((time, _), _)| *time == stamp);
    let number = same_second.map(|((_, number), _)| number + 1).max();
    let name = match number {
        None => format!("{begin}{stamp}{end}"),
        Some(number) => format!("{begin}{stamp}.{number}{end}"),
    };
    fs::rename(path, folder.join(&name))?;
    if keep == 0 {
        return Ok(());
    }
    rotated.push(((stamp, number.unwrap_or(0)), name));
    rotated.sort();
    for (_, name) in rotated.iter().rev().skip(keep) {
        fs::remove_file(folder.join(name))?;
    }
    Ok(())
}

/// What stands before and after the time in the name of a rotated file.
fn around_time(path: &Path) -> (String, String) {
    let text = |part: Option<&std::ffi::OsStr>| {
        part.map_or_else(String::new, |part| part.to_string_lossy().into_owned())
    };
    let end = match path.extension() {
        Some(_) => format!(".{}", text(path.extension())),
        None => String::new(),
    };
    (format!("{}-", text(path.file_stem())), end)
}

/// `20261130T081500Z`.
fn stamp(now_us: i64) -> String {
    let time = jiff::Timestamp::from_microsecond(now_us).unwrap_or(jiff::Timestamp::UNIX_EPOCH);
    time.strftime("%Y%m%dT%H%M%SZ").to_string()
}

/// The time and number in a name that a rotation has given; no other file is removed.
pub(super) fn rotated_at(name: &str, begin: &str, end: &str) -> Option<(String, u64)> {
    let stamp = name.strip_prefix(begin)?.strip_suffix(end)?;
    let (time, number) = stamp.split_once('.').unwrap_or((stamp, "0"));
    let is_time = time.len() == 16
        && time.ends_with('Z')
        && time.as_bytes()[8] == b'T'
        && time.bytes().filter(u8::is_ascii_digit).count() == 14;
    let number = number.parse().ok()?;
    is_time.then(|| (time.to_owned(), number))
}
