//! One page that the kernel wipes in a forked child. What lies in it is what a new process must not believe:
//! who it is, and which of its locks are held by threads that it does not have. A raw `clone` is noticed as
//! well, which `pthread_atfork` would miss, and asking costs one load (MADV_WIPEONFORK, Linux 4.14).

use super::futex::{self, Slept};
use crate::error::Result;
use std::sync::atomic::{AtomicPtr, AtomicU32, AtomicU64, Ordering};
use std::time::Duration;

/// The page's content. All zero is what a process sees that has not joined the tree yet.
#[repr(C, align(128))]
pub(crate) struct Page {
    /// What the tag of each valid handle carries beside the handle: changes with each fork, 0 before joining.
    pub(crate) epoch: AtomicU64,
    /// This process as an owner word (slot and generation), 0 before joining.
    pub(crate) me: AtomicU32,
    /// Keeps the words above on a line that no lock below touches.
    _apart: [u64; 14],
    /// Guards what is private to the process: its handles, its part of the ledger.
    pub(crate) private: Mutex,
    /// Guards which handles are free. Taken before `private` where both are.
    pub(crate) handles: Mutex,
    /// Guards what named objects this process has open. Taken after `handles` and before `private`.
    pub(crate) names: Mutex,
    /// Guards the list of descriptors that a child must not keep. Taken before `private` where both are.
    pub(crate) descriptors: Mutex,
    /// Guards what the process knows of itself and of its children. Taken before `descriptors` where both are.
    pub(crate) family: Mutex,
}

static NOT_JOINED: Page = Page {
    epoch: AtomicU64::new(0),
    me: AtomicU32::new(0),
    _apart: [0; 14],
    private: Mutex::new(),
    handles: Mutex::new(),
    names: Mutex::new(),
    descriptors: Mutex::new(),
    family: Mutex::new(),
};

static PAGE: AtomicPtr<Page> = AtomicPtr::new((&raw const NOT_JOINED).cast_mut());

/// The page. Before [`install`] it is one that reads as zero.
#[inline(always)]
pub(crate) fn page() -> &'static Page {
    // SAFETY: PAGE holds either the static or a mapping that is never unmapped. Relaxed is enough: both are
    // complete before their address is stored, and the mapped page is all zero until somebody joins.
    unsafe { &*PAGE.load(Ordering::Relaxed) }
}

/// Makes the page. Called by one thread at a time, and again in vain in a child, whose page is there already.
pub(crate) fn install() -> Result<()> {
    if !std::ptr::eq(page(), &raw const NOT_JOINED) {
        return Ok(());
    }
    let size = std::mem::size_of::<Page>().next_multiple_of(4096);
    // SAFETY: a fresh private mapping at an address of the kernel's choice; nothing else is touched.
    let at = unsafe {
        libc::mmap(
            std::ptr::null_mut(),
            size,
            libc::PROT_READ | libc::PROT_WRITE,
            libc::MAP_PRIVATE | libc::MAP_ANONYMOUS,
            -1,
            0,
        )
    };
    if at == libc::MAP_FAILED {
        return Err(super::last_error("cannot map a page for the process's state"));
    }
    // SAFETY: the range is the mapping made above.
    if unsafe { libc::madvise(at, size, libc::MADV_WIPEONFORK) } != 0 {
        let e = super::last_error("the kernel cannot wipe a page on fork (MADV_WIPEONFORK)");
        // SAFETY: nobody else knows of the mapping yet.
        unsafe { libc::munmap(at, size) };
        return Err(e);
    }
    PAGE.store(at.cast(), Ordering::Release);
    Ok(())
}

/// A mutex between the threads of one process, free again in a forked child whoever held it.
pub(crate) struct Mutex {
    /// 0 free, 1 held, 2 held and somebody may sleep.
    word: AtomicU32,
}

/// Holds the mutex until dropped.
pub(crate) struct MutexGuard<'a>(&'a Mutex);

impl Mutex {
    pub(crate) const fn new() -> Self {
        Mutex { word: AtomicU32::new(0) }
    }

    /// In a child in which no other thread can hold it: free.
    pub(crate) fn reset(&self) {
        self.word.store(0, Ordering::Relaxed);
    }

    pub(crate) fn lock(&self) -> MutexGuard<'_> {
        // Acquire pairs with the Release of the holder before: what it guards is seen complete.
        if self.word.compare_exchange(0, 1, Ordering::Acquire, Ordering::Relaxed).is_err() {
            self.lock_slowly();
        }
        MutexGuard(self)
    }

    #[cold]
    fn lock_slowly(&self) {
        for _ in 0..100 {
            if self.word.load(Ordering::Relaxed) == 0
                && self.word.compare_exchange(0, 1, Ordering::Acquire, Ordering::Relaxed).is_ok()
            {
                return;
            }
            std::hint::spin_loop();
        }
        while self.word.swap(2, Ordering::Acquire) != 0 {
            let _: Slept = futex::wait(&self.word, 2, Duration::from_secs(60));
        }
    }
}

impl Drop for MutexGuard<'_> {
    fn drop(&mut self) {
        if self.0.word.swap(0, Ordering::Release) == 2 {
            futex::wake(&self.0.word, 1);
        }
    }
}

/// A start-up step that one thread of a process does while the others wait. The word names the process, so
/// that a child forked in the middle of its parent's step does the step itself instead of waiting.
pub(crate) struct Turnstile {
    pid: AtomicU32,
}

impl Turnstile {
    pub(crate) const fn new() -> Self {
        Turnstile { pid: AtomicU32::new(0) }
    }

    /// Runs `step`; other threads of this process wait until it has ended.
    pub(crate) fn pass<T>(&self, step: impl FnOnce() -> Result<T>) -> Result<T> {
        let pid = std::process::id();
        loop {
            let holder = self.pid.load(Ordering::Relaxed);
            if holder != pid
                && self.pid.compare_exchange(holder, pid, Ordering::Acquire, Ordering::Relaxed).is_ok()
            {
                break;
            }
            std::thread::sleep(Duration::from_micros(50));
        }
        struct Leave<'a>(&'a AtomicU32);
        impl Drop for Leave<'_> {
            fn drop(&mut self) {
                self.0.store(0, Ordering::Release);
            }
        }
        let _leave = Leave(&self.pid);
        step()
    }
}
