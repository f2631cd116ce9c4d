//! What must hold.

use super::check::holds;
use super::definition::{PerWeight, by_sorting, by_sorting_blocks, by_sorting_groups, gone, scores, shapes, tied};
use super::strategies::{
    allocations, blocked_nets, broken, distinct_nets, grouped_nets, matrices, nets, outputs_permuted, scopes,
    sparsities,
};
use super::{BrokenNet, Claims, Net};
use crate::{Allocation, BlockShape, Mask, NofM, PruneError, Pruner, Scope, Score, Sparsity, Target, Ties, WeightRef};
use junkdna_backend::HostMatrix;
use proptest::prelude::*;
use proptest::test_runner::TestCaseResult;
use std::marker::PhantomData;

const SCOPES: [Scope; 3] = [Scope::Global, Scope::Layer, Scope::Row];

/// The score under test.
pub struct Subject<S, F> {
    score: F,
    of: PhantomData<S>,
}

impl<S: Score + 'static, F: Fn(&Net) -> S> Subject<S, F> {
    pub fn new(score: F) -> Self {
        Self { score, of: PhantomData }
    }

    pub fn check(&self, claims: Claims) {
        self.scores_do_not_depend_on_the_piece();
        self.masks_are_the_same_every_time();
        self.masks_are_what_sorting_gives();
        self.masks_are_nested();
        self.one_layer_is_the_whole_module();
        self.patterns_hold_in_every_group();
        self.patterns_that_do_not_fit_are_refused();
        self.blocks_go_whole();
        self.allocations_are_met_by_every_layer();
        self.nothing_else_changes();
        self.broken_weights_are_named();
        if claims.scale_invariant {
            self.scaling_changes_no_mask();
        }
        if claims.permutation_equivariant {
            self.permuting_outputs_permutes_the_mask();
        }
        if claims.idempotent {
            self.pruning_twice_is_pruning_once();
        }
    }

    fn scores_do_not_depend_on_the_piece(&self) {
        let property = "scores asked for in two pieces are those asked for at once";
        holds::<S, _>(property, (nets(), any::<prop::sample::Index>()), |(net, cut)| {
            let score = (self.score)(&net);
            for (layer, (matrix, whole)) in net.matrices().iter().zip(ok(scores(&score, &net))?).enumerate() {
                let (path, weights) = (Net::path(layer), matrix.as_slice().len());
                let weight =
                    WeightRef { path: &path, d_out: matrix.d_out(), d_in: matrix.d_in(), values: matrix.as_slice() };
                let cut = cut.index(weights + 1);
                let mut pieces = vec![0.0; weights];
                let (first, second) = pieces.split_at_mut(cut);
                ok(score.score(&weight, cut..weights, second))?;
                ok(score.score(&weight, 0..cut, first))?;
                let differ = pieces.iter().zip(&whole).position(|(a, b)| a != b);
                prop_assert!(differ.is_none(), "cut at {cut}, the score of {path} {differ:?} is another");
            }
            Ok(())
        });
    }

    fn masks_are_the_same_every_time(&self) {
        let property = "the same module has the same mask every time, on any number of threads";
        let one_thread = rayon::ThreadPoolBuilder::new().num_threads(1).build().expect("a thread can be started");
        holds::<S, _>(property, (nets(), scopes(), sparsities()), |(net, scope, sparsity)| {
            let (pruner, again) = (self.pruner(&net, scope), self.pruner(&net, scope));
            let mask = ok(pruner.mask(&net, sparsity))?;
            prop_assert_eq!(&ok(pruner.mask(&net, sparsity))?, &mask, "asked twice");
            prop_assert_eq!(&ok(again.mask(&net, sparsity))?, &mask, "with the score made twice");
            let alone = one_thread.install(|| pruner.mask(&net, sparsity));
            prop_assert_eq!(&ok(alone)?, &mask, "on one thread");
            Ok(())
        });
    }

    fn masks_are_what_sorting_gives(&self) {
        let property = "the floor(n * s) weights with the smallest scores go, of ties the first, or all of them";
        let ties = prop::sample::select(vec![Ties::Exact, Ties::All]);
        holds::<S, _>(property, (nets(), scopes(), sparsities(), ties), |(net, scope, sparsity, ties)| {
            let mask = ok(self.pruner(&net, scope).with_ties(ties).mask(&net, sparsity))?;
            let expected = {
                let (scores, sparsities) = (ok(scores(&(self.score)(&net), &net))?, vec![sparsity; net.layers.len()]);
                by_sorting(&shapes(&net), &scores, scope, &sparsities, ties)
            };
            prop_assert_eq!(gone(&mask, &net), expected, "{}, {}, ties {}", scope, sparsity, ties);
            if ties == Ties::Exact {
                prop_assert_eq!(mask.removed(), count(&net, scope, sparsity));
            }
            Ok(())
        });
    }

    fn masks_are_nested(&self) {
        let property = "masks of one ranking are those of each sparsity, each nested in the next";
        let several = prop::collection::vec(sparsities(), 1..5);
        holds::<S, _>(property, (nets(), scopes(), several), |(net, scope, mut by)| {
            by.sort_by(|a, b| a.value().total_cmp(&b.value()));
            let pruner = self.pruner(&net, scope);
            let masks = ok(pruner.masks(&net, &by))?;
            for (mask, &sparsity) in masks.iter().zip(&by) {
                prop_assert_eq!(mask, &ok(pruner.mask(&net, sparsity))?);
            }
            for (pair, by) in masks.windows(2).zip(by.windows(2)) {
                prop_assert!(ok(pair[0].is_nested_in(&pair[1]))?, "{} in {}, {}", by[0], by[1], scope);
            }
            Ok(())
        });
    }

    fn one_layer_is_the_whole_module(&self) {
        let property = "with one layer, layer-wise is global";
        let alone = matrices().prop_map(|matrix| Net::new(&[matrix]));
        holds::<S, _>(property, (alone, sparsities()), |(net, sparsity)| {
            let [global, layer] =
                [Scope::Global, Scope::Layer].map(|scope| self.pruner(&net, scope).mask(&net, sparsity));
            prop_assert_eq!(ok(global)?, ok(layer)?);
            Ok(())
        });
    }

    fn patterns_hold_in_every_group(&self) {
        let property = "N:M removes the N weights with the smallest scores of every M inputs";
        holds::<S, _>(property, grouped_nets(), |(pattern, net)| {
            let mask = ok(self.pruner(&net, Scope::Global).mask(&net, pattern))?;
            let expected = by_sorting_groups(&ok(scores(&(self.score)(&net), &net))?, pattern);
            prop_assert_eq!(gone(&mask, &net), expected, "{}", pattern);
            prop_assert_eq!(mask.removed(), mask.weights() / pattern.m() * pattern.n());
            Ok(())
        });
    }

    fn patterns_that_do_not_fit_are_refused(&self) {
        let property = "an M that does not divide the inputs is an error that names the parameter";
        holds::<S, _>(property, (nets(), 2usize..40), |(net, m)| {
            let misfit = net.matrices().iter().position(|matrix| !matrix.d_in().is_multiple_of(m));
            let Some(path) = misfit.map(Net::path) else { return Ok(()) };
            let result = self.pruner(&net, Scope::Global).mask(&net, ok(NofM::new(1, m))?);
            refused(result, &path)
        });
    }

    fn blocks_go_whole(&self) {
        let property = "the floor(n * s) blocks with the smallest mean scores go, whole";
        let scopes = prop::sample::select(vec![Scope::Global, Scope::Layer]);
        holds::<S, _>(property, (blocked_nets(), scopes, sparsities()), |((block, net), scope, sparsity)| {
            let target = Target::Blocks { shape: ok(BlockShape::new(block[0], block[1]))?, sparsity };
            let mask = ok(self.pruner(&net, scope).mask(&net, target))?;
            let expected = by_sorting_blocks(&net, &ok(scores(&(self.score)(&net), &net))?, block, scope, sparsity);
            prop_assert_eq!(gone(&mask, &net), expected, "{:?}, {}, {}", block, scope, sparsity);
            Ok(())
        });
    }

    fn allocations_are_met_by_every_layer(&self) {
        let property = "each layer loses the floor(n * s) weights with its smallest scores at its own sparsity";
        let scopes = prop::sample::select(vec![Scope::Layer, Scope::Row]);
        let cases = (nets(), scopes, allocations(), sparsities());
        holds::<S, _>(property, cases, |(net, scope, allocation, overall)| {
            let pruner = self.pruner(&net, scope).with_allocation(allocation.clone());
            let own = ok(pruner.sparsities(&net, overall))?;
            let own: Vec<_> = (0..net.layers.len()).map(|layer| own[&Net::path(layer)]).collect();
            let mask = ok(pruner.mask(&net, overall))?;
            let expected = by_sorting(&shapes(&net), &ok(scores(&(self.score)(&net), &net))?, scope, &own, Ties::Exact);
            prop_assert_eq!(gone(&mask, &net), expected, "{:?}, {}, {}", allocation, scope, overall);
            if !matches!(allocation, Allocation::ByPath(_)) {
                let weights = shapes(&net).into_iter().map(|[d_out, d_in]| (d_out * d_in) as f64);
                let handed_out: f64 = weights.clone().zip(&own).map(|(weights, own)| weights * own.value()).sum();
                let asked = weights.sum::<f64>() * overall.value();
                prop_assert!((handed_out - asked).abs() < 1e-6, "{} of {}, {:?}", handed_out, asked, allocation);
            }
            Ok(())
        });
    }

    fn nothing_else_changes(&self) {
        let property = "what survives keeps its bits, and so do parameters that are not selected";
        holds::<S, _>(property, (nets(), sparsities()), |(net, sparsity)| {
            let before = net.bits();
            for target in targets(&net, sparsity) {
                let (after, mask) = ok(self.prune(&net, target))?;
                ok(mask.verify(&after))?;
                let after = after.bits();
                prop_assert!(before.keys().eq(after.keys()), "parameters came or went");
                for (path, old) in &before {
                    let keeps =
                        |i: usize| mask.get(path).is_none_or(|mask| mask.keeps(i / mask.d_in(), i % mask.d_in()));
                    let expected: Vec<u32> =
                        old.iter().enumerate().map(|(i, &b)| if keeps(i) { b } else { 0 }).collect();
                    prop_assert_eq!(&after[path], &expected, "{}", path);
                }
            }
            Ok(())
        });
    }

    fn broken_weights_are_named(&self) {
        let property = "a weight that is not finite is an error that names the parameter";
        let cases = grouped_nets().prop_flat_map(|(pattern, net)| (Just(pattern), broken(net), sparsities()));
        holds::<S, _>(property, cases, |(pattern, broken, sparsity)| {
            let net = &broken.net;
            names(self.pruner(net, Scope::Global).mask(net, pattern), &broken)?;
            SCOPES.into_iter().try_for_each(|scope| names(self.pruner(net, scope).mask(net, sparsity), &broken))
        });
    }

    fn scaling_changes_no_mask(&self) {
        let property = "claim scale_invariant: a module times a power of two has the same mask";
        holds::<S, _>(property, (distinct_nets(), sparsities(), -20i32..20), |(net, sparsity, power)| {
            let scaled = scaled(&net, 2f32.powi(power));
            for target in targets(&net, sparsity) {
                let (of_net, of_scaled) = (self.mask(&net, target), self.mask(&scaled, target));
                prop_assert_eq!(ok(of_net)?, ok(of_scaled)?, "times 2^{}, {:?}", power, target);
            }
            Ok(())
        });
    }

    fn permuting_outputs_permutes_the_mask(&self) {
        let property = "claim permutation_equivariant: in another order of outputs, the mask is in that order";
        holds::<S, _>(property, (outputs_permuted(), sparsities()), |((net, permuted, orders), sparsity)| {
            let [old, new] = [&net, &permuted].map(|net| scores(&(self.score)(net), net));
            let (old, new) = (ok(old)?, ok(new)?);
            if tied(&old) {
                // Ties go by place, in either order: only the scores can be compared.
                prop_assert_eq!(&new, &reordered(&old, &net, &orders), "scores, {:?}", orders);
                return Ok(());
            }
            for target in targets(&net, sparsity) {
                let old = gone(&ok(self.mask(&net, target))?, &net);
                let new = gone(&ok(self.mask(&permuted, target))?, &permuted);
                prop_assert_eq!(new, reordered(&old, &net, &orders), "{:?}, {:?}", orders, target);
            }
            Ok(())
        });
    }

    fn pruning_twice_is_pruning_once(&self) {
        let property = "claim idempotent: pruning what is pruned already changes nothing";
        holds::<S, _>(property, (distinct_nets(), sparsities()), |(net, sparsity)| {
            for target in targets(&net, sparsity) {
                let (once, mask) = ok(self.prune(&net, target))?;
                prop_assert_eq!(ok(self.mask(&once, target))?, mask, "{:?}", target);
            }
            Ok(())
        });
        // Zeros of either sign may tie with what is gone: the mask may be another one, of weights that are zero already.
        holds::<S, _>(property, (nets(), sparsities()), |(net, sparsity)| {
            for target in targets(&net, sparsity) {
                let (once, _) = ok(self.prune(&net, target))?;
                let (twice, _) = ok(self.prune(&once, target))?;
                let values = |net: &Net| net.matrices().iter().map(|m| m.as_slice().to_vec()).collect::<Vec<_>>();
                prop_assert_eq!(values(&twice), values(&once), "{:?}", target);
            }
            Ok(())
        });
    }

    fn pruner(&self, net: &Net, scope: Scope) -> Pruner {
        Pruner::new((self.score)(net)).with_scope(scope)
    }

    fn mask(&self, net: &Net, (scope, target): (Scope, Target)) -> Result<Mask, PruneError> {
        self.pruner(net, scope).mask(net, target)
    }

    fn prune(&self, net: &Net, (scope, target): (Scope, Target)) -> Result<(Net, Mask), PruneError> {
        self.pruner(net, scope).prune(net.clone(), target)
    }
}

/// A sparsity in every scope, and 2:4 where it fits.
fn targets(net: &Net, sparsity: Sparsity) -> Vec<(Scope, Target)> {
    let fits = net.matrices().iter().all(|matrix| matrix.d_in().is_multiple_of(4));
    let pattern = NofM::new(2, 4).ok().filter(|_| fits).map(|pattern| (Scope::Global, pattern.into()));
    SCOPES.into_iter().map(|scope| (scope, sparsity.into())).chain(pattern).collect()
}

/// How many weights go.
fn count(net: &Net, scope: Scope, sparsity: Sparsity) -> usize {
    let matrices = net.matrices();
    let weights = matrices.iter().map(|m| m.as_slice().len());
    match scope {
        Scope::Global => sparsity.count(weights.sum()),
        Scope::Layer => weights.map(|weights| sparsity.count(weights)).sum(),
        Scope::Row => matrices.iter().map(|m| m.d_out() * sparsity.count(m.d_in())).sum(),
    }
}

/// The rows of each layer in another order.
fn reordered<T: Copy>(of: &PerWeight<T>, net: &Net, orders: &[Vec<usize>]) -> PerWeight<T> {
    let layer = |((of, matrix), order): ((&Vec<T>, HostMatrix), &Vec<usize>)| {
        order.iter().flat_map(|&output| of[output * matrix.d_in()..][..matrix.d_in()].to_vec()).collect()
    };
    of.iter().zip(net.matrices()).zip(orders).map(layer).collect()
}

fn scaled(net: &Net, scale: f32) -> Net {
    let scaled =
        |m: &HostMatrix| HostMatrix::new(m.as_slice().iter().map(|w| w * scale).collect(), m.d_out(), m.d_in());
    Net::new(&net.matrices().iter().map(scaled).collect::<Vec<_>>())
}

fn ok<T>(result: Result<T, PruneError>) -> Result<T, TestCaseError> {
    result.map_err(|error| TestCaseError::fail(format!("unexpected error: {error}")))
}

fn refused(result: Result<Mask, PruneError>, path: &str) -> TestCaseResult {
    match result {
        Ok(mask) => Err(TestCaseError::fail(format!("no error, but {mask:?}"))),
        Err(error) => {
            let message = error.to_string();
            prop_assert!(message.contains(path), "`{}` does not name {}", message, path);
            Ok(())
        }
    }
}

/// Whether the error names the broken weight; if it is the score's own, its parameter.
fn names(result: Result<Mask, PruneError>, broken: &BrokenNet) -> TestCaseResult {
    if let Err(PruneError::NotFinite { path, output, input, .. }) = &result {
        prop_assert_eq!((path, *output, *input), (&broken.path, broken.output, broken.input));
    }
    refused(result, &broken.path)
}
