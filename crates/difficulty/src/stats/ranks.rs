//! Ranks with ties.

/// Ranks from 1; equal values share the mean of their ranks. Multiples of ½: sums are exact.
pub(crate) fn mid_ranks(values: &[f64]) -> Vec<f64> {
    let mut order: Vec<usize> = (0..values.len()).collect();
    order.sort_by(|&a, &b| values[a].total_cmp(&values[b]));
    let mut ranks = vec![0.0; values.len()];
    let mut below = 0;
    for tied in order.chunk_by(|&a, &b| values[a] == values[b]) {
        let rank = below as f64 + (tied.len() as f64 + 1.0) / 2.0;
        tied.iter().for_each(|&index| ranks[index] = rank);
        below += tied.len();
    }
    ranks
}

/// How often each different value occurs, in rising order of the values.
pub(crate) fn tie_sizes(values: &[f64]) -> Vec<usize> {
    let mut sorted = values.to_vec();
    sorted.sort_by(f64::total_cmp);
    sorted.chunk_by(|a, b| a == b).map(<[f64]>::len).collect()
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn ties_share_their_ranks() {
        assert_eq!(mid_ranks(&[3.0, 1.0, 3.0, -0.0, 0.0]), [4.5, 3.0, 4.5, 1.5, 1.5]);
        assert_eq!(tie_sizes(&[3.0, 1.0, 3.0, -0.0, 0.0]), [2, 1, 2]);
    }

    proptest! {
        #[test]
        fn ranks_are_counts(values in proptest::collection::vec((-4_i8..4).prop_map(f64::from), 0..20)) {
            for (rank, value) in mid_ranks(&values).into_iter().zip(&values) {
                let below = values.iter().filter(|other| *other < value).count() as f64;
                let equal = values.iter().filter(|other| *other == value).count() as f64;
                prop_assert_eq!(rank, below + f64::midpoint(equal, 1.0));
            }
        }
    }
}
