//! Telling the processor what will be wanted soon. Another process's last use of these bytes left them in its own
//! CPU's cache, from where they take longer than anything that is done with them.

/// What caches keep together.
const LINE: usize = 64;

/// These bytes will be written.
#[inline(always)]
pub(crate) fn will_write(at: *const u8, len: usize) {
    each_line(at, len, |line| {
        // SAFETY: a hint, which changes nothing and does not fault, whatever the address. A processor that does not
        // know the instruction does nothing.
        #[cfg(target_arch = "x86_64")]
        unsafe {
            std::arch::asm!("prefetchw [{}]", in(reg) line, options(nostack, preserves_flags, readonly));
        }
        // SAFETY: as above.
        #[cfg(target_arch = "aarch64")]
        unsafe {
            std::arch::asm!("prfm pstl1keep, [{}]", in(reg) line, options(nostack, preserves_flags, readonly));
        }
    });
}

/// These bytes will be read.
#[inline(always)]
pub(crate) fn will_read(at: *const u8, len: usize) {
    each_line(at, len, |line| {
        // SAFETY: as above.
        #[cfg(target_arch = "x86_64")]
        unsafe {
            std::arch::asm!("prefetcht0 [{}]", in(reg) line, options(nostack, preserves_flags, readonly));
        }
        // SAFETY: as above.
        #[cfg(target_arch = "aarch64")]
        unsafe {
            std::arch::asm!("prfm pldl1keep, [{}]", in(reg) line, options(nostack, preserves_flags, readonly));
        }
    });
}

/// At every line's length from the first byte on.
#[inline(always)]
fn each_line(at: *const u8, len: usize, mut hint: impl FnMut(*const u8)) {
    let mut offset = 0;
    while offset < len {
        hint(at.wrapping_add(offset));
        offset += LINE;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Nowhere behind the range.
    #[test]
    fn each_line_is_told() {
        let told = |len| {
            let mut lines = Vec::new();
            each_line(std::ptr::without_provenance(LINE), len, |line| lines.push(line.addr()));
            lines
        };
        assert_eq!(told(0), []);
        assert_eq!(told(1), [LINE]);
        assert_eq!(told(LINE), [LINE]);
        assert_eq!(told(LINE + 1), [LINE, 2 * LINE]);
    }

    /// Nothing has to be there.
    #[test]
    fn no_address_is_too_bad_for_a_hint() {
        for at in [0, 1, usize::MAX - LINE, usize::MAX] {
            will_read(std::ptr::without_provenance(at), 3 * LINE);
            will_write(std::ptr::without_provenance(at), 3 * LINE);
        }
    }
}
