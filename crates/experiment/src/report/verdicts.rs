//! The cells as a study that can be judged.

use super::rows::{Row, outcomes};
use crate::{Cell, CellSpec};
use junkdna_difficulty::suite::Variant;
use junkdna_difficulty::{Baseline, Compression, FamilyLevels, Outcomes, Repair, Series, SizeMatch, Study};

/// Bits per weight within which a pruned and a quantized model count as equally large.
const SAME_SIZE: f64 = 1.0;

/// The study of cells `[model][variant][seed of training]`. A model that was trained is one for each seed, compared with the
/// dense model of that seed.
pub(super) fn study(variants: &[Variant], cells: &[Vec<Vec<Cell>>], rows: &[Row]) -> Study {
    let families = variants.chunk_by(|a, b| a.family == b.family).map(|levels| FamilyLevels {
        family: levels[0].family.clone(),
        variants: levels.iter().map(|variant| variant.name.clone()).collect(),
    });
    let seeds = cells.first().and_then(|dense| dense.first()).map_or(0, Vec::len);
    let dense = |seed: usize| of_seed(cells.first().map_or(&[], Vec::as_slice), seed);
    let mut study = Study { families: families.collect(), dense: dense(0), ..Study::default() };
    for row in cells.iter().skip(1) {
        for seed in 0..seeds {
            let Some(cell) = row.first().and_then(|seeds| seeds.get(seed)) else { continue };
            let Some(series) = cell.spec.series() else { continue };
            let name = name(&cell.spec, seeds);
            if seeds > 1 {
                study.baselines.push(Baseline { compression: name.clone(), dense: dense(seed) });
            }
            if cell.spec.mode().is_some() {
                let before = name_of(&cell.spec.compression.name(), &cell.spec, seeds);
                study.repairs.push(Repair { before, after: name.clone() });
            }
            let (strength, outcomes) = (cell.spec.compression.strength(), of_seed(row, seed));
            study.compressions.push(Compression { name, series, strength, outcomes });
        }
    }
    let specs: Vec<_> = cells.iter().filter_map(|row| row.first()).flatten().map(|cell| &cell.spec).collect();
    for pair in matches(rows) {
        for pruned in specs.iter().filter(|spec| spec.model_name() == pair.pruned) {
            let quantized = name_of(&pair.quantized, pruned, seeds);
            study.matches.push(SizeMatch { pruned: name(pruned, seeds), quantized });
        }
    }
    study
}

fn of_seed(row: &[Vec<Cell>], seed: usize) -> Vec<Outcomes> {
    row.iter().filter_map(|seeds| seeds.get(seed)).map(outcomes).collect()
}

fn name(spec: &CellSpec, seeds: usize) -> String {
    name_of(&spec.model_name(), spec, seeds)
}

/// A model's name with the seed of training of `spec`, where there are several.
fn name_of(model: &str, spec: &CellSpec, seeds: usize) -> String {
    match spec.seed() {
        Some(seed) if seeds > 1 => format!("{model}, seed {seed}"),
        _ => model.to_owned(),
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
