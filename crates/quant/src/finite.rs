//! Weights that no range can hold are refused before anything is computed from them.

use crate::QuantError;
use junkdna_backend::HostMatrix;
use rayon::prelude::*;

/// 2^126: the range of a group of smaller weights, rounded outwards, is still a float.
const LIMIT: f32 = f32::MAX / 4.0;

/// Refuses NaN, infinities and weights from 2^126 on, naming the first.
pub(crate) fn check_finite(matrix: &HostMatrix) -> Result<(), QuantError> {
    let d_in = matrix.d_in().max(1);
    let bad_row =
        matrix.as_slice().par_chunks(d_in).position_first(|row| !row.iter().fold(true, |ok, &x| ok & holds(x)));
    match bad_row {
        None => Ok(()),
        Some(output) => Err(first_bad(matrix.row(output), output)),
    }
}

/// Also false for NaN.
#[inline]
fn holds(x: f32) -> bool {
    x.abs() <= LIMIT
}

fn first_bad(row: &[f32], output: usize) -> QuantError {
    let input = row.iter().position(|&x| !holds(x)).unwrap_or_default();
    QuantError::NotFinite { output, input, value: row[input] }
}
