//! Opens a file and takes off its compression, told from its first bytes.

use std::fs::File;
use std::io::{self, BufRead, BufReader, Read};
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

/// Bytes that are read from a file at once.
pub(super) const CHUNK_BYTES: usize = 1024 * 1024;

/// Largest window of a zstd frame, as a power of two: `--long=27` needs 128 MiB.
const ZSTD_WINDOW_LOG_MAX: u32 = 27;

/// Opens `path`; `bytes_done` counts what was read from disk.
pub(super) fn open(path: &Path, bytes_done: Arc<AtomicU64>) -> io::Result<Box<dyn BufRead>> {
    let counted = Counted {
        file: File::open(path)?,
        bytes_done,
    };
    let mut reader = BufReader::with_capacity(CHUNK_BYTES, counted);
    let start = reader.fill_buf()?;
    if start.starts_with(&[0x1f, 0x8b]) {
        let decoder = flate2::bufread::MultiGzDecoder::new(reader);
        return Ok(Box::new(BufReader::with_capacity(CHUNK_BYTES, decoder)));
    }
    if start.starts_with(&[0x28, 0xb5, 0x2f, 0xfd]) {
        let mut decoder = zstd::stream::read::Decoder::with_buffer(reader)?;
        decoder.window_log_max(ZSTD_WINDOW_LOG_MAX)?;
        return Ok(Box::new(BufReader::with_capacity(CHUNK_BYTES, decoder)));
    }
    Ok(Box::new(reader))
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
