//! Dense where small, sparse where large.

/// The sparsity of each matrix `[d_out, d_in]`: ε (d_out + d_in) of its weights stay, at most all, with ε such that the overall
/// sparsity is met.
pub(super) fn sparsities(shapes: &[[usize; 2]], overall: f64) -> Vec<f64> {
    let layers: Vec<Layer> = shapes.iter().map(Layer::new).collect();
    let epsilon = epsilon(&layers, overall);
    layers
        .iter()
        .map(|layer| if layer.overflows(epsilon) { 0.0 } else { 1.0 - epsilon * layer.ends / layer.edges })
        .collect()
}

/// A matrix as a bipartite graph.
struct Layer {
    /// Neurons on both sides, d_out + d_in.
    ends: f64,
    /// Weights, d_out · d_in.
    edges: f64,
}

impl Layer {
    fn new([d_out, d_in]: &[usize; 2]) -> Self {
        Self { ends: (d_out + d_in) as f64, edges: (d_out * d_in) as f64 }
    }

    /// Whether at least all of its weights stay.
    fn overflows(&self, epsilon: f64) -> bool {
        epsilon * self.ends >= self.edges
    }
}

/// The factor at which the layers that do not overflow keep what the others leave of the total. It rises with every layer that
/// overflows, so such a layer never comes back.
fn epsilon(layers: &[Layer], overall: f64) -> f64 {
    let mut open: Vec<&Layer> = layers.iter().collect();
    let mut to_keep = (1.0 - overall) * layers.iter().map(|layer| layer.edges).sum::<f64>();
    loop {
        let epsilon = to_keep / open.iter().map(|layer| layer.ends).sum::<f64>();
        let (dense, rest): (Vec<_>, Vec<_>) = open.into_iter().partition(|layer| layer.overflows(epsilon));
        if rest.is_empty() {
            return f64::INFINITY; // everything stays everywhere
        }
        if dense.is_empty() {
            return epsilon;
        }
        to_keep -= dense.iter().map(|layer| layer.edges).sum::<f64>();
        open = rest;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_small_matrix_stays_dense_and_the_large_one_makes_up_for_it() {
        // Half of 16 + 1024: ε · 72 = 520 gives 57.8 of the 16 weights of the first, so it keeps 16, the second 504 of 1024.
        let sparsities = sparsities(&[[4, 4], [32, 32]], 0.5);
        assert_eq!(sparsities[0], 0.0);
        assert!((sparsities[1] - (1.0 - 504.0 / 1024.0)).abs() < 1e-15, "{sparsities:?}");
    }

    #[test]
    fn densities_follow_the_graph() {
        // 90 % of 24 · 24 + 12 · 48: both have 576 weights, and 48 and 60 neurons.
        let [a, b] = sparsities(&[[24, 24], [12, 48]], 0.9)[..] else { panic!() };
        assert!(((1.0 - a) / (1.0 - b) - 48.0 / 60.0).abs() < 1e-12);
        assert!((a + b - 1.8).abs() < 1e-12);
    }

    #[test]
    fn nothing_goes_at_zero() {
        assert_eq!(sparsities(&[[3, 5], [1, 1], [7, 2], [0, 4]], 0.0), [0.0; 4]);
    }
}
