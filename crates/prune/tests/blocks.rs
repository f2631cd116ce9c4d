//! Calibrated methods on a model of blocks.
#![cfg(feature = "calibration")]

use burn::module::Module;
use burn::nn::{Linear, LinearConfig};
use burn::tensor::activation::relu;
use burn::tensor::{Device, Tensor, TensorData};
use junkdna_backend::calibration::{Hessian, Order, SquaredNorms, Statistic, batches, observe};
use junkdna_backend::{Blocks, HostMatrix, LinearObserver, Seed, Selection, TokenTree, weights};
use junkdna_prune::{
    ByNorms, Calibrated, Magnitude, Mask, NofM, PruneError, Pruner, Ria, Scope, SparseGpt, Sparsity, Target, Wanda,
    WeightRef,
};
use std::collections::BTreeMap;
use std::sync::Arc;

const WIDTH: usize = 24;

/// Two layers with a residual; both inputs differ.
#[derive(Module, Debug)]
struct Block {
    up: Linear,
    down: Linear,
}

#[derive(Module, Debug)]
struct Net {
    blocks: Vec<Block>,
}

impl Net {
    fn new(blocks: usize) -> Self {
        let device = Device::flex();
        device.seed(7);
        let linear = |d_in, d_out| LinearConfig::new(d_in, d_out).with_bias(false).init(&device);
        let block = |_| Block { up: linear(WIDTH, 2 * WIDTH), down: linear(2 * WIDTH, WIDTH) };
        Self { blocks: (0..blocks).map(block).collect() }
    }
}

/// What goes from block to block, and within one what `down` reads.
type State = (Tensor<2>, Option<Tensor<2>>);

impl Blocks for Net {
    type State = State;

    fn num_blocks(&self) -> usize {
        self.blocks.len()
    }

    /// Every token is a row of correlated numbers, of very different size from input to input.
    fn embed(&self, tokens: &TokenTree) -> State {
        let value = |token: u32, i: usize| {
            let draw = |n: u64| f64::from(Seed(5).draw(n)) / f64::from(u32::MAX) - 0.5;
            let common = draw(u64::from(token));
            ((common + draw(u64::from(token) * 1000 + i as u64)) * (1 + i * i) as f64 / 50.0) as f32
        };
        let values: Vec<f32> = tokens.tokens().iter().flat_map(|&t| (0..WIDTH).map(move |i| value(t, i))).collect();
        (Tensor::from_data(TensorData::new(values, [tokens.len(), WIDTH]), &Device::flex()), None)
    }

    fn forward_block(&self, block: usize, state: State, observer: &mut dyn LinearObserver) -> State {
        (0..2).fold(state, |state, stage| self.forward_stage(block, stage, state, observer))
    }

    fn num_stages(&self, _block: usize) -> usize {
        2
    }

    fn forward_stage(&self, block: usize, stage: usize, (x, inner): State, observer: &mut dyn LinearObserver) -> State {
        self.observe_stage(block, stage, (x.clone(), inner.clone()), observer);
        let block = &self.blocks[block];
        match inner {
            None => (x.clone(), Some(relu(block.up.forward(x)))),
            Some(inner) => (x + block.down.forward(inner), None),
        }
    }

    fn observe_stage(&self, block: usize, stage: usize, (x, inner): State, observer: &mut dyn LinearObserver) {
        assert_eq!(stage == 1, inner.is_some());
        let name = ["up", "down"][stage];
        observer.observe(&[format!("blocks.{block}.{name}.weight")], &inner.unwrap_or(x));
    }
}

fn samples() -> Vec<TokenTree> {
    let sample = |i: u32| (0..40).map(|j| 100 + i * 40 + j).collect();
    batches(&(0..12).map(sample).collect::<Vec<_>>(), 100)
}

fn half() -> Target {
    Sparsity::new(0.5).unwrap().into()
}

fn prune(net: &Net, method: &impl Calibrated, target: Target) -> (Net, Mask) {
    let mut done = Vec::new();
    let progress = |blocks| done.push(blocks);
    let pruned = method.prune_blocks(net.clone(), &samples(), &Selection::default(), |_| target, progress).unwrap();
    assert_eq!(done, (1..=net.blocks.len()).collect::<Vec<_>>());
    pruned
}

fn run(net: &Net, tokens: &TokenTree) -> Tensor<2> {
    struct Nobody;
    impl LinearObserver for Nobody {
        fn observe(&mut self, _: &[String], _: &Tensor<2>) {}
    }
    (0..net.num_blocks()).fold(net.embed(tokens), |x, block| net.forward_block(block, x, &mut Nobody)).0
}

/// Squared error of the outputs over all samples.
fn error(dense: &Net, pruned: &Net) -> f64 {
    let of = |tokens: &TokenTree| (run(dense, tokens) - run(pruned, tokens)).square().sum().into_scalar::<f32>();
    samples().iter().map(|tokens| f64::from(of(tokens))).sum()
}

#[test]
fn what_knows_more_loses_less() {
    let net = Net::new(2);
    for target in [half(), NofM::new(2, 4).unwrap().into()] {
        let magnitude = Pruner::new(Magnitude).with_scope(Scope::Layer).prune(net.clone(), target).unwrap().0;
        let [wanda, sparsegpt] =
            [prune(&net, &ByNorms::<Wanda>::default(), target).0, prune(&net, &SparseGpt::default(), target).0];
        let errors = [&sparsegpt, &wanda, &magnitude].map(|pruned| error(&net, pruned));
        assert!(errors[0] < errors[1] && errors[1] < errors[2], "{target}: {errors:?}");
    }
}

#[test]
fn the_mask_tells_what_is_zero() {
    let net = Net::new(2);
    let sparsegpt = prune(&net, &SparseGpt::default(), half());
    for (pruned, mask) in [prune(&net, &ByNorms::<Ria>::default(), half()), sparsegpt] {
        mask.verify(&pruned).unwrap();
        assert_eq!(mask.layers().len(), 4);
        assert!((mask.sparsity() - 0.5).abs() < 0.01, "{}", mask.sparsity());
    }
}

#[test]
fn n_of_m_holds_in_every_group() {
    let (_, mask) = prune(&Net::new(2), &SparseGpt::default().with_block_size(10), NofM::new(3, 8).unwrap().into());
    for layer in mask.layers().values() {
        for output in 0..layer.d_out() {
            for group in (0..layer.d_in()).step_by(8) {
                assert_eq!((group..group + 8).filter(|&input| !layer.keeps(output, input)).count(), 3);
            }
        }
    }
}

#[test]
fn a_block_sees_what_the_pruned_blocks_before_it_give() {
    let net = Net::new(2);
    let (pruned, mask) = prune(&net, &ByNorms::<Wanda>::default(), half());
    // Block 1 alone, on the outputs of the pruned block 0.
    let statistics = observe::<_, SquaredNorms>(&pruned, &samples(), &Selection::default(), |_| ());
    let path = "blocks.1.up.weight";
    let norms = BTreeMap::from([(path.to_owned(), statistics[path].norms())]);
    let wanda = Pruner::new(Wanda::new(norms)).with_scope(Scope::Row);
    let selection = Selection::of(burn::module::ParamGroup::from_path(path));
    let expected = wanda.with_selection(selection).mask(&net, half()).unwrap();
    assert_eq!(mask.get(path), expected.get(path));
}

#[test]
fn in_true_sequence_a_linear_sees_what_is_pruned_before_it_in_its_block() {
    let net = Net::new(2);
    let (pruned, mask) = prune(&net, &ByNorms::<Wanda>::default().with_order(Order::TrueSequential), half());
    mask.verify(&pruned).unwrap();
    // Norms that the pruned model itself has are those that its masks were chosen by.
    let statistics = observe::<_, SquaredNorms>(&pruned, &samples(), &Selection::default(), |_| ());
    let norms = statistics.iter().map(|(path, statistic)| (path.clone(), statistic.norms())).collect();
    let expected = Pruner::new(Wanda::new(norms)).with_scope(Scope::Row).mask(&net, half()).unwrap();
    assert_eq!(mask, expected);
    let (_, by_block) = prune(&net, &ByNorms::<Wanda>::default(), half());
    assert_eq!(mask.get("blocks.0.up.weight"), by_block.get("blocks.0.up.weight"));
    assert_ne!(mask.get("blocks.0.down.weight"), by_block.get("blocks.0.down.weight"));
}

/// Removing one weight and moving the others to make up for it costs w² / (H⁻¹)_jj / 2 at best (LeCun et al. 1990): what
/// SparseGPT does to a single output whose last columns are still free.
#[test]
fn one_pruned_weight_is_made_up_for_as_well_as_can_be() {
    let statistic = {
        let mut hessian = Hessian::new(WIDTH);
        samples().iter().for_each(|tokens| hessian.add(&Net::new(1).embed(tokens).0));
        hessian
    };
    let values: Vec<f32> = (0..WIDTH).map(|j| if j == 0 { 0.3 } else { 1.0 + j as f32 / 9.0 }).collect();
    let weight = WeightRef { path: "w", d_out: 1, d_in: WIDTH, values: &values };
    let factor = statistic.inverse_factor(0.01).unwrap();
    // Input 0 is small, so its weight matters least; U₀₀² = (H⁻¹)₀₀.
    let one = NofM::new(1, WIDTH).unwrap().into();
    let pruned = SparseGpt::default().prune(&weight, &statistic, one).unwrap();
    let gone: Vec<usize> = (0..WIDTH).filter(|&j| !pruned.mask.keeps(0, j)).collect();
    assert_eq!(gone, [0]);
    for (j, value) in pruned.values.iter().enumerate().skip(1) {
        let expected = values[j] - values[0] / factor.row(0)[0] * factor.row(0)[j];
        assert!((value - expected).abs() < 1e-4, "{j}: {value}, not {expected}");
    }
}

#[test]
fn what_cannot_be_is_an_error() {
    let net = Net::new(1);
    let wanda = ByNorms::<Wanda>::default();
    let fails = |samples: &[TokenTree], selection: Selection, target: Target| {
        wanda.prune_blocks(net.clone(), samples, &selection, |_| target, |_| ()).unwrap_err()
    };
    assert!(matches!(fails(&[], Selection::default(), half()), PruneError::NoSamples));
    let nothing = Selection::of(burn::module::ParamGroup::from_path("elsewhere"));
    assert!(matches!(fails(&samples(), nothing, half()), PruneError::NothingSelected));
    let five = NofM::new(2, 5).unwrap().into();
    assert!(matches!(fails(&samples(), Selection::default(), five), PruneError::IndivisibleInputs { d_in: 24, .. }));

    let matrix = weights(&net, &Selection::default()).remove(0);
    let matrix = HostMatrix::from_weight(matrix.value);
    let weight = WeightRef { path: "w", d_out: matrix.d_out(), d_in: matrix.d_in(), values: matrix.as_slice() };
    let indefinite: Vec<f32> = (0..WIDTH * WIDTH).map(|i| if i % WIDTH == i / WIDTH { 1.0 } else { 5.0 }).collect();
    let hessian = Hessian::from_values(&indefinite, WIDTH, &Device::flex());
    let error = SparseGpt::default().prune(&weight, &hessian, half()).unwrap_err();
    assert!(error.to_string().contains("w: the Hessian is not positive definite at a damping of 1"), "{error}");
}

/// What is logged while `run` runs.
fn logged(run: impl FnOnce()) -> String {
    let file = tempfile::NamedTempFile::new().unwrap();
    let log = Arc::new(file.reopen().unwrap());
    let subscriber = tracing_subscriber::fmt().with_ansi(false).with_writer(log).finish();
    tracing::subscriber::with_default(subscriber, run);
    std::fs::read_to_string(file.path()).unwrap()
}

#[test]
fn damping_that_is_too_little_is_raised_with_a_warning() {
    // Inputs that are always equal leave a Hessian of rank one.
    let equal = Hessian::from_values(&[1.0; WIDTH * WIDTH], WIDTH, &Device::flex());
    let values: Vec<f32> = (0..WIDTH).map(|j| 1.0 + j as f32).collect();
    let weight = WeightRef { path: "blocks.0.up.weight", d_out: 1, d_in: WIDTH, values: &values };
    let prune = |method: SparseGpt| {
        let pruned = method.prune(&weight, &equal, half()).unwrap();
        // The weight at the threshold goes too, as published.
        assert_eq!(pruned.mask.removed(), WIDTH / 2 + 1);
        assert!(pruned.values.iter().all(|value| value.is_finite()));
    };
    assert_eq!(logged(|| prune(SparseGpt::default())), "");
    let warning = logged(|| prune(SparseGpt::default().with_damping(0.0)));
    let said = "WARN junkdna_prune::calibrated::sparsegpt: blocks.0.up.weight: the Hessian is singular; its damping was raised to 0.0001";
    assert!(warning.contains(said), "{warning}");
}
