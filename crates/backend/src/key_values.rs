//! Keys and values of tokens that were computed before.

use burn::tensor::{Int, Tensor};
use std::ops::Range;

/// Keys and values of a run of tokens in every layer.
///
/// Held as the parts it was made of, so that [`concat`](Self::concat) and [`slice`](Self::slice) copy nothing;
/// [`joined`](Self::joined) copies.
#[derive(Debug, Clone, Default)]
pub struct KeyValues {
    /// One after another, none empty.
    parts: Vec<Part>,
}

/// Keys and values for each layer, `[tokens, kv_heads * head_dim]` each.
#[derive(Debug, Clone)]
struct Part {
    layers: Vec<[Tensor<2>; 2]>,
}

impl Part {
    fn len(&self) -> usize {
        self.layers.first().map_or(0, |[keys, _]| keys.dims()[0])
    }
}

impl KeyValues {
    /// From the keys and the values of each layer, `[tokens, kv_heads * head_dim]`.
    pub fn new(layers: Vec<[Tensor<2>; 2]>) -> Self {
        let part = Part { layers };
        Self { parts: if part.len() > 0 { vec![part] } else { Vec::new() } }
    }

    /// The number of tokens.
    pub fn len(&self) -> usize {
        self.parts.iter().map(Part::len).sum()
    }

    /// Whether there are no tokens.
    pub fn is_empty(&self) -> bool {
        self.parts.is_empty()
    }

    /// The memory that the keys and values of all tokens take.
    pub fn bytes(&self) -> usize {
        let tensors = self.parts.iter().flat_map(|part| part.layers.iter().flatten());
        tensors.map(|tensor| tensor.dims().iter().product::<usize>() * tensor.dtype().size()).sum()
    }

    /// Keys and values of one layer; `None` where there are no tokens.
    pub fn layer(&self, layer: usize) -> Option<[Tensor<2>; 2]> {
        let parts = self.layer_parts(layer);
        (!parts.is_empty()).then(|| [0, 1].map(|side| join(parts.iter().map(|part| part[side].clone()).collect())))
    }

    /// Keys and values of one layer in parts that follow one another, as
    /// [`tree_attention_over`](crate::kernels::tree_attention_over) reads them.
    pub fn layer_parts(&self, layer: usize) -> Vec<[Tensor<2>; 2]> {
        self.parts.iter().filter_map(|part| part.layers.get(layer).cloned()).collect()
    }

    /// The number of parts that it is held in.
    pub fn num_parts(&self) -> usize {
        self.parts.len()
    }

    /// Those of some of the tokens.
    pub fn slice(&self, tokens: Range<usize>) -> Self {
        let mut first = 0;
        let mut parts = Vec::new();
        for part in &self.parts {
            let (start, end) = (tokens.start.max(first), tokens.end.min(first + part.len()));
            if start < end {
                let cut = |tensor: &Tensor<2>| tensor.clone().narrow(0, start - first, end - start);
                parts.push(Part { layers: part.layers.iter().map(|[k, v]| [cut(k), cut(v)]).collect() });
            }
            first += part.len();
        }
        Self { parts }
    }

    /// Several runs one after another.
    pub fn concat(runs: &[Self]) -> Self {
        Self { parts: runs.iter().flat_map(|run| run.parts.iter().cloned()).collect() }
    }

    /// The same in memory of its own and in one part: nothing else that the parts were cut from stays allocated.
    pub fn joined(&self) -> Self {
        let layers = self.parts.first().map_or(0, |part| part.layers.len());
        let own = |side: usize, layer: usize| {
            let mut parts: Vec<_> = self.parts.iter().map(|part| part.layers[layer][side].clone()).collect();
            if parts.len() == 1 { copied(parts.remove(0)) } else { Tensor::cat(parts, 0) }
        };
        Self::new((0..layers).map(|layer| [own(0, layer), own(1, layer)]).collect())
    }
}

pub(crate) fn join(mut parts: Vec<Tensor<2>>) -> Tensor<2> {
    if parts.len() == 1 { parts.remove(0) } else { Tensor::cat(parts, 0) }
}

fn copied(tensor: Tensor<2>) -> Tensor<2> {
    let rows = Tensor::<1, Int>::arange(0..tensor.dims()[0] as i64, &tensor.device());
    tensor.select(0, rows)
}

#[cfg(all(test, feature = "flex"))]
mod tests {
    use super::*;
    use burn::tensor::Device;

    fn values(kept: &KeyValues) -> Vec<Vec<f32>> {
        let layer = |layer| {
            kept.layer(layer).into_iter().flatten().flat_map(|t| t.into_data().iter::<f32>().collect::<Vec<_>>())
        };
        (0..2).map(|index| layer(index).collect()).collect()
    }

    fn run(start: i64, tokens: i64) -> KeyValues {
        let device = Device::flex();
        let side = |add: f32| Tensor::<1, Int>::arange(start..start + tokens, &device).float().reshape([-1, 1]) + add;
        KeyValues::new((0..2).map(|layer| [side(100.0 * layer as f32), side(1000.0)]).collect())
    }

    #[test]
    fn parts_cut_and_put_together_are_the_whole() {
        let (whole, parts) = (run(0, 9), KeyValues::concat(&[run(0, 4), KeyValues::default(), run(4, 5)]));
        assert_eq!((parts.len(), parts.num_parts(), parts.bytes()), (9, 2, whole.bytes()));
        assert_eq!(whole.bytes(), 9 * 4 * 4);
        assert_eq!(values(&parts), values(&whole));
        let cut = parts.slice(2..7);
        assert_eq!(values(&cut), values(&whole.slice(2..7)));
        assert_eq!((cut.joined().num_parts(), values(&cut.joined())), (1, values(&cut)));
        assert_eq!(values(&whole.slice(1..3).joined()), values(&run(1, 2)));
        assert!(whole.slice(3..3).is_empty() && KeyValues::default().layer(0).is_none());
    }
}
