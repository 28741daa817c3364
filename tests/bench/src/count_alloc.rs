//! Counts the bytes that are allocated, for the metrics about size. The one file of the workspace with `unsafe` in it: an
//! allocator is an `unsafe impl`, and this one only passes on what it is asked.
//!
//! It counts what was asked for, without the allocator's own rounding, and only while [`live_bytes_during`] runs: at all
//! other times it costs a load and a branch, the same for us and for every peer.

#![expect(unsafe_code, reason = "a global allocator is an unsafe impl; it only delegates to the system's")]

use std::alloc::{GlobalAlloc, Layout, System};
use std::sync::atomic::{AtomicBool, AtomicIsize, Ordering::Relaxed};

static COUNTING: AtomicBool = AtomicBool::new(false);
static LIVE: AtomicIsize = AtomicIsize::new(0);

#[global_allocator]
static ALLOCATOR: Counting = Counting;

struct Counting;

/// How many bytes more are allocated after `make` than before it. What it returned is dropped after the count.
pub fn live_bytes_during<T>(make: impl FnOnce() -> T) -> isize {
    LIVE.store(0, Relaxed);
    COUNTING.store(true, Relaxed);
    let made = make();
    COUNTING.store(false, Relaxed);
    let live = LIVE.load(Relaxed);
    drop(made);
    live
}

fn count(bytes: isize) {
    if COUNTING.load(Relaxed) {
        LIVE.fetch_add(bytes, Relaxed);
    }
}

// SAFETY: every call is passed on to the system's allocator unchanged, so its promises hold for this one too.
unsafe impl GlobalAlloc for Counting {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        count(layout.size() as isize);
        // SAFETY: the caller keeps the contract of `GlobalAlloc::alloc`, which is that of the system's.
        unsafe { System.alloc(layout) }
    }

    unsafe fn dealloc(&self, at: *mut u8, layout: Layout) {
        count(-(layout.size() as isize));
        // SAFETY: `at` came from the system's allocator, by this one's `alloc`, with this layout.
        unsafe { System.dealloc(at, layout) }
    }

    unsafe fn realloc(&self, at: *mut u8, layout: Layout, size: usize) -> *mut u8 {
        count(size as isize - layout.size() as isize);
        // SAFETY: as for `dealloc`; the caller keeps the contract for the new size.
        unsafe { System.realloc(at, layout, size) }
    }
}
