//! Counts the bytes that this process has on the heap.
//!
//! What C libraries allocate is not counted. The counters are plain loads and stores, which is exact because the
//! bench has one thread, and costs next to nothing where it measures.

use std::alloc::{GlobalAlloc, Layout, System};
use std::sync::atomic::{AtomicUsize, Ordering::Relaxed};

struct Counting;

#[global_allocator]
static HEAP: Counting = Counting;

static LIVE: AtomicUsize = AtomicUsize::new(0);
static MOST: AtomicUsize = AtomicUsize::new(0);

/// Bytes on the heap now.
pub(crate) fn live() -> usize {
    LIVE.load(Relaxed)
}

/// The most bytes there have ever been on the heap.
pub(crate) fn most() -> usize {
    MOST.load(Relaxed)
}

fn count(new: usize, old: usize) {
    let live = LIVE.load(Relaxed).wrapping_add(new).wrapping_sub(old);
    LIVE.store(live, Relaxed);
    if live > MOST.load(Relaxed) {
        MOST.store(live, Relaxed);
    }
}

// SAFETY: each call is passed on to the system's allocator as it came in, and its answer is returned unchanged.
unsafe impl GlobalAlloc for Counting {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        count(layout.size(), 0);
        // SAFETY: the caller's promises are those that `System` asks for.
        unsafe { System.alloc(layout) }
    }

    unsafe fn alloc_zeroed(&self, layout: Layout) -> *mut u8 {
        count(layout.size(), 0);
        // SAFETY: as above.
        unsafe { System.alloc_zeroed(layout) }
    }

    unsafe fn dealloc(&self, ptr: *mut u8, layout: Layout) {
        count(0, layout.size());
        // SAFETY: as above; `ptr` came from `System`.
        unsafe { System.dealloc(ptr, layout) }
    }

    unsafe fn realloc(&self, ptr: *mut u8, layout: Layout, new_size: usize) -> *mut u8 {
        count(new_size, layout.size());
        // SAFETY: as above; `ptr` came from `System`.
        unsafe { System.realloc(ptr, layout, new_size) }
    }
}
