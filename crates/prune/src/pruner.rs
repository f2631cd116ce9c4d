//! From a module to masks.

use crate::mask::{LayerMask, Mask};
use crate::select::{self, Bits, Blocks};
use crate::{Allocation, BlockShape, NofM, PruneError, Scope, Score, Sparsity, Target, Ties, WeightRef};
use burn::module::Module;
use junkdna_backend::{HostMatrix, Selection, weights};
use rayon::prelude::*;
use std::collections::BTreeMap;

/// How a module is pruned: what matters, what competes, how much goes where, and which parameters take part.
///
/// Masks depend on the weights alone, not on the device or the number of threads.
pub struct Pruner {
    score: Box<dyn Score>,
    scope: Scope,
    allocation: Allocation,
    ties: Ties,
    selection: Selection,
}

impl Pruner {
    /// Prunes by a score, globally, every matrix but embeddings and norms.
    pub fn new(score: impl Score + 'static) -> Self {
        Self {
            score: Box::new(score),
            scope: Scope::default(),
            allocation: Allocation::default(),
            ties: Ties::default(),
            selection: Selection::default(),
        }
    }

    /// What competes.
    pub fn with_scope(self, scope: Scope) -> Self {
        Self { scope, ..self }
    }

    /// How much goes where; anything but [`Allocation::Uniform`] needs a scope other than global.
    pub fn with_allocation(self, allocation: Allocation) -> Self {
        Self { allocation, ..self }
    }

    /// What happens to weights that tie at the border.
    pub fn with_ties(self, ties: Ties) -> Self {
        Self { ties, ..self }
    }

    /// Which parameters take part.
    pub fn with_selection(self, selection: Selection) -> Self {
        Self { selection, ..self }
    }

    /// The mask of a module at a sparsity, of single weights or of blocks, or with an N:M pattern.
    ///
    /// # Errors
    /// Names the parameter: a weight that is not finite, a score that is missing or NaN, inputs that M does not divide, a matrix
    /// that blocks do not. Or nothing is selected, or the allocation or the target does not go with the scope.
    pub fn mask<M: Module>(&self, module: &M, target: impl Into<Target>) -> Result<Mask, PruneError> {
        match target.into() {
            Target::Unstructured(sparsity) => self.masks(module, &[sparsity])?.pop().ok_or(PruneError::NothingSelected),
            Target::Blocks { shape, sparsity } => {
                self.block_masks(module, shape, &[sparsity])?.pop().ok_or(PruneError::NothingSelected)
            }
            Target::NofM(pattern) => self.n_of_m(&Matrices::of(module, &self.selection)?, pattern),
        }
    }

    /// The masks of a module at several sparsities, in their order: ranks once, cuts many times. A mask at a higher
    /// sparsity removes whatever one at a lower removes.
    ///
    /// # Errors
    /// As [`Pruner::mask`].
    pub fn masks<M: Module>(&self, module: &M, sparsities: &[Sparsity]) -> Result<Vec<Mask>, PruneError> {
        let matrices = Matrices::of(module, &self.selection)?;
        let weights = matrices.weights();
        let amounts = self.amounts(module, &weights, sparsities)?;
        let bits = self.smallest(&*self.score, &weights, &amounts)?;
        Ok(matrices.masks(bits, sparsities.len()))
    }

    /// The masks of a module at several sparsities, whole blocks of a shape going; nested like [`Pruner::masks`].
    ///
    /// # Errors
    /// As [`Pruner::mask`].
    pub fn block_masks<M: Module>(
        &self,
        module: &M,
        shape: BlockShape,
        sparsities: &[Sparsity],
    ) -> Result<Vec<Mask>, PruneError> {
        if self.scope == Scope::Row {
            return Err(PruneError::BlocksInRows { shape });
        }
        let matrices = Matrices::of(module, &self.selection)?;
        let weights = matrices.weights();
        let amounts = self.amounts(module, &weights, sparsities)?;
        let sides = weights.iter().map(|w| shape.within(w)).collect::<Result<Vec<_>, _>>()?;
        let blocks = each(&weights, |i, w| Blocks::of(&*self.score, w, sides[i]))?;
        let ranked: Vec<_> = blocks.iter().zip(&weights).map(|(blocks, w)| blocks.as_weight(w.path)).collect();
        let bits = self.smallest(&select::BLOCK_MEANS, &ranked, &amounts)?;
        let spread = blocks.par_iter().zip(bits).map(|(blocks, bits)| bits.iter().map(|b| blocks.spread(b)).collect());
        Ok(matrices.masks(spread.collect(), sparsities.len()))
    }

    /// How much of each selected weight goes at an overall sparsity, by parameter path: the allocation alone, whatever the
    /// scope.
    ///
    /// # Errors
    /// As [`Pruner::mask`].
    pub fn sparsities<M: Module>(
        &self,
        module: &M,
        overall: Sparsity,
    ) -> Result<BTreeMap<String, Sparsity>, PruneError> {
        let matrices = Matrices::of(module, &self.selection)?;
        let weights = matrices.weights();
        let by_weight = self.allocation.sparsities(module, &*self.score, &weights, &[overall])?;
        let paths = weights.iter().map(|weight| weight.path.to_owned());
        Ok(paths.zip(by_weight.into_iter().flatten()).collect())
    }

    /// The module with its mask applied, and the mask.
    ///
    /// # Errors
    /// As [`Pruner::mask`].
    pub fn prune<M: Module>(&self, module: M, target: impl Into<Target>) -> Result<(M, Mask), PruneError> {
        let mask = self.mask(&module, target)?;
        Ok((mask.apply(module)?, mask))
    }

    /// How much of each weight goes at each of `sparsities`.
    fn amounts<M: Module>(
        &self,
        module: &M,
        weights: &[WeightRef<'_>],
        sparsities: &[Sparsity],
    ) -> Result<Amounts, PruneError> {
        self.allocation.check_scope(self.scope)?;
        let by_weight = self.allocation.sparsities(module, &*self.score, weights, sparsities)?;
        Ok(Amounts { overall: sparsities.to_vec(), by_weight })
    }

    /// The smallest scores go, of single weights or of matrices that stand for blocks; `[weight][sparsity]`.
    fn smallest(
        &self,
        score: &dyn Score,
        weights: &[WeightRef<'_>],
        amounts: &Amounts,
    ) -> Result<Vec<Vec<Bits>>, PruneError> {
        let counts = |by: &[Sparsity], of: usize| by.iter().map(|s| self.ties.count(*s, of)).collect::<Vec<_>>();
        match self.scope {
            Scope::Global => {
                let all = weights.iter().map(|w| w.values.len()).sum();
                select::smallest(score, weights, &counts(&amounts.overall, all), self.ties)
            }
            Scope::Layer => each(weights, |i, w| {
                let counts = counts(&amounts.by_weight[i], w.values.len());
                let layer = select::smallest(score, std::slice::from_ref(w), &counts, self.ties)?;
                Ok(layer.into_iter().flatten().collect())
            }),
            Scope::Row => {
                each(weights, |i, w| select::rows(score, w, &counts(&amounts.by_weight[i], w.d_in), self.ties))
            }
        }
    }

    fn n_of_m(&self, matrices: &Matrices, pattern: NofM) -> Result<Mask, PruneError> {
        self.allocation.check_pattern()?;
        let weights = matrices.weights();
        weights.iter().try_for_each(|weight| select::check_groups(weight, pattern))?;
        let bits = each(&weights, |_, w| select::groups(&*self.score, w, pattern))?;
        Ok(matrices.mask(bits))
    }
}

/// How much goes, for each of several overall sparsities.
struct Amounts {
    /// Of all weights together.
    overall: Vec<Sparsity>,
    /// Of each weight, `[weight][sparsity]`.
    by_weight: Vec<Vec<Sparsity>>,
}

/// Matrix by matrix, with its index, on all cores; of several errors the first in the module's order.
fn each<T: Send>(
    weights: &[WeightRef<'_>],
    work: impl Fn(usize, &WeightRef<'_>) -> Result<T, PruneError> + Sync + Send,
) -> Result<Vec<T>, PruneError> {
    weights.par_iter().enumerate().map(|(i, w)| work(i, w)).collect::<Vec<_>>().into_iter().collect()
}

/// Host copies of the selected weights, in the module's order; on the CPU usually views.
struct Matrices(Vec<(String, HostMatrix)>);

impl Matrices {
    fn of<M: Module>(module: &M, selection: &Selection) -> Result<Self, PruneError> {
        let found = weights(module, selection);
        if found.is_empty() {
            return Err(PruneError::NothingSelected);
        }
        Ok(Self(found.into_iter().map(|w| (w.path, HostMatrix::from_weight(w.value))).collect()))
    }

    fn weights(&self) -> Vec<WeightRef<'_>> {
        self.0.iter().map(|(path, matrix)| weight_ref(path, matrix)).collect()
    }

    /// One mask of one set of bits per matrix.
    fn mask(&self, bits: Vec<Bits>) -> Mask {
        let layer = |((path, w), bits): (&(String, HostMatrix), Bits)| {
            (path.clone(), LayerMask::from_bits(w.d_out(), w.d_in(), bits))
        };
        self.0.iter().zip(bits).map(layer).collect()
    }

    /// `masks` masks of bits `[matrix][mask]`.
    fn masks(&self, bits: Vec<Vec<Bits>>, masks: usize) -> Vec<Mask> {
        let mut bits: Vec<_> = bits.into_iter().map(Vec::into_iter).collect();
        (0..masks).map(|_| self.mask(bits.iter_mut().filter_map(Iterator::next).collect())).collect()
    }
}

fn weight_ref<'a>(path: &'a str, matrix: &'a HostMatrix) -> WeightRef<'a> {
    WeightRef { path, d_out: matrix.d_out(), d_in: matrix.d_in(), values: matrix.as_slice() }
}
