//! Correlations of right and predicted numbers.

/// Pearson's r; NaN where one side does not vary.
pub fn pearson(x: &[f64], y: &[f64]) -> f64 {
    let n = x.len().min(y.len()) as f64;
    let mean = |values: &[f64]| values.iter().take(n as usize).sum::<f64>() / n;
    let (mx, my) = (mean(x), mean(y));
    let sum = |term: &dyn Fn(f64, f64) -> f64| x.iter().zip(y).map(|(a, b)| term(a - mx, b - my)).sum::<f64>();
    sum(&|a, b| a * b) / (sum(&|a, _| a * a).sqrt() * sum(&|_, b| b * b).sqrt())
}

/// Spearman's ρ: Pearson's r of the ranks, ties sharing the mean of theirs.
pub fn spearman(x: &[f64], y: &[f64]) -> f64 {
    pearson(&ranks(x), &ranks(y))
}

fn ranks(values: &[f64]) -> Vec<f64> {
    let mut order: Vec<usize> = (0..values.len()).collect();
    order.sort_by(|&a, &b| values[a].total_cmp(&values[b]));
    let mut ranks = vec![0.0; values.len()];
    let mut first = 0;
    for tied in order.chunk_by(|&a, &b| values[a] == values[b]) {
        let mean = first as f64 + (tied.len() as f64 + 1.0) / 2.0;
        tied.iter().for_each(|&i| ranks[i] = mean);
        first += tied.len();
    }
    ranks
}
