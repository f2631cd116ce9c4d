use crate::StatsError;

/// Holm's step-down adjusted p-values, in the order given (Holm 1979, "A simple sequentially rejective multiple test
/// procedure", Scand. J. Statist. 6): rejecting those at or below α keeps the family-wise error at α under any
/// dependence.
///
/// # Errors
/// [`StatsError::OutOfRange`] for a value that is no probability.
pub fn holm(p_values: &[f64]) -> Result<Vec<f64>, StatsError> {
    for (index, &value) in p_values.iter().enumerate() {
        if !(0.0..=1.0).contains(&value) {
            return Err(StatsError::OutOfRange { what: format!("p-value {index}"), value, range: "0 to 1" });
        }
    }
    let mut order: Vec<usize> = (0..p_values.len()).collect();
    order.sort_by(|&a, &b| p_values[a].total_cmp(&p_values[b]));
    let mut adjusted = vec![0.0; p_values.len()];
    let mut largest = 0.0_f64;
    for (rank, &index) in order.iter().enumerate() {
        let hypotheses_left = (p_values.len() - rank) as f64;
        largest = largest.max((p_values[index] * hypotheses_left).min(1.0));
        adjusted[index] = largest;
    }
    Ok(adjusted)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn matches_a_computation_by_hand() {
        // Sorted: 0.005 × 4, 0.01 × 3, 0.03 × 2, 0.04 × 1 raised to its predecessor.
        let adjusted = holm(&[0.01, 0.04, 0.03, 0.005]).unwrap();
        for (found, expected) in adjusted.iter().zip([0.03, 0.06, 0.06, 0.02]) {
            assert!((found - expected).abs() < 1e-15);
        }
    }

    #[test]
    fn rejects_what_is_no_probability() {
        assert!(holm(&[f64::NAN]).is_err());
        assert!(holm(&[1.5]).is_err());
        assert_eq!(holm(&[]), Ok(vec![]));
    }
}
