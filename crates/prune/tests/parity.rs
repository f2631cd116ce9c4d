//! The masks of published implementations: see `reference/README.md` beside the project.

mod common;

use common::{Rows, net};
use junkdna_prune::{LayerMask, Magnitude, NofM, Pruner, Scope, Sparsity, Target};
use safetensors::SafeTensors;
use std::path::PathBuf;

fn reference() -> Option<Vec<u8>> {
    let default = concat!(env!("CARGO_MANIFEST_DIR"), "/../../../shared/reference");
    let folder = std::env::var_os("JUNKDNA_REFERENCE_DIR").map_or(PathBuf::from(default), PathBuf::from);
    std::fs::read(folder.join("compression.safetensors")).ok()
}

fn matrix(file: &SafeTensors<'_>, name: &str) -> Rows {
    let tensor = file.tensor(name).unwrap();
    let values = tensor.data().as_chunks::<4>().0.iter().map(|&b| f32::from_le_bytes(b)).collect();
    Rows::new(tensor.shape()[0], tensor.shape()[1], values)
}

/// How many weights one removes and the other keeps.
fn differences(mask: &LayerMask, pruned: &Rows) -> usize {
    let kept = |i: usize| mask.keeps(i / pruned.d_in, i % pruned.d_in);
    (0..pruned.values.len()).filter(|&i| kept(i) != (pruned.values[i] != 0.0)).count()
}

#[test]
fn parity_magnitude_and_n_of_m() {
    let Some(bytes) = reference() else {
        eprintln!("skipped: no reference/compression.safetensors (set JUNKDNA_REFERENCE_DIR)");
        return;
    };
    let file = SafeTensors::deserialize(&bytes).unwrap();
    let weight = matrix(&file, "weight");
    let net = net(std::slice::from_ref(&weight));
    let sparsity = |s| Target::from(Sparsity::new(s).unwrap());
    for (name, target) in [
        ("magnitude_0.3", sparsity(0.3)),
        ("magnitude_0.5", sparsity(0.5)),
        ("magnitude_0.9", sparsity(0.9)),
        ("magnitude_2_4", NofM::new(2, 4).unwrap().into()),
    ] {
        let mask = Pruner::new(Magnitude).with_scope(Scope::Layer).mask(&net, target).unwrap();
        let differ = differences(mask.get("layers.0.weight").unwrap(), &matrix(&file, name));
        eprintln!("{name}: {differ} of {} entries differ", weight.values.len());
        assert!(differ * 500 <= weight.values.len(), "{name}: {differ} entries differ");
    }
}
