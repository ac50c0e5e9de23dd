//! Time. Timeouts are nanoseconds on the monotonic clock; signals do not cut a wait short.

/// How long a call may wait, in nanoseconds.
pub type mp_timeout = i64;

// mp.h:
// /* Try once. A negative timeout means the same: a subtraction that went past its deadline must not
//  * wait for ever. */
// #define MP_NO_WAIT ((mp_timeout)0)
// /* No limit. */
// #define MP_FOREVER ((mp_timeout)INT64_MAX)
// /* n milliseconds, n seconds. */
// #define MP_MS(n) ((mp_timeout)(n) * 1000000)
// #define MP_SEC(n) ((mp_timeout)(n) * 1000000000)

/// MP_NO_WAIT as a function.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn mp_no_wait() -> mp_timeout {
    0
}

/// MP_FOREVER as a function.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn mp_forever() -> mp_timeout {
    crate::time::FOREVER
}

/// MP_MS as a function. A number too large is MP_FOREVER, one too small is MP_NO_WAIT.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn mp_ms(n: i64) -> mp_timeout {
    n.saturating_mul(1_000_000)
}

/// MP_SEC as a function. A number too large is MP_FOREVER, one too small is MP_NO_WAIT.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn mp_sec(n: i64) -> mp_timeout {
    n.saturating_mul(1_000_000_000)
}
