//! Masks as sets of removed weights.
//!
//! A parameter that only one of two masks names counts as kept whole in the other.

use super::{LayerMask, Mask, share};
use crate::PruneError;

impl Mask {
    /// Removes what either removes.
    ///
    /// # Errors
    /// [`PruneError::ShapeMismatch`], as for all that takes two masks.
    pub fn union(&self, other: &Self) -> Result<Self, PruneError> {
        self.combine(other, |a, b| a & b)
    }

    /// Removes what both remove.
    ///
    /// # Errors
    /// [`PruneError::ShapeMismatch`].
    pub fn intersection(&self, other: &Self) -> Result<Self, PruneError> {
        self.combine(other, |a, b| a | b)
    }

    /// Removes what this removes and the other keeps.
    ///
    /// # Errors
    /// [`PruneError::ShapeMismatch`].
    pub fn difference(&self, other: &Self) -> Result<Self, PruneError> {
        self.combine(other, |a, b| a | !b)
    }

    /// How much two masks agree on what goes: removed by both over removed by either, 1 if neither removes anything.
    ///
    /// # Errors
    /// [`PruneError::ShapeMismatch`].
    pub fn overlap(&self, other: &Self) -> Result<f64, PruneError> {
        let either = self.union(other)?.removed();
        Ok(if either == 0 { 1.0 } else { share(self.intersection(other)?.removed(), either) })
    }

    /// Whether the other removes all that this removes.
    ///
    /// # Errors
    /// [`PruneError::ShapeMismatch`].
    pub fn is_nested_in(&self, other: &Self) -> Result<bool, PruneError> {
        Ok(self.difference(other)?.removed() == 0)
    }

    /// Word by word, on bits that stay.
    fn combine(&self, other: &Self, f: impl Fn(u64, u64) -> u64) -> Result<Self, PruneError> {
        let paths = self.layers.keys().chain(other.layers.keys().filter(|path| self.get(path).is_none()));
        let layer = |path: &String| {
            let combined = match (self.get(path), other.get(path)) {
                (Some(a), Some(b)) if a.shape() != b.shape() => {
                    let (path, expected, found) = (path.clone(), a.shape(), b.shape());
                    return Err(PruneError::ShapeMismatch { path, expected, found });
                }
                (Some(a), Some(b)) => a.combine(b, &f),
                (Some(a), None) => a.combine(&LayerMask::all_kept(a.d_out(), a.d_in()), &f),
                (None, Some(b)) => LayerMask::all_kept(b.d_out(), b.d_in()).combine(b, &f),
                (None, None) => LayerMask::all_kept(0, 0), // the path came from one of them
            };
            Ok((path.clone(), combined))
        };
        paths.map(layer).collect()
    }
}
