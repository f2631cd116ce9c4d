//! Which parts of a module are quantized, and to how many bits each.

use crate::{QuantError, Scheme};
use burn::module::{Module, ParamGroup};
use junkdna_backend::{Selection, Weight, weights};
use std::collections::{BTreeMap, BTreeSet};

/// Which weights of a module are quantized, and which of them to another width than the scheme's.
#[derive(Debug, Clone, Default)]
pub struct Parts {
    selection: Selection,
    widths: Vec<(ParamGroup, u8)>,
}

impl From<Selection> for Parts {
    fn from(selection: Selection) -> Self {
        Self { selection, widths: Vec::new() }
    }
}

impl From<&Selection> for Parts {
    fn from(selection: &Selection) -> Self {
        selection.clone().into()
    }
}

impl From<&Parts> for Parts {
    fn from(parts: &Parts) -> Self {
        parts.clone()
    }
}

impl Parts {
    /// The weights of a group with `bits` to a code instead of the scheme's. Of several groups that hold a weight the first
    /// decides.
    pub fn with_bits(mut self, group: ParamGroup, bits: u8) -> Self {
        self.widths.push((group, bits));
        self
    }

    /// Which weights.
    pub fn selection(&self) -> &Selection {
        &self.selection
    }

    /// The selected weights, and the scheme of each by parameter path.
    ///
    /// # Errors
    /// If nothing is selected, a width is not 2 to 8 or for a codebook, or one is for weights that are not selected.
    pub(crate) fn schemes<M: Module>(
        &self,
        module: &M,
        scheme: Scheme,
    ) -> Result<(Vec<Weight>, BTreeMap<String, Scheme>), QuantError> {
        let selected = weights(module, &self.selection);
        if selected.is_empty() {
            return Err(QuantError::NothingSelected);
        }
        let mut schemes: BTreeMap<String, Scheme> = BTreeMap::new();
        for (number, (group, bits)) in (1..).zip(&self.widths) {
            let other = scheme.with_bits(*bits)?;
            let held = paths(module, group);
            let held: Vec<&Weight> = selected.iter().filter(|weight| held.contains(&weight.path)).collect();
            if held.is_empty() {
                return Err(QuantError::NoSuchWeights { number, bits: *bits });
            }
            held.into_iter().for_each(|weight| _ = schemes.entry(weight.path.clone()).or_insert(other));
        }
        selected.iter().for_each(|weight| _ = schemes.entry(weight.path.clone()).or_insert(scheme));
        Ok((selected, schemes))
    }
}

/// The weight matrices of a group; asked of the module, for a group may go by the parameters' ids.
fn paths<M: Module>(module: &M, group: &ParamGroup) -> BTreeSet<String> {
    let of_group = Selection { group: group.clone(), embeddings: true };
    weights(module, &of_group).into_iter().map(|Weight { path, .. }| path).collect()
}
