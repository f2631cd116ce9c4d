/// What a score promises beyond what holds for all. True unless said otherwise.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Claims {
    /// A module whose weights are all multiplied by the same positive number has the same mask. Not so if a score compares
    /// weights with something that has a scale of its own.
    pub scale_invariant: bool,
    /// Reordering the outputs of a matrix reorders its mask likewise, ties aside. Not so if a score depends on the place.
    pub permutation_equivariant: bool,
    /// Pruning a module that is pruned already, to the same sparsity, changes nothing. Not so if a score prefers to remove
    /// large weights, or depends on what else is there.
    pub idempotent: bool,
}

impl Default for Claims {
    fn default() -> Self {
        Self { scale_invariant: true, permutation_equivariant: true, idempotent: true }
    }
}
