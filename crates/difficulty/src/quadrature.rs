//! Integrals against the standard normal density.

/// A point and its share of the density.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) struct Node {
    pub(crate) at: f64,
    pub(crate) weight: f64,
}

/// Gauss–Hermite nodes for ∫ f(z) φ(z) dz ≈ Σ weight f(at), exact for polynomials below degree 2 `count` (Abramowitz
/// and Stegun 1964, 25.4.46, scaled to the normal density). The zeros of one orthonormal polynomial separate those of
/// the next, which brackets them all.
pub(crate) fn gauss_hermite(count: usize) -> Vec<Node> {
    let mut zeros: Vec<f64> = Vec::new();
    for degree in 1..=count {
        let bound = 2.0 * (degree as f64).sqrt() + 1.0;
        let mut ends = vec![-bound];
        ends.append(&mut zeros);
        ends.push(bound);
        zeros = ends.windows(2).map(|pair| zero(degree, pair[0], pair[1])).collect();
    }
    let node = |at: f64| Node { at, weight: 1.0 / hermite(count, at).iter().map(|h| h * h).sum::<f64>() };
    zeros.into_iter().map(node).collect()
}

/// Values of the Hermite polynomials of degree below `count` that are orthonormal under φ.
fn hermite(count: usize, x: f64) -> Vec<f64> {
    let mut values = vec![1.0];
    for degree in 1..count {
        let j = degree as f64;
        let before = if degree < 2 { 0.0 } else { values[degree - 2] };
        values.push((x * values[degree - 1] - (j - 1.0).sqrt() * before) / j.sqrt());
    }
    values
}

/// The only zero between two points, by bisection down to neighbouring numbers.
fn zero(degree: usize, mut low: f64, mut high: f64) -> f64 {
    let value = |x: f64| hermite(degree + 1, x)[degree];
    let sign = value(low).signum();
    loop {
        let middle = f64::midpoint(low, high);
        if middle <= low || middle >= high {
            return middle;
        }
        *(if value(middle).signum() == sign { &mut low } else { &mut high }) = middle;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn agrees_with_numpy() {
        // numpy.polynomial.hermite_e.hermegauss(5): points, and weights over sqrt(2 pi).
        let nodes = gauss_hermite(5);
        let expected = [
            (-2.856_970_013_872_805_6, 0.011_257_411_327_720_691),
            (-1.355_626_179_974_266, 0.222_075_922_005_612_64),
            (0.0, 0.533_333_333_333_333_3),
        ];
        for (node, (at, weight)) in nodes.iter().zip(expected) {
            assert!((node.at - at).abs() < 1e-13 && (node.weight - weight).abs() < 1e-13, "{node:?}");
        }
    }

    #[test]
    fn moments_of_the_normal_are_exact() {
        for count in [1, 2, 9, 25, 61] {
            let nodes = gauss_hermite(count);
            let moment = |power: i32| nodes.iter().map(|node| node.weight * node.at.powi(power)).sum::<f64>();
            assert!((moment(0) - 1.0).abs() < 1e-12 && moment(1).abs() < 1e-12, "{count}");
            if count > 3 {
                assert!((moment(2) - 1.0).abs() < 1e-11 && (moment(6) - 15.0).abs() < 1e-9, "{count}");
            }
        }
    }
}
