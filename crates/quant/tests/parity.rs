//! Against the GPTQ authors' round-to-nearest quantizer.

use junkdna_backend::HostMatrix;
use junkdna_quant::{Granularity, RoundToNearest, ScaleDtype, Scheme};
use safetensors::SafeTensors;
use std::path::PathBuf;

fn reference() -> PathBuf {
    let default = concat!(env!("CARGO_MANIFEST_DIR"), "/../../../shared/reference");
    let folder = std::env::var_os("JUNKDNA_REFERENCE_DIR").map_or_else(|| default.into(), PathBuf::from);
    folder.join("compression.safetensors")
}

/// A tensor `[d_out, d_in]` of the file.
fn matrix(file: &SafeTensors, name: &str) -> HostMatrix {
    let tensor = file.tensor(name).unwrap();
    let values = tensor.data().as_chunks().0.iter().map(|&bytes| f32::from_le_bytes(bytes)).collect();
    HostMatrix::new(values, tensor.shape()[0], tensor.shape()[1])
}

#[test]
fn parity_round_to_nearest() {
    let path = reference();
    let Ok(bytes) = std::fs::read(&path) else {
        eprintln!("skipped: {} is not there", path.display());
        return;
    };
    let file = SafeTensors::deserialize(&bytes).unwrap();
    let weight = matrix(&file, "weight");
    for bits in [8, 4, 3, 2] {
        let scheme = Scheme::new(bits, false, Granularity::Channel).unwrap().with_scales(ScaleDtype::F32).unwrap();
        let ours = RoundToNearest::new(scheme).quantize(&weight).unwrap().dequantize();
        let theirs = matrix(&file, &format!("rtn_{bits}bit_perchannel_asym"));
        assert_eq!((ours.d_out(), ours.d_in()), (theirs.d_out(), theirs.d_in()));
        let different = ours.as_slice().iter().zip(theirs.as_slice()).position(|(a, b)| a != b);
        let values = different.map(|i| (i, ours.as_slice()[i], theirs.as_slice()[i]));
        assert_eq!(values, None, "{bits} bits: index, ours, theirs");
    }
}
