//! Dropout (Srivastava et al. 2014) that a seed decides.

use crate::Seed;
use burn::tensor::{Tensor, TensorData};

/// Sets each element to zero with this probability and scales the others by 1 / (1 - probability).
///
/// Which elements go depends on the seed and their place alone, not on the device, the number of threads or what was
/// drawn before: training resumed from a checkpoint drops what it would have dropped.
pub fn dropout<const D: usize>(x: Tensor<D>, probability: f64, seed: Seed) -> Tensor<D> {
    if probability == 0.0 {
        return x;
    }
    let scales = scales(x.shape().num_elements(), probability, seed);
    let scales = Tensor::<D>::from_data(TensorData::new(scales, x.shape()), &x.device());
    x * scales
}

/// What the element of an index is multiplied by: 0 for what goes, the scale for what stays.
#[inline(always)]
pub(super) fn scale_of(probability: f64) -> impl Fn(Seed, u64) -> f32 + Copy + Send + Sync {
    let keep = (1.0 / (1.0 - probability)) as f32;
    let below = (probability * 2f64.powi(32)) as u32;
    #[inline(always)]
    move |seed, index| if seed.draw(index) >= below { keep } else { 0.0 }
}

fn scales(elements: usize, probability: f64, seed: Seed) -> Vec<f32> {
    use rayon::prelude::*;
    const CHUNK: usize = 1 << 14;
    let scale = scale_of(probability);
    let mut scales = vec![0.0; elements];
    scales.par_chunks_mut(CHUNK).enumerate().for_each(|(chunk, scales)| {
        let first = (chunk * CHUNK) as u64;
        scales.iter_mut().zip(first..).for_each(|(s, index)| *s = scale(seed, index));
    });
    scales
}

#[cfg(all(test, feature = "flex"))]
mod tests {
    use super::*;
    use burn::tensor::Device;

    #[test]
    fn the_share_and_the_mean_are_right_and_the_seed_decides() {
        let ones = Tensor::<2>::ones([200, 500], &Device::flex());
        let drop = |seed| dropout(ones.clone(), 0.3, Seed(seed)).into_data().try_to_vec::<f32>().unwrap();
        let dropped = drop(1);
        let zeros = dropped.iter().filter(|&&x| x == 0.0).count() as f64 / 1e5;
        assert!((zeros - 0.3).abs() < 0.01, "{zeros}");
        assert!((dropped.iter().sum::<f32>() / 1e5 - 1.0).abs() < 0.01);
        assert_eq!(dropped, drop(1));
        assert_ne!(dropped, drop(2));
    }

    #[test]
    fn gradients_are_dropped_alike() {
        let x = Tensor::<1>::ones([64], &Device::flex().autodiff()).require_grad();
        let y = dropout(x.clone(), 0.5, Seed(3));
        let gradients = y.clone().sum().backward();
        let gradient = x.grad(&gradients).unwrap();
        assert_eq!(gradient.into_data(), y.inner().into_data());
    }
}
