//! Batches made by other threads, a little ahead of their use.

use std::sync::mpsc::sync_channel;

use tch::Device;

/// A GPU is done with a batch sooner than one thread has made the next; a CPU needs its cores for the network.
fn threads(device: Device) -> usize {
    if device.is_cuda() { 4 } else { 1 }
}

/// Calls `consume` with what `prepare` makes of each item, in their order. What is not consumed is not all prepared.
pub(crate) fn ahead<T: Sync, P: Send, R>(
    items: &[T],
    device: Device,
    prepare: impl Fn(&T) -> P + Sync,
    consume: impl FnOnce(&mut dyn Iterator<Item = P>) -> R,
) -> R {
    let (threads, prepare) = (threads(device), &prepare);
    std::thread::scope(|scope| {
        let lanes: Vec<_> = (0..threads)
            .map(|lane| {
                let (send, receive) = sync_channel(1);
                let mut mine = items.iter().skip(lane).step_by(threads);
                // Once nobody wants more, the receiver is gone and sending fails.
                scope.spawn(move || mine.all(|item| send.send(prepare(item)).is_ok()));
                receive
            })
            .collect();
        consume(&mut (0..items.len()).map_while(move |i| lanes[i % threads].recv().ok()))
    })
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicUsize, Ordering};

    use super::*;

    #[test]
    fn order_is_kept_and_work_ends_with_its_use() {
        let items: Vec<usize> = (0..1000).collect();
        for device in [Device::Cpu, Device::Cuda(0)] {
            let made = AtomicUsize::new(0);
            let prepare = |item: &usize| {
                made.fetch_add(1, Ordering::Relaxed);
                item * 2
            };
            let all: Vec<usize> = ahead(&items, device, prepare, |made| made.collect());
            assert!(all.iter().zip(&items).all(|(made, item)| *made == item * 2) && all.len() == items.len());
            made.store(0, Ordering::Relaxed);
            assert_eq!(ahead(&items, device, prepare, |made| made.take(3).sum::<usize>()), 6);
            assert!(made.load(Ordering::Relaxed) < 20);
        }
    }
}
