//! A language model of one's own: any Burn module, and how it reads tokens.

use crate::tokens::VOCABULARY;
use burn::module::{Module, Param};
use burn::tensor::{Device, Int, Tensor, TensorData};
use junkdna_backend::kernels::{AttentionMask, Heads, tree_attention};
use junkdna_backend::{CausalLm, KeyValues, TokenTree};

/// A layer of attention that finds the last letter, and a head that knows which comes next. It is set by hand, for it has
/// nothing to learn: what matters here is how little a model must do to be evaluated.
#[derive(Module, Debug)]
pub struct Alphabet {
    /// What is looked for, known and told about each token: `[vocabulary, width]`.
    query: Param<Tensor<2>>,
    key: Param<Tensor<2>>,
    value: Param<Tensor<2>>,
    /// `[width, vocabulary]`.
    next: Param<Tensor<2>>,
}

const WIDTH: usize = VOCABULARY + 1;
const HEADS: Heads = Heads { query: 1, key_value: 1, dim: WIDTH };

impl Alphabet {
    pub fn new(device: &Device) -> Self {
        let matrix = |rows: usize, columns: usize, value: fn(usize, usize) -> f32| {
            let values: Vec<f32> = (0..rows * columns).map(|i| value(i / columns, i % columns)).collect();
            Param::from_tensor(Tensor::from_data(TensorData::new(values, [rows, columns]), device))
        };
        Self {
            // Later letters of the alphabet draw more attention, so that of an ascending run the last one is found.
            query: matrix(VOCABULARY, WIDTH, |_, column| f32::from(u8::from(column == VOCABULARY))),
            key: matrix(
                VOCABULARY,
                WIDTH,
                |token, column| {
                    if column == VOCABULARY && token < 26 { 20.0 * token as f32 } else { 0.0 }
                },
            ),
            value: matrix(VOCABULARY, WIDTH, |token, column| f32::from(u8::from(token == column))),
            next: matrix(WIDTH, VOCABULARY, |last, token| if token == last + 1 && token < 26 { 5.0 } else { 0.0 }),
        }
    }
}

impl CausalLm for Alphabet {
    fn device(&self) -> Device {
        self.next.val().device()
    }

    fn vocab_size(&self) -> usize {
        VOCABULARY
    }

    fn context_length(&self) -> usize {
        256
    }

    fn forward(&self, tree: &TokenTree, past: &KeyValues) -> (Tensor<2>, KeyValues) {
        let ids: Vec<i64> = tree.tokens().iter().map(|&id| i64::from(id)).collect();
        let ids = Tensor::<1, Int>::from_data(TensorData::new(ids, [tree.len()]), &self.device());
        let [q, k, v] = [&self.query, &self.key, &self.value].map(|table| table.val().select(0, ids.clone()));
        let after = |new: &Tensor<2>, side: usize| match past.layer(0) {
            Some(kept) => Tensor::cat(vec![kept[side].clone(), new.clone()], 0),
            None => new.clone(),
        };
        let mask = AttentionMask::new(tree, past.len(), &self.device());
        (tree_attention(q, after(&k, 0), after(&v, 1), &mask, HEADS), KeyValues::new(vec![[k, v]]))
    }

    fn head(&self, hidden: Tensor<2>) -> Tensor<2> {
        hidden.matmul(self.next.val())
    }
}
