//! Metrics of classification and regression.

/// The share of predictions that are right.
pub fn accuracy(predicted: &[usize], gold: &[usize]) -> f64 {
    let right = predicted.iter().zip(gold).filter(|(p, g)| p == g).count();
    right as f64 / gold.len().max(1) as f64
}

/// Matthews' correlation coefficient (1975), for any number of classes (Gorodkin 2004); 0 where one side is constant.
pub fn matthews(predicted: &[usize], gold: &[usize]) -> f64 {
    let classes = predicted.iter().chain(gold).max().map_or(0, |most| most + 1);
    let count = |values: &[usize]| {
        let mut counts = vec![0f64; classes];
        values.iter().for_each(|&value| counts[value] += 1.0);
        counts
    };
    let (n, p, g) = (gold.len() as f64, count(predicted), count(gold));
    let right = accuracy(predicted, gold) * n;
    let dot = |a: &[f64], b: &[f64]| a.iter().zip(b).map(|(a, b)| a * b).sum::<f64>();
    let scale = ((n * n - dot(&p, &p)) * (n * n - dot(&g, &g))).sqrt();
    if scale == 0.0 { 0.0 } else { (right * n - dot(&p, &g)) / scale }
}

/// The harmonic mean of precision and recall of class 1; 0 where neither is defined.
pub fn f1(predicted: &[usize], gold: &[usize]) -> f64 {
    let count =
        |f: &dyn Fn(usize, usize) -> bool| predicted.iter().zip(gold).filter(|&(&p, &g)| f(p, g)).count() as f64;
    let both = count(&|p, g| p == 1 && g == 1);
    let either = count(&|p, _| p == 1) + count(&|_, g| g == 1);
    if either == 0.0 { 0.0 } else { 2.0 * both / either }
}

/// Pearson's correlation; 0 where one side is constant.
pub fn pearson(a: &[f64], b: &[f64]) -> f64 {
    let mean = |x: &[f64]| x.iter().sum::<f64>() / x.len().max(1) as f64;
    let (mean_a, mean_b) = (mean(a), mean(b));
    let dot = |x: &[f64], mx: f64, y: &[f64], my: f64| x.iter().zip(y).map(|(x, y)| (x - mx) * (y - my)).sum::<f64>();
    let scale = (dot(a, mean_a, a, mean_a) * dot(b, mean_b, b, mean_b)).sqrt();
    if scale == 0.0 { 0.0 } else { dot(a, mean_a, b, mean_b) / scale }
}

/// Spearman's rank correlation, ties at their mean rank.
pub fn spearman(a: &[f64], b: &[f64]) -> f64 {
    pearson(&ranks(a), &ranks(b))
}

fn ranks(values: &[f64]) -> Vec<f64> {
    let mut order: Vec<usize> = (0..values.len()).collect();
    order.sort_by(|&i, &j| values[i].total_cmp(&values[j]));
    let mut ranks = vec![0.0; values.len()];
    for tied in order.chunk_by(|&i, &j| values[i] == values[j]) {
        let below = order.partition_point(|&i| values[i].total_cmp(&values[tied[0]]).is_lt());
        tied.iter().for_each(|&i| ranks[i] = below as f64 + (tied.len() as f64 + 1.0) / 2.0);
    }
    ranks
}

#[cfg(test)]
mod tests {
    use super::*;

    // Numbers of scikit-learn 1.9.1 and scipy 1.17.1.
    #[test]
    fn agree_with_scikit_learn() {
        let (predicted, gold) = ([1, 0, 1, 1, 0, 1, 0, 0], [1, 0, 0, 1, 1, 1, 0, 1]);
        assert!((accuracy(&predicted, &gold) - 0.625).abs() < 1e-12);
        assert!((f1(&predicted, &gold) - 2.0 / 3.0).abs() < 1e-12);
        assert!((matthews(&predicted, &gold) - 0.258_198_889_747_161_1).abs() < 1e-12);
        let (predicted, gold) = ([0, 2, 1, 0, 2, 1], [0, 1, 1, 0, 2, 2]);
        assert!((matthews(&predicted, &gold) - 0.5).abs() < 1e-12);
        let (a, b) = ([1.0, 2.0, 2.0, 4.0, 5.0], [2.0, 1.0, 3.0, 3.0, 6.0]);
        assert!((pearson(&a, &b) - 0.813_250_060_790_444_4).abs() < 1e-9);
        assert!((spearman(&a, &b) - 0.763_157_894_736_842).abs() < 1e-9);
    }

    #[test]
    fn constants_have_no_correlation() {
        assert_eq!(matthews(&[1, 1, 1], &[0, 1, 0]), 0.0);
        assert_eq!(spearman(&[1.0, 1.0], &[0.0, 1.0]), 0.0);
        assert_eq!(f1(&[0, 0], &[0, 0]), 0.0);
    }
}
