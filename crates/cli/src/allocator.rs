//! The memory of the process: Burn's CPU backend allocates large temporaries for every operation.
#![allow(unsafe_code)]

use libmimalloc_sys::{mi_option_set_default, mi_option_t};

#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

/// `mi_option_purge_delay`, which the bindings do not name: after how many milliseconds free pages go back to the system.
const PURGE_DELAY: mi_option_t = 15;

/// Free pages stay with the process, for the next temporary: to give them back and get them again, cleared, took a tenth of
/// the time of pruning with a Hessian. The variable `MIMALLOC_PURGE_DELAY` has the last word.
pub fn keep_pages() {
    // SAFETY: sets a number in a table, while no other thread runs.
    unsafe { mi_option_set_default(PURGE_DELAY, -1) };
}

#[cfg(test)]
mod tests {
    use super::*;
    use libmimalloc_sys::mi_option_get;

    #[test]
    fn the_option_is_the_delay() {
        // SAFETY: reads a number of a table.
        let delay = || unsafe { mi_option_get(PURGE_DELAY) };
        assert_eq!(delay(), 1000, "mimalloc's default");
        keep_pages();
        assert_eq!(delay(), -1);
    }
}
