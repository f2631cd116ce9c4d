//! Sizes are those of the tensors that are stored, and widths and sparsities of one size go together.

use junkdna_backend::HostMatrix;
use junkdna_quant::{
    CodeFormat, Codes, Granularity, QuantError, RoundToNearest, ScaleDtype, Scheme, SizeMatch, SparseFormat, ZeroPoint,
};
use proptest::prelude::*;
use proptest::sample::select;

fn schemes(size: usize) -> impl Strategy<Value = Scheme> {
    let granularity = select(vec![Granularity::Tensor, Granularity::Channel, Granularity::Group(size)]);
    let scales = select(vec![ScaleDtype::F32, ScaleDtype::F16, ScaleDtype::BF16, ScaleDtype::UE8M0]);
    (2u8..=8, any::<bool>(), granularity, scales).prop_map(|(bits, symmetric, granularity, scales)| {
        Scheme::new(bits, symmetric, granularity).unwrap().with_scales(scales).unwrap()
    })
}

/// Matrices whose inputs `size` divides, and a scheme.
fn case() -> impl Strategy<Value = (Vec<[usize; 2]>, Scheme)> {
    select(vec![1usize, 3, 8, 32]).prop_flat_map(|size| {
        let shape = (1usize..40, 1usize..9).prop_map(move |(d_out, groups)| [d_out, groups * size]);
        (prop::collection::vec(shape, 1..5), schemes(size))
    })
}

fn quantized([d_out, d_in]: [usize; 2], scheme: Scheme) -> junkdna_quant::Quantized {
    let values = (0..d_out * d_in).map(|i| (i as f32 * 0.7).sin()).collect();
    RoundToNearest::new(scheme).quantize(&HostMatrix::new(values, d_out, d_in)).unwrap()
}

proptest! {
    #[test]
    fn packed_codes_take_the_bytes_of_their_tensors((shapes, scheme) in case()) {
        for shape in shapes {
            let quantized = quantized(shape, scheme);
            let tensors = quantized.to_pack_quantized().unwrap();
            let bytes: usize = tensors.iter().map(|(_, tensor)| tensor.as_bytes().len()).sum();
            prop_assert_eq!(CodeFormat::PackQuantized.bytes(&scheme, shape).unwrap(), bytes);
            prop_assert_eq!(quantized.file_bytes(CodeFormat::PackQuantized).unwrap(), bytes);
            let bytes = quantized.to_int_quantized().map(|tensors| tensors.iter().map(|(_, t)| t.as_bytes().len()).sum());
            prop_assert_eq!(quantized.file_bytes(CodeFormat::IntQuantized), bytes);
        }
    }

    /// A mask is a bit for each weight beside the codes of those that are kept.
    #[test]
    fn codes_of_kept_weights_take_a_mask_more((shapes, scheme) in case(), share in 0.0f64..=1.0) {
        for [d_out, d_in] in shapes {
            let weights = d_out * d_in;
            let mask = weights.div_ceil(8);
            let all = scheme.bytes(d_out, d_in).unwrap();
            prop_assert_eq!(scheme.sparse_bytes([d_out, d_in], weights).unwrap(), all + mask);
            let removed = (share * weights as f64) as usize;
            let kept = scheme.sparse_bytes([d_out, d_in], weights - removed).unwrap();
            let saved = (all + mask - kept) as f64 - (removed * usize::from(scheme.bits())) as f64 / 8.0;
            prop_assert!(saved.abs() < 1.0, "{}", saved);
        }
    }

    #[test]
    fn blocks_take_their_bytes(d_out in 1usize..9, blocks in 1usize..5, kind in 0usize..4) {
        let zero_points = [ZeroPoint::Middle, ZeroPoint::Middle, ZeroPoint::Code, ZeroPoint::Real];
        let codes = Codes::Integer { bits: if kind == 0 { 8 } else { 4 }, zero_point: zero_points[kind] };
        let scheme = Scheme::of(codes, Granularity::Group(32)).unwrap();
        let quantized = quantized([d_out, 32 * blocks], scheme);
        let (_, bytes) = quantized.to_gguf().unwrap();
        prop_assert_eq!(quantized.file_bytes(CodeFormat::Gguf).unwrap(), bytes.len());
    }

    /// From a width to the sparsity of its size and back: a width of that size.
    #[test]
    fn a_width_comes_back((shapes, scheme) in case()) {
        let sizes = SizeMatch::new(shapes, SparseFormat::Bitmask, CodeFormat::PackQuantized, scheme).unwrap();
        for bits in 2..=8 {
            let bytes = sizes.quantized_bytes(bits).unwrap();
            let Some(sparsity) = sizes.sparsity(bytes) else { continue };
            prop_assert!((0.0..=1.0).contains(&sparsity));
            // A weight that is kept takes two bytes.
            prop_assert!(sizes.pruned_bytes(sparsity).abs_diff(bytes) < 2);
            // Rows of few codes take as many words in two widths.
            let (_, back) = sizes.width(sparsity);
            prop_assert!(back.abs_diff(bytes) < 2, "{} bits: {} bytes, then {}", bits, bytes, back);
        }
    }

    /// From a sparsity to the width of its size and back: within half a step between two widths, in the range of widths.
    #[test]
    fn a_sparsity_comes_back_within_a_step((shapes, scheme) in case(), sparsity in 0.0f64..1.0) {
        let sizes = SizeMatch::new(shapes, SparseFormat::Bitmask, CodeFormat::PackQuantized, scheme).unwrap();
        let all: Vec<usize> = (2..=8).map(|bits| sizes.quantized_bytes(bits).unwrap()).collect();
        let (bits, bytes) = sizes.width(sparsity);
        prop_assert_eq!(sizes.quantized_bytes(bits), Some(bytes));
        let wanted = sizes.pruned_bytes(sparsity);
        if (all[0]..=all[6]).contains(&wanted) {
            let step = all.windows(2).map(|pair| pair[1] - pair[0]).max().unwrap();
            prop_assert!(2 * bytes.abs_diff(wanted) <= step);
            if let Some(back) = sizes.sparsity(bytes) {
                let off = (back - sparsity).abs() * 2.0 * sizes.weights() as f64;
                prop_assert!(off <= step as f64 / 2.0 + 3.0, "{} came back as {}", sparsity, back);
            }
        } else {
            let end = if wanted < all[0] { all[0] } else { all[6] };
            prop_assert_eq!(bytes, end);
        }
    }

    #[test]
    fn more_sparsity_is_never_more_bits((shapes, scheme) in case(), a in 0.0f64..1.0, b in 0.0f64..1.0) {
        let sizes = SizeMatch::new(shapes, SparseFormat::Bitmask, CodeFormat::PackQuantized, scheme).unwrap();
        let (less, more) = (a.min(b), a.max(b));
        prop_assert!(sizes.pruned_bytes(less) >= sizes.pruned_bytes(more));
        prop_assert!(sizes.width(less).0 >= sizes.width(more).0);
        let of = |bits| sizes.quantized_bytes(bits).and_then(|bytes| sizes.sparsity(bytes));
        let sparsities: Vec<f64> = (2..=8).filter_map(of).collect();
        prop_assert!(sparsities.windows(2).all(|pair| pair[0] >= pair[1]));
    }
}

#[test]
fn the_matches_of_a_matrix_by_hand() {
    // 256 x 512 weights: 256 rows of 64 bytes of mask and 8 of offset, and 16 bytes of shape.
    let shapes = vec![[256, 512]];
    let channel = Scheme::new(4, true, Granularity::Channel).unwrap();
    let sizes = |sparse| SizeMatch::new(shapes.clone(), sparse, CodeFormat::PackQuantized, channel).unwrap();
    let any = sizes(SparseFormat::Bitmask);
    assert_eq!(any.pruned_bytes(0.5), 256 * (64 + 8) + 16 + 256 * 512);
    assert_eq!(any.quantized_bytes(4), Some(256 * 256 + 2 * 256 + 16));
    // 1.14 bits beside 16 for each weight kept, against 8.03.
    let sparsity = any.sparsity(any.quantized_bytes(8).unwrap()).unwrap();
    assert!((sparsity - (1.0 - (8.0 + 2.0 / 64.0 - 72.0 / 64.0) / 16.0)).abs() < 1e-4, "{sparsity}");
    assert_eq!(any.width(sparsity).0, 8);
    assert_eq!(any.width(0.0).0, 8);
    assert_eq!(any.width(1.0).0, 2);
    // With every weight kept it is larger than any codes; with none smaller.
    assert_eq!(any.sparsity(any.pruned_bytes(0.0) + 2), None);
    assert_eq!(any.sparsity(any.pruned_bytes(1.0)), Some(1.0));
    assert_eq!(any.sparsity(any.pruned_bytes(1.0) - 1), None);

    let two_of_four = sizes(SparseFormat::TwoOfFour);
    assert_eq!(two_of_four.pruned_bytes(0.5), 256 * 64 + 16 + 256 * 512);
    assert_eq!(two_of_four.width(0.5).0, 8);
    assert_eq!(two_of_four.sparsity(two_of_four.pruned_bytes(0.5)), Some(0.5));
    assert_eq!(two_of_four.sparsity(two_of_four.pruned_bytes(0.5) + 1), None);
}

#[test]
fn what_a_format_does_not_have_is_no_width_of_it() {
    let shapes = vec![[4, 64]];
    let sizes = |codes, scheme| SizeMatch::new(shapes.clone(), SparseFormat::Bitmask, codes, scheme);
    let blocks = Scheme::new(3, true, Granularity::Group(32)).unwrap();
    let gguf = sizes(CodeFormat::Gguf, blocks).unwrap();
    let has: Vec<u8> = (2..=8).filter(|&bits| gguf.quantized_bytes(bits).is_some()).collect();
    assert_eq!(has, [4, 8]);
    assert_eq!(gguf.quantized_bytes(8), Some(4 * 2 * 34));
    let channel = Scheme::new(4, true, Granularity::Channel).unwrap();
    assert!(matches!(sizes(CodeFormat::Gguf, channel), Err(QuantError::NotGguf { .. })));
    let book = Scheme::of(Codes::Nf4, Granularity::Channel).unwrap();
    assert!(sizes(CodeFormat::PackQuantized, book).is_err());
    let odd = Scheme::new(4, true, Granularity::Group(48)).unwrap();
    assert_eq!(sizes(CodeFormat::PackQuantized, odd).unwrap_err(), QuantError::GroupSize { d_in: 64, group_size: 48 });
}
