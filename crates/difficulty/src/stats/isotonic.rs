use crate::StatsError;

/// Weighted least-squares fit that never falls, by pooling adjacent violators in linear time (Ayer et al. 1955, "An
/// empirical distribution function for sampling with incomplete information", Ann. Math. Statist. 26; Barlow et al.
/// 1972, "Statistical Inference under Order Restrictions"). With binomial proportions as values and trials as weights
/// it is also the maximum-likelihood fit.
///
/// # Errors
/// No values, lists of different lengths, values that are not finite, weights that are not positive.
pub fn isotonic(values: &[f64], weights: &[f64]) -> Result<Vec<f64>, StatsError> {
    check(values, weights)?;
    let mut blocks: Vec<Block> = Vec::with_capacity(values.len());
    for (&value, &weight) in values.iter().zip(weights) {
        let mut block = Block { total: value * weight, weight, length: 1 };
        while let Some(previous) = blocks.pop_if(|previous| previous.mean() >= block.mean()) {
            block = previous.with(&block);
        }
        blocks.push(block);
    }
    Ok(blocks.iter().flat_map(|block| std::iter::repeat_n(block.mean(), block.length)).collect())
}

/// Neighbours with one fitted value.
struct Block {
    total: f64,
    weight: f64,
    length: usize,
}

impl Block {
    fn mean(&self) -> f64 {
        self.total / self.weight
    }

    fn with(&self, other: &Self) -> Self {
        Self { total: self.total + other.total, weight: self.weight + other.weight, length: self.length + other.length }
    }
}

fn check(values: &[f64], weights: &[f64]) -> Result<(), StatsError> {
    let what = "isotonic regression";
    if values.is_empty() {
        return Err(StatsError::Empty { what: format!("values of {what}") });
    }
    if values.len() != weights.len() {
        let (expected, found) = (values.len(), weights.len());
        return Err(StatsError::Ragged { what: what.to_owned(), row: 1, expected, found });
    }
    for (index, (&value, &weight)) in values.iter().zip(weights).enumerate() {
        StatsError::finite(&format!("value {index} of {what}"), value)?;
        StatsError::positive(&format!("weight {index} of {what}"), weight)?;
    }
    Ok(())
}
