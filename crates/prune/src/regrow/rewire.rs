use crate::{Mask, PruneError};
use burn::module::Module;

/// The plain module for a mask that moved: zero where either mask removes, so at what was dropped and at what was grown.
/// What stays keeps its bits. [`Mask::attach`] the new mask next.
///
/// A weight that is grown has to start at zero, and its stored value need not be: under an attached mask it is hidden, not
/// fixed, and momentum or decay move it. An optimizer's own averages are not the module's and stay what they are; the
/// authors of RigL set those of grown weights to zero.
///
/// # Errors
/// [`PruneError::MissingParameter`] or [`PruneError::ShapeMismatch`].
pub fn rewire<M: Module>(module: M, before: &Mask, after: &Mask) -> Result<M, PruneError> {
    before.union(after)?.apply(module.materialize())
}
