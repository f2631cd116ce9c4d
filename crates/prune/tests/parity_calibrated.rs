//! Wanda and SparseGPT against their authors' code: see `reference/README.md` beside the project.
#![cfg(feature = "calibration")]

use burn::tensor::{Device, Tensor, TensorData};
use junkdna_backend::calibration::{Hessian, SquaredNorms, Statistic};
use junkdna_prune::{
    ByNorms, Calibrated, NofM, PruneError, PrunedWeight, Round, Rounding, SparseGpt, Sparsity, Target, Wanda, WeightRef,
};
use safetensors::SafeTensors;
use std::path::PathBuf;
use std::sync::Arc;

struct Reference {
    bytes: Vec<u8>,
}

impl Reference {
    fn read() -> Option<Self> {
        let default = concat!(env!("CARGO_MANIFEST_DIR"), "/../../../shared/reference");
        let folder = std::env::var_os("JUNKDNA_REFERENCE_DIR").map_or(PathBuf::from(default), PathBuf::from);
        let bytes = std::fs::read(folder.join("compression.safetensors")).ok();
        if bytes.is_none() {
            eprintln!("skipped: no reference/compression.safetensors (set JUNKDNA_REFERENCE_DIR)");
        }
        Some(Self { bytes: bytes? })
    }

    fn matrix(&self, name: &str) -> (usize, usize, Vec<f32>) {
        let file = SafeTensors::deserialize(&self.bytes).unwrap();
        let tensor = file.tensor(name).unwrap();
        let values = tensor.data().as_chunks::<4>().0.iter().map(|&b| f32::from_le_bytes(b)).collect();
        (tensor.shape()[0], tensor.shape()[1], values)
    }

    /// A statistic of the inputs, fed as four samples.
    fn inputs<S: Statistic>(&self) -> S {
        let (tokens, d_in, values) = self.matrix("inputs");
        let mut statistic = S::new(d_in);
        for sample in values.chunks(values.len() / 4) {
            let data = TensorData::new(sample.to_vec(), [tokens / 4, d_in]);
            statistic.add(&Tensor::from_data(data, &Device::flex()));
        }
        statistic
    }

    fn check<C: Calibrated>(&self, name: &str, method: &C, statistic: &C::Statistic, target: Target) {
        let (d_out, d_in, values) = self.matrix("weight");
        let weight = WeightRef { path: "weight", d_out, d_in, values: &values };
        let pruned = method.prune(&weight, statistic, target).unwrap();
        let (_, _, expected) = self.matrix(name);
        let flips = disagreements(&pruned, &expected);
        let largest = expected.iter().fold(0f32, |max, v| max.max(v.abs()));
        // Where a near-tie falls the other way the weights behind it differ too: compare those of untouched outputs.
        let touched = |output: usize| flips.iter().any(|flip| flip / d_in == output);
        let difference = (0..expected.len())
            .filter(|i| !touched(i / d_in))
            .map(|i| (expected[i] - pruned.values[i]).abs() / largest)
            .fold(0f32, f32::max);
        eprintln!("{name}: {} of {} entries differ, weights by {difference:e}", flips.len(), expected.len());
        assert!(flips.len() * 500 <= expected.len(), "{name}: {} entries of the mask differ", flips.len());
        assert!(difference < 1e-3, "{name}: weights differ by {difference} of the largest");
        assert!((0..d_out).filter(|&output| touched(output)).count() * 10 <= d_out, "{name}: too many outputs differ");
    }
}

/// Where one is zero and the other is not.
fn disagreements(pruned: &PrunedWeight, expected: &[f32]) -> Vec<usize> {
    (0..expected.len()).filter(|&i| (pruned.values[i] == 0.0) != (expected[i] == 0.0)).collect()
}

fn sparsity(value: f64) -> Target {
    Sparsity::new(value).unwrap().into()
}

fn two_of_four() -> Target {
    NofM::new(2, 4).unwrap().into()
}

#[test]
fn parity_wanda() {
    let Some(reference) = Reference::read() else { return };
    let (wanda, norms) = (ByNorms::<Wanda>::default(), reference.inputs::<SquaredNorms>());
    reference.check("wanda_unstructured_0.5", &wanda, &norms, sparsity(0.5));
    reference.check("wanda_unstructured_0.7", &wanda, &norms, sparsity(0.7));
    reference.check("wanda_2_4", &wanda, &norms, two_of_four());
}

#[test]
fn parity_sparsegpt() {
    let Some(reference) = Reference::read() else { return };
    let (sparsegpt, hessian) = (SparseGpt::default(), reference.inputs::<Hessian>());
    reference.check("sparsegpt_unstructured_0.5", &sparsegpt, &hessian, sparsity(0.5));
    reference.check("sparsegpt_unstructured_0.8", &sparsegpt, &hessian, sparsity(0.8));
    reference.check("sparsegpt_2_4", &sparsegpt, &hessian, two_of_four());
}

#[test]
fn parity_hessian() {
    let Some(reference) = Reference::read() else { return };
    let (_, d_in, expected) = reference.matrix("hessian");
    let expected = Hessian::from_values(&expected, d_in, &Device::flex()).inverse_factor(0.01).unwrap();
    let found = reference.inputs::<Hessian>().inverse_factor(0.01).unwrap();
    // The authors divide by the number of samples, of 256 tokens each, where we divide by that of tokens. Input 7 is always
    // zero: its weights go, whatever stands in its row.
    let expected: Vec<f32> = expected.as_slice().iter().map(|u| u * 256f32.sqrt()).collect();
    let largest = expected.iter().fold(0f32, |max, v| max.max(v.abs()));
    for (place, (found, expected)) in found.as_slice().iter().zip(&expected).enumerate() {
        let (row, column) = (place / d_in, place % d_in);
        assert!(row == 7 || (found - expected).abs() < 1e-3 * largest, "[{row}, {column}]: {found}, not {expected}");
    }
    assert!(found.is_dead(7), "input 7 is always zero");
}

/// Codes of 4 bits between the smallest and the largest weight of each output, zero among them.
struct FourBits;

impl Rounding for FourBits {
    fn prepare<'a>(&'a self, weight: &WeightRef<'_>) -> Result<Round<'a>, PruneError> {
        let range = |row: &[f32]| row.iter().fold((0f32, 0f32), |(min, max), &w| (min.min(w), max.max(w)));
        let grid = |row: &[f32]| {
            let (min, max) = range(row);
            let scale = (max - min) / 15.0;
            (scale, (-min / scale).round_ties_even())
        };
        let grids: Vec<(f32, f32)> = weight.values.chunks(weight.d_in).map(grid).collect();
        Ok(Box::new(move |output, _, w| {
            let (scale, zero) = grids[output];
            scale * (((w / scale).round_ties_even() + zero).clamp(0.0, 15.0) - zero)
        }))
    }
}

#[test]
fn parity_sparsegpt_then_4_bits() {
    let Some(reference) = Reference::read() else { return };
    let method = SparseGpt::default().with_rounding(Arc::new(FourBits));
    reference.check("sparsegpt_0.5_then_4bit", &method, &reference.inputs::<Hessian>(), sparsity(0.5));
}
