//! TensorBoard event files: records of a length, its checksum, a protocol buffer `Event`, and its checksum
//! (tensorflow/core/lib/io/record_writer.h, tensorflow/core/util/event.proto).

use std::fs::File;
use std::io::{self, Write};
use std::path::Path;
use std::time::{SystemTime, UNIX_EPOCH};

/// One event file.
#[derive(Debug)]
pub(super) struct EventFile(File);

impl EventFile {
    /// A new file in a folder. Events after `after_step` in older files are said to be void.
    pub(super) fn create(folder: &Path, after_step: usize) -> io::Result<Self> {
        let name = format!("events.out.tfevents.{}.{}", now().as_nanos(), std::process::id());
        let mut file = Self(File::create(folder.join(name))?);
        file.event(0, |event| text(event, 3, b"brain.Event:2"))?;
        // SessionLog (field 7) with status START (1).
        file.event(after_step + 1, |event| text(event, 7, &[1 << 3, 1]))?;
        Ok(file)
    }

    /// Numbers of a step, by tag.
    pub(super) fn scalars(&mut self, step: usize, scalars: &[(&str, f64)]) -> io::Result<()> {
        let mut summary = Vec::new();
        for (tag, number) in scalars {
            let mut value = Vec::new();
            text(&mut value, 1, tag.as_bytes());
            value.push(2 << 3 | 5); // simple_value, 32 bits
            value.extend((*number as f32).to_le_bytes());
            text(&mut summary, 1, &value);
        }
        self.event(step, |event| text(event, 5, &summary))
    }

    fn event(&mut self, step: usize, what: impl FnOnce(&mut Vec<u8>)) -> io::Result<()> {
        let mut event = vec![1 << 3 | 1]; // wall_time, 64 bits
        event.extend(now().as_secs_f64().to_le_bytes());
        event.push(2 << 3); // step, varint
        varint(&mut event, step as u64);
        what(&mut event);
        let length = (event.len() as u64).to_le_bytes();
        let mut record = length.to_vec();
        record.extend(masked_crc(&length).to_le_bytes());
        record.extend(&event);
        record.extend(masked_crc(&event).to_le_bytes());
        self.0.write_all(&record)
    }
}

fn now() -> std::time::Duration {
    SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default()
}

/// A field of bytes.
fn text(message: &mut Vec<u8>, field: u8, bytes: &[u8]) {
    message.push(field << 3 | 2);
    varint(message, bytes.len() as u64);
    message.extend(bytes);
}

fn varint(message: &mut Vec<u8>, mut value: u64) {
    while value > 127 {
        message.push(value as u8 | 128);
        value >>= 7;
    }
    message.push(value as u8);
}

/// CRC-32C, rotated and moved as the format wants it.
fn masked_crc(bytes: &[u8]) -> u32 {
    crc(bytes).rotate_right(15).wrapping_add(0xa282_ead8)
}

/// CRC-32C (Castagnoli), bit by bit: events are short.
fn crc(bytes: &[u8]) -> u32 {
    let byte = |crc: u32, byte: &u8| {
        (0..8).fold(crc ^ u32::from(*byte), |crc, _| (crc >> 1) ^ (0x82f6_3b78 & (crc & 1).wrapping_neg()))
    };
    !bytes.iter().fold(!0, byte)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_checksum_is_castagnolis() {
        assert_eq!(crc(b"123456789"), 0xe306_9283);
    }

    fn take<'a>(bytes: &mut &'a [u8], count: usize) -> &'a [u8] {
        let (taken, rest) = bytes.split_at(count);
        *bytes = rest;
        taken
    }

    fn number(bytes: &mut &[u8]) -> u64 {
        let (mut value, mut shift) = (0, 0);
        loop {
            let byte = take(bytes, 1)[0];
            value |= u64::from(byte & 127) << shift;
            shift += 7;
            if byte < 128 {
                return value;
            }
        }
    }

    /// The fields of a protocol buffer by number, little-endian where they are numbers.
    fn fields(mut message: &[u8]) -> Vec<(u64, Vec<u8>)> {
        let mut all = Vec::new();
        while !message.is_empty() {
            let key = number(&mut message);
            let value = match key & 7 {
                0 => number(&mut message).to_le_bytes().to_vec(),
                1 => take(&mut message, 8).to_vec(),
                2 => {
                    let length = number(&mut message) as usize;
                    take(&mut message, length).to_vec()
                }
                5 => take(&mut message, 4).to_vec(),
                other => panic!("wire type {other}"),
            };
            all.push((key >> 3, value));
        }
        all
    }

    fn records(mut file: &[u8]) -> Vec<Vec<u8>> {
        let mut all = Vec::new();
        let checked = |bytes: &[u8], sum: &[u8]| assert_eq!(masked_crc(bytes).to_le_bytes(), sum);
        while !file.is_empty() {
            let length = take(&mut file, 8);
            checked(length, take(&mut file, 4));
            let event = take(&mut file, u64::from_le_bytes(length.try_into().unwrap()) as usize);
            checked(event, take(&mut file, 4));
            all.push(event.to_vec());
        }
        all
    }

    /// By a reader of the format as it is published.
    #[test]
    fn events_are_read_back() {
        let folder = tempfile::tempdir().unwrap();
        let mut file = EventFile::create(folder.path(), 3).unwrap();
        file.scalars(300, &[("train/loss", 0.25), ("train/rate", -2.0)]).unwrap();
        let path = folder.path().read_dir().unwrap().next().unwrap().unwrap().path();
        let events: Vec<_> = records(&std::fs::read(path).unwrap()).iter().map(|event| fields(event)).collect();
        assert_eq!(events.len(), 3);
        let step = |step: u64| (2, step.to_le_bytes().to_vec());
        assert_eq!(events[0][1..], [step(0), (3, b"brain.Event:2".to_vec())]);
        assert_eq!(events[1][1], step(4));
        assert_eq!(fields(&events[1][2].1), [(1, 1u64.to_le_bytes().to_vec())]);
        assert_eq!((&events[2][1], events[2][2].0), (&step(300), 5));
        let values: Vec<_> = fields(&events[2][2].1).iter().map(|(_, value)| fields(value)).collect();
        let value = |tag: &str, value: f32| vec![(1, tag.as_bytes().to_vec()), (2, value.to_le_bytes().to_vec())];
        assert_eq!(values, [value("train/loss", 0.25), value("train/rate", -2.0)]);
        assert!(events.iter().all(|event| event[0].0 == 1 && event[0].1.len() == 8));
    }

    #[test]
    fn varints_have_seven_bits_a_byte() {
        let mut bytes = Vec::new();
        varint(&mut bytes, 300);
        assert_eq!(bytes, [0xac, 0x02]);
    }
}
