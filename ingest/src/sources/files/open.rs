//! Opens a file and takes off its compression and encoding, told from its first bytes.

use std::fs::File;
use std::io::{self, BufRead, BufReader, Read};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use super::folder::Found;
use super::utf16::{Utf16, order_of};
use super::{foreign, regular, zip};
use crate::config::ImportConfig;

/// Bytes that are read from a file at once.
pub(super) const CHUNK_BYTES: usize = 1024 * 1024;

/// Largest window of a zstd frame, as a power of two: `--long=27` needs 128 MiB.
const ZSTD_WINDOW_LOG_MAX: u32 = 27;

/// What compressed files may still hold.
#[derive(Debug, Clone)]
pub(super) struct Allowance {
    expansion_max: u64,
    small_bytes: u64,
    /// Bytes that the files of the import may still expand to, together.
    left: Arc<AtomicU64>,
}

impl Allowance {
    /// The same for a file that is read once more: what its first reading takes is not counted twice.
    pub(super) fn for_a_look(&self) -> Self {
        Self {
            left: Arc::new(AtomicU64::new(self.left.load(Ordering::Relaxed))),
            ..self.clone()
        }
    }

    pub(super) fn new(config: &ImportConfig) -> Self {
        Self {
            expansion_max: config.expansion_max,
            small_bytes: SMALL_BYTES,
            left: Arc::new(AtomicU64::new(config.expanded_bytes_max)),
        }
    }
}

/// What any file may expand to, however small it is, in bytes: a few lines of one record compress beyond any ratio.
const SMALL_BYTES: u64 = 64 * 1024 * 1024;

/// Opens a file that was found; `bytes_done` counts what was read from disk.
///
/// # Errors
/// If it is no file, also one that was put in a file's place since it was listed, and if it is of a kind that no log is:
/// the error says what to do instead.
pub(super) fn open(
    found: &Found,
    bytes_done: Arc<AtomicU64>,
    allowance: &Allowance,
) -> io::Result<Box<dyn BufRead>> {
    let mut file = regular::open(&found.place)?;
    let packed_bytes = file.metadata()?.len();
    let Some(member) = &found.member else {
        let counted = Counted { file, bytes_done };
        let reader = BufReader::with_capacity(CHUNK_BYTES, counted);
        return unpacked(Box::new(reader), packed_bytes, allowance);
    };
    zip::open(&mut file, member)?;
    let counted = Counted { file, bytes_done }.take(member.packed);
    let reader = BufReader::with_capacity(CHUNK_BYTES, counted);
    let reader: Box<dyn Read> = if member.is_deflated {
        let inner = flate2::bufread::DeflateDecoder::new(reader);
        Box::new(allowance.bound(inner, member.packed))
    } else {
        Box::new(reader)
    };
    let reader = BufReader::with_capacity(CHUNK_BYTES, reader);
    unpacked(Box::new(reader), member.packed, allowance)
}

/// The text of a file, without its compression.
fn unpacked(
    mut reader: Box<dyn BufRead>,
    packed_bytes: u64,
    allowance: &Allowance,
) -> io::Result<Box<dyn BufRead>> {
    let start = reader.fill_buf()?;
    let bounded = |inner: Box<dyn Read>| {
        let reader = BufReader::with_capacity(CHUNK_BYTES, allowance.bound(inner, packed_bytes));
        decoded(Box::new(reader))
    };
    if start.starts_with(&[0x1f, 0x8b]) {
        return bounded(Box::new(flate2::bufread::MultiGzDecoder::new(reader)));
    }
    if start.starts_with(&[0x28, 0xb5, 0x2f, 0xfd]) {
        let mut decoder = zstd::stream::read::Decoder::with_buffer(reader)?;
        decoder.window_log_max(ZSTD_WINDOW_LOG_MAX)?;
        return bounded(Box::new(decoder));
    }
    decoded(reader)
}

/// The text as UTF-8, where its beginning says that it is UTF-16.
fn decoded(mut reader: Box<dyn BufRead>) -> io::Result<Box<dyn BufRead>> {
    let start = reader.fill_buf()?;
    if let Some(instead) = foreign::instead_of(start) {
        return Err(io::Error::other(instead));
    }
    let Some(order) = order_of(start) else {
        return Ok(reader);
    };
    let text = Utf16::new(reader, order);
    Ok(Box::new(BufReader::with_capacity(CHUNK_BYTES, text)))
}

struct Counted {
    file: File,
    bytes_done: Arc<AtomicU64>,
}

impl Read for Counted {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let read = self.file.read(buffer)?;
        self.bytes_done.fetch_add(read as u64, Ordering::Relaxed);
        Ok(read)
    }
}

/// A compressed file's content, which ends with an error where it is more than it may be.
struct Bounded<R> {
    inner: R,
    given: u64,
    given_max: u64,
    allowance: Allowance,
}

impl Allowance {
    fn bound<R: Read>(&self, inner: R, packed_bytes: u64) -> Bounded<R> {
        let given_max = packed_bytes.saturating_mul(self.expansion_max);
        Bounded {
            inner,
            given: 0,
            given_max: given_max.max(self.small_bytes),
            allowance: self.clone(),
        }
    }
}

impl<R: Read> Read for Bounded<R> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let read = self.inner.read(buffer)?;
        self.given += read as u64;
        if self.given > self.given_max {
            let (given_max, times) = (self.given_max, self.allowance.expansion_max);
            return Err(io::Error::other(format!(
                "it expands to more than {given_max} bytes, which is more than {times} times its size: what comes \
                 after is not read (import.expansion_max)"
            )));
        }
        let left = &self.allowance.left;
        let take = |left: u64| left.checked_sub(read as u64);
        if left
            .fetch_update(Ordering::Relaxed, Ordering::Relaxed, take)
            .is_err()
        {
            return Err(io::Error::other(
                "the compressed files of this import expand to more than they may together: what comes after is not \
                 read (import.expanded_bytes_max)",
            ));
        }
        Ok(read)
    }
}
