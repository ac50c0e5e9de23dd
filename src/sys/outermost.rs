//! A C++ exception that nobody catches must find the end of the stack, so that the C++ library calls its
//! terminate handler, and not one of our frames, which would end the process as a Rust error. And that handler,
//! in a child, reports and leaves with 1.

use std::ffi::CString;
use std::sync::atomic::{AtomicPtr, AtomicUsize, Ordering};

/// What a child runs.
pub(crate) type Function = unsafe extern "C-unwind" fn(usize, usize) -> i32;

// Whoever unwinds ends here: for the unwinder this function has no caller.
#[cfg(target_arch = "x86_64")]
core::arch::global_asm!(
    ".pushsection .text.libmp_outermost,\"ax\",@progbits",
    ".hidden libmp_outermost",
    ".globl libmp_outermost",
    ".type libmp_outermost,@function",
    "libmp_outermost:",
    ".cfi_startproc",
    ".cfi_undefined rip",
    "sub rsp, 8",
    "mov rax, rdi",
    "mov rdi, rsi",
    "mov rsi, rdx",
    "call rax",
    "add rsp, 8",
    "ret",
    ".cfi_endproc",
    ".size libmp_outermost, .-libmp_outermost",
    ".popsection",
);

#[cfg(target_arch = "aarch64")]
core::arch::global_asm!(
    ".pushsection .text.libmp_outermost,\"ax\",@progbits",
    ".hidden libmp_outermost",
    ".globl libmp_outermost",
    ".type libmp_outermost,@function",
    "libmp_outermost:",
    ".cfi_startproc",
    ".cfi_undefined x30",
    "stp x29, x30, [sp, #-16]!",
    "mov x9, x0",
    "mov x0, x1",
    "mov x1, x2",
    "blr x9",
    "ldp x29, x30, [sp], #16",
    "ret",
    ".cfi_endproc",
    ".size libmp_outermost, .-libmp_outermost",
    ".popsection",
);

// std::set_terminate by the name that every C++ compiler of this system gives it, 0 where the program has none. A weak
// reference: with it the linker also finds the one of a C++ library that is linked into the program.
core::arch::global_asm!(
    ".weak _ZSt13set_terminatePFvvE",
    ".pushsection .data.rel.ro.libmp_set_terminate,\"aw\",@progbits",
    ".balign 8",
    ".hidden libmp_set_terminate",
    ".globl libmp_set_terminate",
    ".type libmp_set_terminate,@object",
    "libmp_set_terminate:",
    ".quad _ZSt13set_terminatePFvvE",
    ".size libmp_set_terminate, .-libmp_set_terminate",
    ".popsection",
);

unsafe extern "C" {
    /// Written by the loader, and then never again.
    static libmp_set_terminate: usize;
    fn libmp_outermost(function: Function, a: usize, b: usize) -> i32;
}

/// Calls the function as if it were the first of the stack.
pub(crate) fn call(function: Function, a: usize, b: usize) -> i32 {
    // SAFETY: nothing unwinds out of the call, because nothing can be found beyond it; the caller's function takes
    // two words, as the C ABI passes them.
    unsafe { libmp_outermost(function, a, b) }
}

type Handler = Option<unsafe extern "C-unwind" fn()>;

/// The handler that was there before ours.
static BEFORE: AtomicUsize = AtomicUsize::new(0);
/// "Process NAME:" and a line's end.
static HEADLINE: AtomicPtr<libc::c_char> = AtomicPtr::new(std::ptr::null_mut());

/// std::set_terminate: 1 until it was looked for, 0 where the program has none.
static SET: AtomicUsize = AtomicUsize::new(1);

/// Before a fork: looks for the C++ library, which costs a child's fresh memory more. It may have been loaded since
/// the last time.
pub(crate) fn look() {
    if SET.load(Ordering::Relaxed) <= 1 {
        // SAFETY: the word is there, and does not change; the other looks a name up, which a library that was loaded
        // later may have brought.
        let set = unsafe {
            match libmp_set_terminate {
                0 => libc::dlsym(libc::RTLD_DEFAULT, c"_ZSt13set_terminatePFvvE".as_ptr()) as usize,
                linked => linked,
            }
        };
        SET.store(set, Ordering::Relaxed);
    }
}

/// In a child: an uncaught C++ exception is reported on stderr under this headline, and ends the process with 1.
/// Without a C++ library in the program there is nothing to do.
pub(crate) fn report_under(headline: impl FnOnce() -> CString) {
    if SET.load(Ordering::Relaxed) == 1 {
        look();
    }
    let set = SET.load(Ordering::Relaxed);
    if set == 0 {
        return;
    }
    HEADLINE.store(headline().into_raw(), Ordering::Relaxed);
    // SAFETY: the function of this name takes a handler and gives back the one before.
    let set: unsafe extern "C" fn(Handler) -> Handler = unsafe { std::mem::transmute(set) };
    // SAFETY: as above; our handler does not return.
    let before = unsafe { set(Some(terminated)) };
    let before = before.map_or(0, |f| f as usize);
    // A child of a child has it already.
    if before != terminated as *const () as usize {
        BEFORE.store(before, Ordering::Relaxed);
    }
}

/// The handler of before says what it was, and aborts, which is turned into an exit here.
unsafe extern "C-unwind" fn terminated() {
    let headline = HEADLINE.load(Ordering::Relaxed);
    // SAFETY: a string that is never freed; the rest are calls that an exit in progress may make. The handler of
    // before is the C++ library's or the program's.
    unsafe {
        libc::write(2, headline.cast(), libc::strlen(headline));
        libc::signal(libc::SIGABRT, aborted as extern "C" fn(libc::c_int) as libc::sighandler_t);
        let before: Handler = std::mem::transmute(BEFORE.load(Ordering::Relaxed));
        if let Some(before) = before {
            before();
        }
        libc::_exit(1);
    }
}

extern "C" fn aborted(_: libc::c_int) {
    // SAFETY: _exit may be called from a signal handler.
    unsafe { libc::_exit(1) }
}
