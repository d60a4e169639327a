//! Archives in the zip format: which files are in one, and where their bytes stand.
//!
//! Nothing is unpacked to the disk, and names are for people only. Source: APPNOTE.TXT 6.3.

use std::fs::File;
use std::io::{self, Read, Seek, SeekFrom};
use std::path::Path;

/// Most files that are read of one archive.
const MEMBERS_MAX: usize = 10_000;

/// Largest list of files that is read, in bytes.
const LIST_BYTES_MAX: u64 = 16 * 1024 * 1024;

/// The first bytes of an archive that is not empty.
pub(super) const MAGIC: &[u8] = b"PK\x03\x04";

/// A file in an archive.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Member {
    pub(super) name: String,
    /// Bytes that it takes in the archive.
    pub(super) packed: u64,
    /// Where its own header stands.
    header: u64,
    pub(super) is_deflated: bool,
}

/// What is in an archive.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct Archive {
    pub(super) members: Vec<Member>,
    /// What is in it and not read, and why.
    pub(super) refused: Vec<(String, String)>,
}

/// What is in the file at `path`, if it is an archive.
///
/// # Errors
/// Of the file, and if its list of files is none: an archive that was cut has lost it.
pub(super) fn look(path: &Path) -> io::Result<Option<Archive>> {
    let mut file = super::regular::open(path)?;
    let mut start = [0; 4];
    let mut length = 0;
    while length < start.len() {
        match file.read(&mut start[length..])? {
            0 => break,
            read => length += read,
        }
    }
    if start != MAGIC {
        return Ok(None);
    }
    let archive = list(&mut file)?;
    let names = |name: &str| archive.members.iter().any(|member| member.name == name);
    if names("[Content_Types].xml") {
        return Err(io::Error::other(
            "it is a document of Office: save the sheet with the records as CSV (UTF-8), and import that",
        ));
    }
    Ok(Some(archive))
}

/// The bytes of a member as they stand in the archive.
pub(super) fn open(file: &mut File, member: &Member) -> io::Result<()> {
    file.seek(SeekFrom::Start(member.header))?;
    let mut header = [0; 30];
    file.read_exact(&mut header)?;
    if !header.starts_with(MAGIC) {
        return Err(broken());
    }
    let skipped = i64::from(short(&header, 26)) + i64::from(short(&header, 28));
    file.seek(SeekFrom::Current(skipped))?;
    Ok(())
}

fn broken() -> io::Error {
    io::Error::other(
        "it is an archive whose list of files is missing or broken: unpack it, and import what comes out",
    )
}

fn short(bytes: &[u8], at: usize) -> u16 {
    bytes
        .get(at..at + 2)
        .map_or(0, |two| u16::from_le_bytes([two[0], two[1]]))
}

fn long(bytes: &[u8], at: usize) -> u64 {
    let four = bytes.get(at..at + 4).and_then(|four| four.try_into().ok());
    u64::from(four.map_or(0, u32::from_le_bytes))
}

fn longer(bytes: &[u8], at: usize) -> u64 {
    let eight = bytes
        .get(at..at + 8)
        .and_then(|eight| eight.try_into().ok());
    eight.map_or(0, u64::from_le_bytes)
}

/// What stands for "see the longer field".
const SEE_LONGER: u64 = 0xffff_ffff;

/// The list of files, from the end of the archive.
fn list(file: &mut File) -> io::Result<Archive> {
    let length = file.seek(SeekFrom::End(0))?;
    let tail_length = length.min(22 + 65_535 + 20);
    file.seek(SeekFrom::Start(length - tail_length))?;
    let mut tail = Vec::new();
    file.take(tail_length).read_to_end(&mut tail)?;
    let end = tail
        .windows(4)
        .rposition(|four| four == b"PK\x05\x06")
        .ok_or_else(broken)?;
    let (mut size, mut start) = (long(&tail, end + 12), long(&tail, end + 16));
    let locator = end
        .checked_sub(20)
        .filter(|at| tail[*at..].starts_with(b"PK\x06\x07"));
    if let Some(at) = locator {
        file.seek(SeekFrom::Start(longer(&tail, at + 8)))?;
        let mut longer_end = [0; 56];
        file.read_exact(&mut longer_end)?;
        (size, start) = (longer(&longer_end, 40), longer(&longer_end, 48));
    }
    if size > LIST_BYTES_MAX || start.saturating_add(size) > length {
        return Err(broken());
    }
    file.seek(SeekFrom::Start(start))?;
    let mut list = Vec::new();
    file.take(size).read_to_end(&mut list)?;
    Ok(members_of(&list))
}

fn members_of(list: &[u8]) -> Archive {
    let mut archive = Archive::default();
    let mut rest = list;
    while rest.starts_with(b"PK\x01\x02") && rest.len() >= 46 {
        let lengths = [28, 30, 32].map(|at| usize::from(short(rest, at)));
        let end = 46 + lengths.iter().sum::<usize>();
        let Some(entry) = rest.get(..end) else {
            break;
        };
        rest = &rest[end..];
        let name =
            String::from_utf8_lossy(&entry[46..46 + lengths[0]]).replace(char::is_control, "?");
        if name.ends_with('/') {
            continue;
        }
        let extra = &entry[46 + lengths[0]..46 + lengths[0] + lengths[1]];
        let method = short(entry, 10);
        let why = if short(entry, 8) & 1 == 1 {
            "it is locked by a password: unpack the archive, and import what comes out".to_owned()
        } else if !matches!(method, 0 | 8) {
            format!(
                "it is packed by method {method}: unpack the archive, and import what comes out"
            )
        } else if archive.members.len() >= MEMBERS_MAX {
            format!("the archive holds more than {MEMBERS_MAX} files")
        } else {
            let (packed, header) = places(entry, extra);
            archive.members.push(Member {
                name,
                packed,
                header,
                is_deflated: method == 8,
            });
            continue;
        };
        if archive.refused.len() < MEMBERS_MAX {
            archive.refused.push((name, why));
        }
    }
    archive
}

/// How many bytes a member takes, and where it stands.
fn places(entry: &[u8], extra: &[u8]) -> (u64, u64) {
    let (unpacked, mut packed, mut header) = (long(entry, 24), long(entry, 20), long(entry, 42));
    let mut rest = extra;
    while rest.len() >= 4 {
        let length = usize::from(short(rest, 2));
        let field = rest.get(4..4 + length).unwrap_or_default();
        if short(rest, 0) == 1 {
            // Only what does not fit stands here, in this order.
            let mut at = if unpacked == SEE_LONGER { 8 } else { 0 };
            if packed == SEE_LONGER {
                packed = longer(field, at);
                at += 8;
            }
            if header == SEE_LONGER {
                header = longer(field, at);
            }
        }
        rest = rest.get(4 + length..).unwrap_or_default();
    }
    (packed, header)
}
