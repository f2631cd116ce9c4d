//! Text files as they are, or decompressed while they are read.

use super::file;
use crate::EvalError;
use flate2::bufread::MultiGzDecoder;
use ruzstd::decoding::errors::{FrameDecoderError, ReadFrameHeaderError};
use ruzstd::decoding::{BlockDecodingStrategy, FrameDecoder};
use std::ffi::OsStr;
use std::fs::File;
use std::io::{self, BufRead, BufReader, Read};
use std::path::Path;

/// The bytes of a file, a buffer at a time.
pub type Bytes = Box<dyn BufRead + Send>;

const GZIP: [u8; 2] = [0x1f, 0x8b];
const ZSTD: [u8; 4] = [0x28, 0xb5, 0x2f, 0xfd];

/// Of a frame to be skipped, but for the first byte, which is 0x50 to 0x5f.
const SKIPPED: [u8; 3] = [0x2a, 0x4d, 0x18];

/// Opens a file. Its first bytes tell whether it is compressed: no text begins with them, and the names of cached files tell
/// nothing.
pub fn bytes(path: &Path) -> Result<Bytes, EvalError> {
    let mut reader = BufReader::new(file(path)?);
    let start = reader.fill_buf().map_err(|source| EvalError::Io { path: path.to_owned(), source })?;
    let skipped = |start: &[u8]| matches!(start, [0x50..=0x5f, rest @ ..] if rest.starts_with(&SKIPPED));
    Ok(match start {
        start if start.starts_with(&GZIP) => Box::new(BufReader::new(MultiGzDecoder::new(reader))),
        start if start.starts_with(&ZSTD) || skipped(start) => Box::new(BufReader::new(Frames::new(reader))),
        _ => Box::new(reader),
    })
}

/// A name without the extension that says how the file is compressed.
pub fn uncompressed(path: &Path) -> &Path {
    match path.extension().and_then(OsStr::to_str) {
        Some("gz" | "zst") => path.file_stem().map_or(path, Path::new),
        _ => path,
    }
}

/// The frames of a zstd file as one text: parallel compressors write several, and some that are to be skipped.
struct Frames {
    source: BufReader<File>,
    decoder: FrameDecoder,
    within: bool,
}

impl Frames {
    fn new(source: BufReader<File>) -> Self {
        Self { source, decoder: FrameDecoder::new(), within: false }
    }

    /// Begins the next frame, if there is one.
    fn begin(&mut self) -> io::Result<bool> {
        while !self.source.fill_buf()?.is_empty() {
            match self.decoder.init(&mut self.source) {
                Ok(()) => return Ok(true),
                Err(FrameDecoderError::ReadFrameHeaderError(ReadFrameHeaderError::SkipFrame { length, .. })) => {
                    io::copy(&mut self.source.by_ref().take(length.into()), &mut io::sink())?;
                }
                Err(error) => return Err(io::Error::other(error)),
            }
        }
        Ok(false)
    }

    /// Ends a frame.
    fn end(&mut self) -> io::Result<()> {
        self.within = false;
        match (self.decoder.get_checksum_from_data(), self.decoder.get_calculated_checksum()) {
            (Some(written), Some(read)) if written != read => {
                Err(io::Error::new(io::ErrorKind::InvalidData, "its checksum is another"))
            }
            _ => Ok(()),
        }
    }
}

impl Read for Frames {
    fn read(&mut self, into: &mut [u8]) -> io::Result<usize> {
        loop {
            if !self.within {
                self.within = self.begin()?;
            }
            if !self.within {
                return Ok(0);
            }
            while self.decoder.can_collect() == 0 && !self.decoder.is_finished() {
                let one = BlockDecodingStrategy::UptoBlocks(1);
                self.decoder.decode_blocks(&mut self.source, one).map_err(io::Error::other)?;
            }
            match self.decoder.read(into)? {
                0 if !into.is_empty() => self.end()?,
                count => return Ok(count),
            }
        }
    }
}
