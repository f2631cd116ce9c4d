//! What a mask is, by sorting.

use super::Net;
use crate::{Mask, NofM, PruneError, Scope, Score, Sparsity, Ties, WeightRef};

/// Something per weight, `[layer][flat]`.
pub type PerWeight<T> = Vec<Vec<T>>;

/// All scores of a module, a layer at once; -0 as 0.
pub fn scores(score: &dyn Score, net: &Net) -> Result<PerWeight<f32>, PruneError> {
    let of = |(layer, matrix): (usize, &junkdna_backend::HostMatrix)| {
        let (path, values) = (Net::path(layer), matrix.as_slice());
        let weight = WeightRef { path: &path, d_out: matrix.d_out(), d_in: matrix.d_in(), values };
        let mut scores = vec![0.0; values.len()];
        score.score(&weight, 0..values.len(), &mut scores)?;
        if let Some(index) = scores.iter().position(|s| s.is_nan()) {
            let [output, input] = weight.position(index);
            return Err(PruneError::ScoreIsNaN { score: score.name(), path, output, input });
        }
        Ok(scores.into_iter().map(|s| s + 0.0).collect())
    };
    net.matrices().iter().enumerate().map(of).collect()
}

/// Which weights go: in each competition, at the sparsity of its layer, the first ⌊n·s⌋ of a stable sort by score, and with
/// [`Ties::All`] whatever is at most the score at that rank. `shapes` are those of the layers, outputs and inputs.
pub fn by_sorting(
    shapes: &[[usize; 2]],
    scores: &PerWeight<f32>,
    scope: Scope,
    sparsities: &[Sparsity],
    ties: Ties,
) -> PerWeight<bool> {
    let mut gone = scores.iter().map(|layer| vec![false; layer.len()]).collect::<PerWeight<bool>>();
    for mut places in competitions(shapes, scope) {
        let score = |(layer, place): (usize, usize)| scores[layer][place];
        let sparsity = sparsities[places[0].0];
        places.sort_by(|&a, &b| score(a).total_cmp(&score(b)));
        let count = sparsity.count(places.len());
        let border = score(places[count]);
        for (rank, &(layer, place)) in places.iter().enumerate() {
            gone[layer][place] = match ties {
                Ties::Exact => rank < count,
                Ties::All => count > 0 && score((layer, place)) <= border,
            };
        }
    }
    gone
}

/// Which weights go with a pattern: the first n of a stable sort of every m consecutive inputs.
pub fn by_sorting_groups(scores: &PerWeight<f32>, pattern: NofM) -> PerWeight<bool> {
    let of = |layer: &Vec<f32>| {
        let mut gone = vec![false; layer.len()];
        for (scores, gone) in layer.chunks(pattern.m()).zip(gone.chunks_mut(pattern.m())) {
            let mut places: Vec<usize> = (0..scores.len()).collect();
            places.sort_by(|&a, &b| scores[a].total_cmp(&scores[b]));
            places[..pattern.n()].iter().for_each(|&place| gone[place] = true);
        }
        gone
    };
    scores.iter().map(of).collect()
}

/// Which weights go with blocks of these outputs and inputs: those of the blocks whose means go.
pub fn by_sorting_blocks(
    net: &Net,
    scores: &PerWeight<f32>,
    [height, width]: [usize; 2],
    scope: Scope,
    sparsity: Sparsity,
) -> PerWeight<bool> {
    let shapes = shapes(net);
    let blocks: Vec<_> = shapes.iter().map(|[d_out, d_in]| [d_out / height, d_in / width]).collect();
    let place = |[_, d_in]: [usize; 2], output: usize, input: usize| output / height * (d_in / width) + input / width;
    let means = scores.iter().zip(&shapes).map(|(scores, &shape)| {
        let mut sums = vec![0.0; scores.len() / (height * width)];
        for (row, scores) in scores.chunks(shape[1]).enumerate() {
            for (block, scores) in scores.chunks(width).enumerate() {
                sums[place(shape, row, block * width)] += scores.iter().map(|&score| f64::from(score)).sum::<f64>();
            }
        }
        sums.iter().map(|sum| ((sum / (height * width) as f64) as f32).clamp(f32::MIN, f32::MAX) + 0.0).collect()
    });
    let means: PerWeight<f32> = means.collect();
    let gone = by_sorting(&blocks, &means, scope, &vec![sparsity; shapes.len()], Ties::Exact);
    let spread = |(gone, &shape): (&Vec<bool>, &[usize; 2])| {
        (0..shape[0] * shape[1]).map(|i| gone[place(shape, i / shape[1], i % shape[1])]).collect()
    };
    gone.iter().zip(&shapes).map(spread).collect()
}

/// Outputs and inputs of the layers.
pub fn shapes(net: &Net) -> Vec<[usize; 2]> {
    net.matrices().iter().map(|matrix| [matrix.d_out(), matrix.d_in()]).collect()
}

/// Whether two weights of a module have the same score.
pub fn tied(scores: &PerWeight<f32>) -> bool {
    let mut all: Vec<f32> = scores.iter().flatten().copied().collect();
    all.sort_by(f32::total_cmp);
    all.windows(2).any(|pair| pair[0] == pair[1])
}

/// Which weights a mask removes.
pub fn gone(mask: &Mask, net: &Net) -> PerWeight<bool> {
    let of = |(layer, matrix): (usize, &junkdna_backend::HostMatrix)| {
        let d_in = matrix.d_in();
        let keeps = |i: usize| mask.get(&Net::path(layer)).is_none_or(|mask| mask.keeps(i / d_in, i % d_in));
        (0..matrix.as_slice().len()).map(|i| !keeps(i)).collect()
    };
    net.matrices().iter().enumerate().map(of).collect()
}

/// The places, layer and flat index, that are ranked against one another; in order.
fn competitions(shapes: &[[usize; 2]], scope: Scope) -> Vec<Vec<(usize, usize)>> {
    let layers = shapes.iter().enumerate().map(|(layer, &[d_out, d_in])| {
        let places = (0..d_out * d_in).map(|place| (layer, place)).collect::<Vec<_>>();
        (places, d_in)
    });
    match scope {
        Scope::Global => vec![layers.flat_map(|(places, _)| places).collect()],
        Scope::Layer => layers.map(|(places, _)| places).collect(),
        Scope::Row => layers.flat_map(|(p, d_in)| p.chunks(d_in).map(<[_]>::to_vec).collect::<Vec<_>>()).collect(),
    }
}
