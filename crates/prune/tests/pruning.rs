//! Single cases: large and tied matrices, threads, other float types, errors, training.

mod common;

use burn::module::{Module, ParamGroup};
use burn::optim::{AdamConfig, GradientsParams};
use burn::tensor::{DType, Device, Tensor};
use common::{Net, Rows, bits, net, net_on, rows};
use junkdna_backend::{Seed, Selection};
use junkdna_prune::{LayerMask, Magnitude, Mask, NofM, PruneError, Pruner, Random, Scope, Score, Sparsity, WeightRef};
use std::ops::Range;

fn half() -> Sparsity {
    Sparsity::new(0.5).unwrap()
}

/// Larger than a thread's piece, so that ties go on from one piece and one matrix to the next.
#[test]
fn of_equal_weights_the_first_go() {
    let net = net(&[Rows::new(300, 301, vec![-2.0; 90_300]), Rows::new(1, 100, vec![2.0; 100])]);
    for (sparsity, gone) in [(0.5, 45_200), (0.9, 81_360), (0.999, 90_309)] {
        let mask = Pruner::new(Magnitude).mask(&net, Sparsity::new(sparsity).unwrap()).unwrap();
        assert_eq!(mask.removed(), gone);
        let [a, b] = ["layers.0.weight", "layers.1.weight"].map(|path| mask.get(path).unwrap());
        let kept = (0..90_300).map(|i| a.keeps(i / 301, i % 301)).chain((0..100).map(|i| b.keeps(0, i)));
        assert!(kept.enumerate().all(|(i, kept)| kept == (i >= gone)), "{sparsity}");
    }
}

#[test]
fn ties_around_the_cut_go_in_order_over_many_pieces() {
    let values: Vec<f32> = (0..400 * 500).map(|i| [0.25, 1.0, -0.5, 0.5, -0.0][i * 7 % 5]).collect();
    let mut order: Vec<usize> = (0..values.len()).collect();
    order.sort_by(|&a, &b| values[a].abs().total_cmp(&values[b].abs()));
    let net = net(&[Rows::new(400, 500, values)]);
    let by = [0.1, 0.2, 0.45, 0.6, 0.95].map(|s| Sparsity::new(s).unwrap());
    for (mask, sparsity) in Pruner::new(Magnitude).masks(&net, &by).unwrap().iter().zip(by) {
        let expected: std::collections::BTreeSet<_> = order[..sparsity.count(200_000)].iter().collect();
        let mask = mask.get("layers.0.weight").unwrap();
        assert!((0..200_000).all(|i| mask.keeps(i / 500, i % 500) != expected.contains(&i)), "{sparsity}");
    }
}

#[test]
fn masks_do_not_depend_on_the_number_of_threads() {
    let net = net(&[Rows::noise(333, 400, 1), Rows::noise(64, 1001, 2), Rows::noise(1, 4, 3)]);
    let masks = |threads| {
        let pool = rayon::ThreadPoolBuilder::new().num_threads(threads).build().unwrap();
        pool.install(|| {
            let mut masks = Vec::new();
            for scope in [Scope::Global, Scope::Layer, Scope::Row] {
                masks.push(Pruner::new(Magnitude).with_scope(scope).mask(&net, half()).unwrap());
                masks.push(Pruner::new(Random { seed: Seed(5) }).with_scope(scope).mask(&net, half()).unwrap());
            }
            masks
        })
    };
    assert_eq!(masks(1), masks(3));
}

#[test]
fn random_masks_follow_the_seed_and_ignore_the_values() {
    let mask = |seed, data| {
        let net = net(&[Rows::noise(50, 60, data)]);
        Pruner::new(Random { seed: Seed(seed) }).mask(&net, half()).unwrap()
    };
    assert_eq!(mask(1, 1), mask(1, 2));
    let overlap = mask(1, 1).overlap(&mask(2, 1)).unwrap();
    assert!((overlap - 1.0 / 3.0).abs() < 0.05, "independent halves share a third of their union: {overlap}");
}

#[test]
fn odd_and_tiny_shapes() {
    let shapes = [(1, 1), (1, 2), (3, 1), (63, 1), (1, 64), (65, 3), (2, 4097)];
    let layers: Vec<Rows> = shapes.iter().map(|&(o, i)| Rows::noise(o, i, (o * i) as u64)).collect();
    for scope in [Scope::Global, Scope::Layer, Scope::Row] {
        let (pruned, mask) = Pruner::new(Magnitude).with_scope(scope).prune(net(&layers), half()).unwrap();
        mask.verify(&pruned).unwrap();
        assert_eq!(mask, Mask::of_zeros(&pruned, &Selection::default()).unwrap(), "{scope}");
    }
}

#[test]
fn the_selection_is_pruned_and_nothing_else() {
    let before = net(&[Rows::noise(8, 8, 1), Rows::noise(8, 8, 2)]);
    let first = Selection::of(ParamGroup::from_path("layers.0.weight"));
    let (after, mask) = Pruner::new(Magnitude).with_selection(first).prune(before.clone(), half()).unwrap();
    assert_eq!(mask.layers().keys().collect::<Vec<_>>(), ["layers.0.weight"]);
    let (before, after) = (bits(&before), bits(&after));
    assert!(before.iter().all(|(path, bits)| (after[path] == *bits) == (path != "layers.0.weight")));

    let embeddings = Selection { embeddings: true, ..Selection::default() };
    let (net, mask) = Pruner::new(Magnitude).with_selection(embeddings).prune(net(&[]), half()).unwrap();
    assert_eq!(mask.summary()[0].path, "embedding.weight");
    mask.verify(&net).unwrap();
}

#[test]
fn other_float_types_stay_what_they_are() {
    let mut net = net(&[Rows::noise(16, 24, 3)]);
    net.layers[0].weight = net.layers[0].weight.clone().map(|w| w.cast(DType::F16));
    let before = rows(&net);
    let (pruned, mask) = Pruner::new(Magnitude).prune(net, half()).unwrap();
    assert_eq!(pruned.layers[0].weight.val().dtype(), DType::F16);
    mask.verify(&pruned).unwrap();
    let layer = mask.get("layers.0.weight").unwrap();
    let after = rows(&pruned);
    assert_eq!(layer.removed(), 192);
    for i in (0..384).filter(|i| layer.keeps(i / 24, i % 24)) {
        assert_eq!(after[0].values[i].to_bits(), before[0].values[i].to_bits());
    }
}

#[test]
fn broken_weights_are_named() {
    for bad in [f32::NAN, f32::INFINITY, f32::NEG_INFINITY] {
        let mut broken = Rows::noise(300, 300, 1);
        broken.values[250 * 300 + 7] = bad;
        broken.values[299 * 300] = bad;
        let net = net(&[Rows::noise(4, 4, 1), broken]);
        let mut messages = Vec::new();
        for scope in [Scope::Global, Scope::Layer, Scope::Row] {
            messages.push(Pruner::new(Magnitude).with_scope(scope).mask(&net, half()).unwrap_err().to_string());
        }
        let random = Pruner::new(Random { seed: Seed(1) });
        messages.push(random.mask(&net, half()).unwrap_err().to_string());
        messages.push(random.mask(&net, NofM::new(2, 4).unwrap()).unwrap_err().to_string());
        for message in messages {
            assert!(message.contains("layers.1.weight") && message.contains("[250, 7]"), "{message}");
        }
    }
}

struct Hole;

impl Score for Hole {
    fn name(&self) -> &'static str {
        "hole"
    }

    fn score(&self, _: &WeightRef<'_>, range: Range<usize>, scores: &mut [f32]) -> Result<(), PruneError> {
        for (score, index) in scores.iter_mut().zip(range) {
            *score = if index == 9 { f32::NAN } else { f32::INFINITY };
        }
        Ok(())
    }
}

#[test]
fn scores_that_are_not_numbers_are_named() {
    let net = net(&[Rows::noise(4, 4, 1)]);
    let message = Pruner::new(Hole).mask(&net, half()).unwrap_err().to_string();
    assert!(["hole", "layers.0.weight", "[2, 1]"].iter().all(|part| message.contains(part)), "{message}");
}

#[test]
fn m_must_divide_the_inputs() {
    let net = net(&[Rows::noise(4, 8, 1), Rows::noise(4, 6, 1)]);
    let message = Pruner::new(Magnitude).mask(&net, NofM::new(2, 4).unwrap()).unwrap_err().to_string();
    assert!(["layers.1.weight", " 6 ", " 4,", "2:4"].iter().all(|part| message.contains(part)), "{message}");
}

#[test]
fn an_empty_selection_is_an_error() {
    let nothing = Selection::of(ParamGroup::from_path("nowhere"));
    let pruner = Pruner::new(Magnitude).with_selection(nothing.clone());
    let net = net(&[Rows::noise(4, 4, 1)]);
    assert!(matches!(pruner.mask(&net, half()), Err(PruneError::NothingSelected)));
    assert!(matches!(pruner.mask(&net, NofM::new(2, 4).unwrap()), Err(PruneError::NothingSelected)));
    assert!(matches!(Mask::of_zeros(&net, &nothing), Err(PruneError::NothingSelected)));
}

#[test]
fn masks_of_other_modules_are_refused() {
    let net = net(&[Rows::noise(4, 4, 1)]);
    let mask = |path: &str, d_in| Mask::from_iter([(path.to_string(), LayerMask::all_kept(4, d_in))]);
    let message = mask("layers.7.weight", 4).apply(net.clone()).unwrap_err().to_string();
    assert!(message.contains("layers.7.weight"), "{message}");
    let message = mask("layers.0.weight", 5).apply(net.clone()).unwrap_err().to_string();
    assert!(message.contains("[4, 5]") && message.contains("[4, 4]"), "{message}");
    assert!(mask("a", 4).union(&mask("a", 5)).is_err());
    assert!(mask("a", 4).overlap(&mask("b", 5)).is_ok());
}

#[test]
fn verify_names_what_is_not_zero() {
    let net = net(&[Rows::new(2, 2, vec![1.0, 0.0, -0.0, 3.0])]);
    let diagonal = LayerMask::from_fn(2, 2, |output, input| output == input);
    Mask::from_iter([("layers.0.weight".to_string(), diagonal.clone())]).verify(&net).unwrap();
    assert_eq!(Mask::of_zeros(&net, &Selection::default()).unwrap().get("layers.0.weight"), Some(&diagonal));
    let nothing = LayerMask::from_fn(2, 2, |output, _| output == 0);
    let message = Mask::from_iter([("layers.0.weight".to_string(), nothing)]).verify(&net).unwrap_err().to_string();
    assert!(message.contains("[1, 1]") && message.contains('3'), "{message}");
}

#[test]
fn summaries_are_in_the_order_people_count() {
    let layers: Vec<Rows> = (0..12).map(|i| Rows::noise(2, 2, i)).collect();
    let mask = Pruner::new(Magnitude).with_scope(Scope::Layer).mask(&net(&layers), half()).unwrap();
    let summary = mask.summary();
    let paths: Vec<_> = summary.iter().map(|line| line.path.as_str()).collect();
    assert_eq!((paths[1], paths[2], paths[10]), ("layers.1.weight", "layers.2.weight", "layers.10.weight"));
    assert!(summary.iter().all(|line| line.sparsity() == 0.5));
}

#[test]
fn files_that_are_no_masks_are_refused() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("mask");
    let message = Mask::load(&file).unwrap_err().to_string();
    assert!(message.contains("mask") && matches!(Mask::load(&file), Err(PruneError::Io { .. })), "{message}");
    let mask = Pruner::new(Magnitude).mask(&net(&[Rows::noise(3, 5, 1)]), half()).unwrap();
    mask.save(&file).unwrap();
    let whole = std::fs::read(&file).unwrap();
    for length in 0..whole.len() {
        std::fs::write(&file, &whole[..length]).unwrap();
        assert!(matches!(Mask::load(&file), Err(PruneError::Format { .. })), "{length}");
    }
    let text = |from: &str, to: &str| {
        let at = whole.windows(from.len()).position(|w| w == from.as_bytes()).unwrap();
        [&whole[..at], to.as_bytes(), &whole[at + from.len()..]].concat()
    };
    for (from, to, why) in [
        ("\"version\":\"1\"", "\"version\":\"2\"", "version 2"),
        ("junkdna-mask", "junkdna-musk", "junkdna-mask"),
        ("\"3x5\"", "\"9x5\"", "9x5"),
        ("\"3x5\"", "\"3by\"", "3by"),
    ] {
        std::fs::write(&file, text(from, to)).unwrap();
        let message = Mask::load(&file).unwrap_err().to_string();
        assert!(message.contains(why), "{message}");
    }
    assert!(mask.save(folder.path().join("no/such/folder")).is_err());
}

fn train(mut net: Net, device: &Device) -> Net {
    let mut optimizer = AdamConfig::new().init();
    for step in 0..5 {
        let x = Tensor::<2>::full([1, 8], 1.0 + step as f32, device);
        let y = net.layers.iter().fold(x, |x, layer| layer.forward(x));
        let gradients = GradientsParams::from_grads(y.powf_scalar(2.0).sum().backward(), &net);
        net = optimizer.step(0.1, net, gradients);
    }
    net
}

#[test]
fn attached_masks_survive_training_and_applied_ones_do_not() {
    let device = Device::flex().autodiff();
    let layers = [Rows::noise(16, 8, 1), Rows::noise(4, 16, 2)];
    let dense = net_on(&device, &layers);
    let mask = Pruner::new(Magnitude).mask(&dense, half()).unwrap();

    let attached = train(mask.attach(dense.clone()).unwrap(), &device);
    mask.verify(&attached).unwrap();
    let plain = attached.clone().materialize();
    mask.verify(&plain).unwrap();
    let survivor_moved =
        |net: &Net| rows(net)[0].values.iter().zip(&layers[0].values).any(|(a, b)| *a != 0.0 && a != b);
    assert!(survivor_moved(&plain), "survivors train");
    assert_eq!(plain.num_params(), dense.num_params());

    let applied = train(mask.apply(dense.clone()).unwrap(), &device);
    assert!(matches!(mask.verify(&applied), Err(PruneError::NotZero { .. })), "a mask that is only applied grows back");

    let message = mask.attach(attached).unwrap_err().to_string();
    assert!(message.contains("layers.0.weight") && message.contains("keep_mask"), "{message}");
}
