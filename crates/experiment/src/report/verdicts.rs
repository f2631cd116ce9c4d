//! The cells as a study that can be judged.

use super::rows::{Row, outcomes};
use crate::Cell;
use junkdna_difficulty::suite::Variant;
use junkdna_difficulty::{Compression, FamilyLevels, Series, SizeMatch, Study};

/// Bits per weight within which a pruned and a quantized model count as equally large.
const SAME_SIZE: f64 = 1.0;

pub(super) fn study(variants: &[Variant], cells: &[Vec<Cell>], rows: &[Row]) -> Study {
    let families = variants.chunk_by(|a, b| a.family == b.family).map(|levels| FamilyLevels {
        family: levels[0].family.clone(),
        variants: levels.iter().map(|variant| variant.name.clone()).collect(),
    });
    let compressions = cells.iter().skip(1).filter_map(|row| {
        let compression = &row.first()?.spec.compression;
        Some(Compression {
            name: compression.name(),
            series: compression.series()?,
            strength: compression.strength(),
            outcomes: row.iter().map(outcomes).collect(),
        })
    });
    Study {
        families: families.collect(),
        dense: cells.first().into_iter().flatten().map(outcomes).collect(),
        compressions: compressions.collect(),
        matches: matches(rows),
    }
}

/// For each quantized model the model pruned by magnitude that is closest in size, if one is close.
fn matches(rows: &[Row]) -> Vec<SizeMatch> {
    let first = rows.first().map(|row| row.variant.as_str());
    let of = |series: Series| {
        rows.iter().filter(move |row| Some(row.variant.as_str()) == first && row.series.as_ref() == Some(&series))
    };
    let pairs = of(Series::Quantization).filter_map(|quantized| {
        let distance = |row: &&Row| (row.effective_bits - quantized.effective_bits).abs();
        let pruned = of(Series::Magnitude).min_by(|a, b| distance(a).total_cmp(&distance(b)))?;
        (distance(&pruned) <= SAME_SIZE)
            .then(|| SizeMatch { pruned: pruned.compression.clone(), quantized: quantized.compression.clone() })
    });
    pairs.collect()
}
