//! Attention on `flex`: every block and group of heads is one task of two products with a softmax in place between them.

use super::{Heads, blocks::Block};
use crate::kernels::{exp::exp, flex};
use burn::tensor::{DType, Tensor, TensorData};
use burn_flex::FlexTensor;
use rayon::prelude::*;
use std::ops::Range;

pub(super) fn attention(
    q: &FlexTensor,
    keys_values: Vec<[Tensor<2>; 2]>,
    blocks: &[Block],
    heads: Heads,
) -> FlexTensor {
    let kept = Kept::new(keys_values, blocks);
    let groups = heads.key_value;
    let tasks = (0..blocks.len() * groups).into_par_iter().with_max_len(1);
    let parts: Vec<FlexTensor> =
        tasks.map(|task| attend(q, &kept, &blocks[task / groups], task % groups, heads)).collect();
    let mut out = FlexTensor::empty(q.layout().shape().clone(), DType::F32);
    write(flex::values_mut(&mut out), &parts, blocks, heads);
    out
}

/// What a block's tokens gather in one group of heads, `[tokens * heads per group, dim]`, a token's heads one after another.
fn attend(q: &FlexTensor, kept: &Kept, block: &Block, group: usize, heads: Heads) -> FlexTensor {
    let queries: Tensor<2> = scaled_queries(q, block, group, heads);
    let [keys, values] = [0, 1].map(|side| flex::give::<2>(kept.columns(side, &block.keys, group, heads.dim)));
    let mut scores = flex::take(queries.matmul(keys.transpose()));
    let rows = flex::values_mut(&mut scores).chunks_exact_mut(block.num_keys());
    flex::vectorized(
        #[inline(always)]
        || {
            // A loop, for the closure of `for_each` would be compiled without the wide instructions.
            for (row, scores) in rows.enumerate() {
                softmax(scores, &block.visible[row / heads.per_group()]);
            }
        },
    );
    flex::take(flex::give::<2>(scores).matmul(values))
}

/// Keys and values of all tokens, in parts.
struct Kept {
    parts: Vec<[FlexTensor; 2]>,
    /// The first token of each part.
    starts: Vec<usize>,
}

impl Kept {
    /// Joins the parts where the blocks would together copy more than that.
    fn new(mut parts: Vec<[Tensor<2>; 2]>, blocks: &[Block]) -> Self {
        let rows: usize = parts.iter().map(|[keys, _]| keys.dims()[0]).sum();
        if parts.len() > 1 && blocks.iter().map(Block::num_keys).sum::<usize>() > 2 * rows {
            parts = vec![super::joined(parts)];
        }
        let starts = parts.iter().scan(0, |next, [keys, _]| {
            let start = *next;
            *next += keys.dims()[0];
            Some(start)
        });
        let starts = starts.collect();
        Self { parts: parts.into_iter().map(|both| both.map(flex::take)).collect(), starts }
    }

    /// The heads of one group in these rows, `[rows, dim]`: a view where the rows are a range of one part, else a copy.
    fn columns(&self, side: usize, rows: &[Range<usize>], group: usize, dim: usize) -> FlexTensor {
        if let [range] = rows
            && let [(part, inside)] = self.within(range).collect::<Vec<_>>().as_slice()
        {
            return self.parts[*part][side].narrow(0, inside.start, inside.len()).narrow(1, group * dim, dim);
        }
        let mut copied = Vec::with_capacity(rows.iter().map(ExactSizeIterator::len).sum::<usize>() * dim);
        for (part, inside) in rows.iter().flat_map(|range| self.within(range)) {
            let tensor = &self.parts[part][side];
            let width = tensor.layout().shape()[1];
            let values = &tensor.as_slice::<f32>().unwrap_or_default()[inside.start * width..inside.end * width];
            values.chunks_exact(width).for_each(|row| copied.extend_from_slice(&row[group * dim..(group + 1) * dim]));
        }
        matrix(copied, dim)
    }

    /// The parts that a range of rows lies in, and its rows within each.
    fn within<'a>(&'a self, range: &'a Range<usize>) -> impl Iterator<Item = (usize, Range<usize>)> + 'a {
        let first = self.starts.partition_point(|&start| start <= range.start).saturating_sub(1);
        let parts = (first..self.parts.len()).take_while(|&part| self.starts[part] < range.end);
        parts.map(|part| {
            let (start, length) = (self.starts[part], self.parts[part][0].layout().shape()[0]);
            (part, range.start.max(start) - start..range.end.min(start + length) - start)
        })
    }
}

fn matrix(values: Vec<f32>, width: usize) -> FlexTensor {
    let shape = [values.len() / width, width];
    FlexTensor::from_data(TensorData::new(values, shape))
}

/// q / √dim of one group, `[tokens * heads per group, dim]`.
fn scaled_queries(q: &FlexTensor, block: &Block, group: usize, heads: Heads) -> Tensor<2> {
    let (width, row) = (heads.query * heads.dim, heads.per_group() * heads.dim);
    let scale = (heads.dim as f32).powf(-0.5);
    let tokens = q.as_slice::<f32>().unwrap_or_default().chunks_exact(width);
    let tokens = tokens.skip(block.tokens.start).take(block.tokens.len());
    let mut scaled = Vec::with_capacity(block.tokens.len() * row);
    tokens.for_each(|token| scaled.extend(token[group * row..(group + 1) * row].iter().map(|x| x * scale)));
    flex::give(matrix(scaled, heads.dim))
}

/// Puts the groups of each block side by side.
fn write(out: &mut [f32], parts: &[FlexTensor], blocks: &[Block], heads: Heads) {
    let (width, row) = (heads.query * heads.dim, heads.per_group() * heads.dim);
    let mut rest = out;
    for (block, groups) in blocks.iter().zip(parts.chunks(heads.key_value)) {
        let (tokens, after) = std::mem::take(&mut rest).split_at_mut(block.tokens.len() * width);
        rest = after;
        for (group, part) in groups.iter().enumerate() {
            let part = part.as_slice::<f32>().unwrap_or_default().chunks_exact(row);
            for (token, from) in tokens.chunks_exact_mut(width).zip(part) {
                token[group * row..(group + 1) * row].copy_from_slice(from);
            }
        }
    }
}

/// In place, and zero outside of the visible ranges.
#[inline(always)]
fn softmax(scores: &mut [f32], visible: &[Range<usize>]) {
    let mut max = f32::NEG_INFINITY;
    for range in visible {
        max = max.max(largest(&scores[range.clone()]));
    }
    let mut sum = 0.0;
    let mut end = 0;
    for range in visible {
        scores[end..range.start].fill(0.0);
        sum += exp_from(&mut scores[range.clone()], max);
        end = range.end;
    }
    scores[end..].fill(0.0);
    let scale = 1.0 / sum;
    for range in visible {
        scores[range.clone()].iter_mut().for_each(|x| *x *= scale);
    }
}

// Sixteen partial results in both: a single one would make the loop wait for itself.
const LANES: usize = 16;

#[inline(always)]
fn largest(values: &[f32]) -> f32 {
    let (chunks, rest) = values.as_chunks::<LANES>();
    let mut max = [f32::NEG_INFINITY; LANES];
    for chunk in chunks {
        for (m, x) in max.iter_mut().zip(chunk) {
            *m = m.max(*x);
        }
    }
    max.iter().chain(rest).fold(f32::NEG_INFINITY, |a, &b| a.max(b))
}

/// Replaces each x by e^(x - max) and returns their sum.
#[inline(always)]
fn exp_from(values: &mut [f32], max: f32) -> f32 {
    let (chunks, rest) = values.as_chunks_mut::<LANES>();
    let mut sum = [0f32; LANES];
    for chunk in chunks {
        for (s, x) in sum.iter_mut().zip(chunk) {
            *x = exp(*x - max);
            *s += *x;
        }
    }
    let mut total = sum.iter().sum();
    for x in rest {
        *x = exp(*x - max);
        total += *x;
    }
    total
}
