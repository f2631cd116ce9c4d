//! Sparsities that the user gives.

use crate::{PruneError, Sparsity, WeightRef};
use burn::module::{Module, ParamGroup};
use junkdna_backend::{Selection, Weight, weights};
use std::collections::BTreeSet;

pub(super) const NAME: &str = "by path";

/// For each of `weights` the sparsity of the first group that holds it.
pub(super) fn given<M: Module>(
    module: &M,
    rules: &[(ParamGroup, Sparsity)],
    selected: &[WeightRef<'_>],
) -> Result<Vec<Option<Sparsity>>, PruneError> {
    let mut given = vec![None; selected.len()];
    for (number, (group, sparsity)) in (1..).zip(rules) {
        let paths = paths(module, group);
        let held: Vec<usize> = (0..selected.len()).filter(|&i| paths.contains(selected[i].path)).collect();
        if held.is_empty() {
            let reason = format!("group {number} of {} holds none of the selected weights", rules.len());
            return Err(PruneError::InvalidAllocation { allocation: NAME, reason });
        }
        held.into_iter().for_each(|i| _ = given[i].get_or_insert(*sparsity));
    }
    Ok(given)
}

/// The weight matrices of a group; asked of the module, for a group may go by the parameters' ids.
fn paths<M: Module>(module: &M, group: &ParamGroup) -> BTreeSet<String> {
    let of_group = Selection { group: group.clone(), embeddings: true };
    weights(module, &of_group).into_iter().map(|Weight { path, .. }| path).collect()
}
