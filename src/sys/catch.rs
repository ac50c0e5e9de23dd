//! Calls a function of the program's from whose exceptions, C++'s or others', this process goes on. Rust's own catch
//! ends the process where it meets one of another language.
//!
//! The unwinder asks the frame's personality whether it takes the exception, and then returns into the frame at a
//! place of the personality's choice. Here the frame has one call only, takes everything, and has one such place.

use crate::error::{Result, fail};
use std::ffi::{c_int, c_void};

#[cfg(target_arch = "x86_64")]
core::arch::global_asm!(
    ".pushsection .text.libmp_catch,\"ax\",@progbits",
    ".hidden libmp_catch",
    ".globl libmp_catch",
    ".type libmp_catch,@function",
    "libmp_catch:",
    ".cfi_startproc",
    ".cfi_personality 0x9b, libmp_catch_personality_place",
    "push rbx",
    ".cfi_adjust_cfa_offset 8",
    ".cfi_rel_offset rbx, 0",
    "mov rbx, rcx",
    "mov rax, rdi",
    "mov rdi, rsi",
    "mov rsi, rdx",
    "call rax",
    "mov [rbx], rax",
    "xor eax, eax",
    ".hidden libmp_caught",
    ".globl libmp_caught",
    // With the exception in rax.
    "libmp_caught:",
    "pop rbx",
    ".cfi_adjust_cfa_offset -8",
    ".cfi_restore rbx",
    "ret",
    ".cfi_endproc",
    ".size libmp_catch, .-libmp_catch",
    ".popsection",
);

#[cfg(target_arch = "aarch64")]
core::arch::global_asm!(
    ".pushsection .text.libmp_catch,\"ax\",@progbits",
    ".hidden libmp_catch",
    ".globl libmp_catch",
    ".type libmp_catch,@function",
    "libmp_catch:",
    ".cfi_startproc",
    ".cfi_personality 0x9b, libmp_catch_personality_place",
    "stp x29, x30, [sp, #-32]!",
    ".cfi_def_cfa_offset 32",
    ".cfi_offset x29, -32",
    ".cfi_offset x30, -24",
    "str x19, [sp, #16]",
    ".cfi_offset x19, -16",
    "mov x19, x3",
    "mov x9, x0",
    "mov x0, x1",
    "mov x1, x2",
    "blr x9",
    "str x0, [x19]",
    "mov x0, #0",
    ".hidden libmp_caught",
    ".globl libmp_caught",
    // With the exception in x0.
    "libmp_caught:",
    "ldr x19, [sp, #16]",
    "ldp x29, x30, [sp], #32",
    "ret",
    ".cfi_endproc",
    ".size libmp_catch, .-libmp_catch",
    ".popsection",
);

// The personality, as the unwind table names it; and the C++ library's functions for who handles an exception, 0 where
// the program has none.
core::arch::global_asm!(
    ".weak __cxa_begin_catch",
    ".weak __cxa_end_catch",
    ".pushsection .data.rel.ro.libmp_catch,\"aw\",@progbits",
    ".balign 8",
    "libmp_catch_personality_place:",
    ".quad {personality}",
    ".hidden libmp_begin_catch",
    ".globl libmp_begin_catch",
    ".type libmp_begin_catch,@object",
    "libmp_begin_catch:",
    ".quad __cxa_begin_catch",
    ".size libmp_begin_catch, 8",
    ".hidden libmp_end_catch",
    ".globl libmp_end_catch",
    ".type libmp_end_catch,@object",
    "libmp_end_catch:",
    ".quad __cxa_end_catch",
    ".size libmp_end_catch, 8",
    ".popsection",
    personality = sym personality,
);

unsafe extern "C" {
    /// Written by the loader, and then never again.
    static libmp_begin_catch: usize;
    static libmp_end_catch: usize;
    static libmp_caught: u8;
    /// Answers the exception, or NULL and leaves what the function answered at `answer`.
    fn libmp_catch(function: usize, a: usize, b: usize, answer: *mut usize) -> *mut u64;
    fn _Unwind_SetGR(context: *mut c_void, register: c_int, value: usize);
    fn _Unwind_SetIP(context: *mut c_void, address: usize);
    fn _Unwind_DeleteException(exception: *mut u64);
}

// Of the C++ ABI's unwinder.
const SEARCH_PHASE: c_int = 1;
const FORCED: c_int = 8;
const HANDLER_FOUND: c_int = 6;
const INSTALL_CONTEXT: c_int = 7;
const CONTINUE: c_int = 8;

unsafe extern "C" fn personality(
    _version: c_int,
    actions: c_int,
    _class: u64,
    exception: *mut u64,
    context: *mut c_void,
) -> c_int {
    // A thread that is ended unwinds, too, and is not to be stopped.
    if actions & FORCED != 0 {
        return CONTINUE;
    }
    if actions & SEARCH_PHASE != 0 {
        return HANDLER_FOUND;
    }
    // SAFETY: the unwinder's own context. Register 0 is the one in which a function answers, on both machines.
    unsafe {
        _Unwind_SetGR(context, 0, exception.addr());
        _Unwind_SetIP(context, (&raw const libmp_caught).addr());
    }
    INSTALL_CONTEXT
}

/// Whether a C++ library has thrown it: "CLNGC++" or "GNUCC++", and a byte of its own.
fn is_cpp(class: u64) -> bool {
    class >> 8 & 0xFF_FFFF == 0x43_2B_2B
}

fn cpp(linked: usize, name: &std::ffi::CStr) -> usize {
    match linked {
        // SAFETY: looks a name up, which a library that was loaded later may have brought.
        0 => unsafe { libc::dlsym(libc::RTLD_DEFAULT, name.as_ptr()) as usize },
        linked => linked,
    }
}

/// Calls a function of C with up to two words, and answers what it does: nothing of use where it does not. An
/// exception that leaves it is an error.
///
/// # Safety
/// `function` is the address of one that takes no more, and `a` and `b` are what it wants.
pub(crate) unsafe fn call(function: usize, a: usize, b: usize) -> Result<usize> {
    let mut answer = 0;
    // SAFETY: the caller's promise.
    let exception = unsafe { libmp_catch(function, a, b, &raw mut answer) };
    if exception.is_null() {
        return Ok(answer);
    }
    // SAFETY: the words were written by the loader; an exception begins with its class, and is deleted once: by the C++
    // library, which counts those that are under way, if it is its own.
    unsafe {
        let begin = cpp(libmp_begin_catch, c"__cxa_begin_catch");
        let end = cpp(libmp_end_catch, c"__cxa_end_catch");
        if is_cpp(*exception) && begin != 0 && end != 0 {
            let begin: unsafe extern "C" fn(*mut u64) -> *mut c_void = std::mem::transmute(begin);
            let end: unsafe extern "C" fn() = std::mem::transmute(end);
            begin(exception);
            end();
        } else {
            _Unwind_DeleteException(exception);
        }
    }
    fail!(Remote, "an exception left the function")
}
