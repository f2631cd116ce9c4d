//! A language model and a tokenizer that are small enough to check by hand.

use burn::tensor::{Device, Int, Tensor, TensorData};
use junkdna_backend::kernels::{AttentionMask, Heads, Rotary, rotate, tree_attention};
use junkdna_backend::{CausalLm, KeyValues, Seed, TokenCodec, TokenTree};
use rand::RngExt;
use std::sync::atomic::{AtomicUsize, Ordering};

pub const VOCAB: usize = 11;
const HEADS: Heads = Heads { query: 4, key_value: 2, dim: 4 };

/// One layer of attention between an embedding and a head, with weights from a seed.
pub struct TinyLm {
    embedding: Tensor<2>,
    qkv: [Tensor<2>; 3],
    head: Tensor<2>,
}

impl TinyLm {
    pub fn new(seed: u64, device: &Device) -> Self {
        let mut rng = Seed(seed).rng();
        let mut matrix = |rows: usize, columns: usize| {
            let values: Vec<f32> = (0..rows * columns).map(|_| rng.random_range(-1.0..1.0)).collect();
            Tensor::<2>::from_data(TensorData::new(values, [rows, columns]), device)
        };
        Self {
            embedding: matrix(VOCAB, 16),
            qkv: [matrix(16, 16), matrix(16, 8), matrix(16, 8)],
            head: matrix(16, VOCAB),
        }
    }
}

impl CausalLm for TinyLm {
    fn device(&self) -> Device {
        self.embedding.device()
    }

    fn vocab_size(&self) -> usize {
        VOCAB
    }

    fn context_length(&self) -> usize {
        32
    }

    fn forward(&self, tree: &TokenTree, past: &KeyValues) -> (Tensor<2>, KeyValues) {
        let ids: Vec<i64> = tree.tokens().iter().map(|&id| i64::from(id)).collect();
        let ids = Tensor::<1, Int>::from_data(TensorData::new(ids, [tree.len()]), &self.device());
        let x = self.embedding.clone().select(0, ids);
        let rotary = Rotary::new(tree.positions(), &[1.0, 0.1]);
        let [q, k, v] = self.qkv.each_ref().map(|weight| x.clone().matmul(weight.clone()));
        let (q, k) = (rotate(q, &rotary), rotate(k, &rotary));
        let after = |side: usize, new: &Tensor<2>| match past.layer(0) {
            Some(kept) => Tensor::cat(vec![kept[side].clone(), new.clone()], 0),
            None => new.clone(),
        };
        let mask = AttentionMask::new(tree, past.len(), &self.device());
        let attended = tree_attention(q, after(0, &k), after(1, &v), &mask, HEADS);
        (x + attended, KeyValues::new(vec![[k, v]]))
    }

    fn head(&self, hidden: Tensor<2>) -> Tensor<2> {
        hidden.matmul(self.head.clone())
    }
}

/// Keys and values of eight numbers each.
#[allow(dead_code, reason = "not every test counts memory")]
pub const BYTES_PER_TOKEN: usize = 2 * 8 * 4;

/// A model that remembers how much it was given to keep.
#[allow(dead_code, reason = "not every test counts memory")]
pub struct Watched {
    model: TinyLm,
    most: AtomicUsize,
}

#[allow(dead_code, reason = "not every test counts memory")]
impl Watched {
    pub fn new(model: TinyLm) -> Self {
        Self { model, most: AtomicUsize::new(0) }
    }

    pub fn inner(&self) -> &TinyLm {
        &self.model
    }

    /// The most bytes of keys and values that a pass was given.
    pub fn most_kept(&self) -> usize {
        self.most.load(Ordering::Relaxed)
    }
}

impl CausalLm for Watched {
    fn device(&self) -> Device {
        self.model.device()
    }

    fn vocab_size(&self) -> usize {
        self.model.vocab_size()
    }

    fn context_length(&self) -> usize {
        self.model.context_length()
    }

    fn forward(&self, tree: &TokenTree, past: &KeyValues) -> (Tensor<2>, KeyValues) {
        self.most.fetch_max(past.bytes(), Ordering::Relaxed);
        self.model.forward(tree, past)
    }

    fn head(&self, hidden: Tensor<2>) -> Tensor<2> {
        self.model.head(hidden)
    }
}

/// Letters `a` to `i` are tokens 0 to 8, a space is 9; 10 begins a text.
pub struct Letters {
    pub has_prefix: bool,
}

impl TokenCodec for Letters {
    fn encode(&self, text: &str) -> Result<Vec<u32>, String> {
        text.bytes()
            .map(|byte| match byte {
                b'a'..=b'i' => Ok(u32::from(byte - b'a')),
                b' ' => Ok(9),
                _ => Err(format!("byte {byte}")),
            })
            .collect()
    }

    fn decode(&self, tokens: &[u32]) -> Result<String, String> {
        Ok(tokens.iter().map(|&token| if token == 9 { ' ' } else { char::from(b'a' + token as u8) }).collect())
    }

    fn prefix_token(&self) -> Option<u32> {
        self.has_prefix.then_some(10)
    }

    fn end_token(&self) -> Option<u32> {
        None
    }
}
