//! The exact GELU (Hendrycks and Gimpel 2016).

use burn::tensor::{Tensor, activation};

/// x · Φ(x), elementwise, Φ the normal distribution function.
pub fn gelu<const D: usize>(x: Tensor<D>) -> Tensor<D> {
    #[cfg(all(feature = "flex", feature = "autodiff"))]
    return match super::fused::run(&on_flex::Gelu, [super::fused::any_rank(x)]) {
        Ok(y) => super::fused::of_rank(y),
        Err([x]) => activation::gelu(super::fused::of_rank(x)),
    };
    #[cfg(not(all(feature = "flex", feature = "autodiff")))]
    activation::gelu(x)
}

#[cfg(all(feature = "flex", feature = "autodiff"))]
mod on_flex {
    use crate::kernels::exp::exp;
    use crate::kernels::flex::{values, values_mut, vectorized};
    use crate::kernels::fused::Fused;
    use burn_flex::FlexTensor;
    use rayon::prelude::*;

    const CHUNK: usize = 1 << 13;

    #[derive(Debug, Clone)]
    pub(super) struct Gelu;

    impl Fused<1> for Gelu {
        /// The derivative.
        type State = FlexTensor;

        fn forward(&self, [mut x]: [FlexTensor; 1]) -> FlexTensor {
            values_mut(&mut x).par_chunks_mut(CHUNK).for_each(|x| {
                vectorized(
                    #[inline(always)]
                    || x.iter_mut().for_each(|x| *x *= cdf(*x)),
                );
            });
            x
        }

        fn tracked(&self, [mut x]: [FlexTensor; 1]) -> (FlexTensor, FlexTensor) {
            let mut y = FlexTensor::empty(x.layout().shape().clone(), x.dtype());
            let chunks = values_mut(&mut x).par_chunks_mut(CHUNK).zip(values_mut(&mut y).par_chunks_mut(CHUNK));
            chunks.for_each(|(x, y)| {
                vectorized(
                    #[inline(always)]
                    || {
                        for (x, y) in x.iter_mut().zip(y) {
                            let cdf = cdf(*x);
                            *y = *x * cdf;
                            *x = cdf + *x * density(*x);
                        }
                    },
                );
            });
            (y, x)
        }

        fn backward(&self, derivative: FlexTensor, mut gradient: FlexTensor) -> [FlexTensor; 1] {
            let chunks = values_mut(&mut gradient).par_chunks_mut(CHUNK).zip(values(&derivative).par_chunks(CHUNK));
            chunks.for_each(|(gradient, derivative)| gradient.iter_mut().zip(derivative).for_each(|(g, d)| *g *= d));
            [gradient]
        }
    }

    /// φ(x).
    #[inline(always)]
    fn density(x: f32) -> f32 {
        const SCALE: f32 = 0.5 * std::f32::consts::FRAC_1_SQRT_2 * std::f32::consts::FRAC_2_SQRT_PI; // 1 / √2π
        SCALE * exp(-0.5 * x * x)
    }

    /// Φ(x) = (1 + erf(x / √2)) / 2, with the rational approximation of erf that Eigen and XLA use.
    #[inline(always)]
    fn cdf(x: f32) -> f32 {
        let x = (x * std::f32::consts::FRAC_1_SQRT_2).clamp(-3.832_507, 3.832_507);
        let s = x * x;
        let p = 2.290_506_6e-4_f32.mul_add(s, 3.408_291_1e-3);
        let p = p.mul_add(s, 5.095_569_5e-2).mul_add(s, 1.852_083_2e-1).mul_add(s, std::f32::consts::FRAC_2_SQRT_PI);
        let q = (-1.179_160_3e-7_f32).mul_add(s, 2.354_796_6e-5).mul_add(s, 1.017_962_5e-3);
        let q = q.mul_add(s, 1.407_047e-2).mul_add(s, 1.109_850_5e-1).mul_add(s, 4.974_692_5e-1).mul_add(s, 1.0);
        0.5 + 0.5 * x * p / q
    }
}
