//! SparseGPT that rounds with the grids of quantization, against its authors' code: see `reference/README.md` beside the
//! project.

use burn::tensor::{Device, Tensor, TensorData};
use junkdna_backend::HostMatrix;
use junkdna_backend::calibration::{Hessian, Statistic};
use junkdna_experiment::GridRounding;
use junkdna_prune::{Calibrated, SparseGpt, Sparsity, WeightRef};
use junkdna_quant::{Granularity, Grids, MinMax, ScaleDtype, Scheme};
use safetensors::SafeTensors;
use std::path::PathBuf;
use std::sync::Arc;

fn matrix(file: &SafeTensors, name: &str) -> HostMatrix {
    let tensor = file.tensor(name).unwrap();
    let values = tensor.data().as_chunks().0.iter().map(|&bytes| f32::from_le_bytes(bytes)).collect();
    HostMatrix::new(values, tensor.shape()[0], tensor.shape()[1])
}

fn hessian(inputs: &HostMatrix) -> Hessian {
    let mut hessian = Hessian::new(inputs.d_in());
    for sample in inputs.as_slice().chunks(inputs.as_slice().len() / 4) {
        let data = TensorData::new(sample.to_vec(), [sample.len() / inputs.d_in(), inputs.d_in()]);
        hessian.add(&Tensor::from_data(data, &Device::flex()));
    }
    hessian
}

#[test]
fn parity_sparsegpt_rounds_what_it_keeps_to_4_bits() {
    let default = concat!(env!("CARGO_MANIFEST_DIR"), "/../../../shared/reference");
    let folder = std::env::var_os("JUNKDNA_REFERENCE_DIR").map_or_else(|| default.into(), PathBuf::from);
    let Ok(bytes) = std::fs::read(folder.join("compression.safetensors")) else {
        eprintln!("skipped: no compression.safetensors in {}", folder.display());
        return;
    };
    let file = SafeTensors::deserialize(&bytes).unwrap();
    let (weight, expected) = (matrix(&file, "weight"), matrix(&file, "sparsegpt_0.5_then_4bit"));
    let (d_out, d_in) = (weight.d_out(), weight.d_in());
    let scheme = Scheme::new(4, false, Granularity::Channel).unwrap().with_scales(ScaleDtype::F32).unwrap();
    let method = SparseGpt::default().with_rounding(Arc::new(GridRounding { scheme }));
    let reference = WeightRef { path: "weight", d_out, d_in, values: weight.as_slice() };
    let target = Sparsity::new(0.5).unwrap().into();
    let pruned = method.prune(&reference, &hessian(&matrix(&file, "inputs")), target).unwrap();

    let grids = Grids::of(&weight, scheme, &MinMax).unwrap();
    for (place, &value) in pruned.values.iter().enumerate() {
        assert_eq!(grids.at(place / d_in, place % d_in).round(value), value, "{place} is not on its grid");
    }
    // A weight on the border of two codes may fall on either side, and those behind it in its row follow; most rows agree
    // to the last bit of a code.
    let step = |place: usize| grids.at(place / d_in, place % d_in).scale();
    let off = |place: usize| (pruned.values[place] - expected.as_slice()[place]).abs() > 1e-3 * step(place);
    let flips = (0..d_out * d_in).filter(|&i| (pruned.values[i] == 0.0) != (expected.as_slice()[i] == 0.0)).count();
    let rows = (0..d_out).filter(|row| (row * d_in..(row + 1) * d_in).any(off)).count();
    assert!(flips * 500 <= d_out * d_in, "{flips} entries of the mask differ");
    assert!(rows * 10 <= d_out, "{rows} of {d_out} outputs differ");
}
