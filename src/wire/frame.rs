//! How a message begins: its length in 4 bytes, big end first; -1 and the length in 8 bytes for one of more than
//! 0x7fffffff bytes.

/// The longest beginning.
pub(super) const MOST: usize = 12;
/// The most bytes that a short beginning can tell of.
const SHORT: u64 = 0x7fff_ffff;

/// The beginning of a message of `len` bytes.
pub(super) fn begin(len: usize) -> ([u8; MOST], usize) {
    let mut bytes = [0; MOST];
    if len as u64 <= SHORT {
        bytes[..4].copy_from_slice(&(len as u32).to_be_bytes());
        return (bytes, 4);
    }
    bytes[..4].copy_from_slice(&(-1i32).to_be_bytes());
    bytes[4..].copy_from_slice(&(len as u64).to_be_bytes());
    (bytes, MOST)
}

/// What the beginning of a message says as far as it is there.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Head {
    /// More is needed: so many bytes in all.
    Needs(usize),
    /// The message has so many bytes.
    Length(usize),
    /// It is none: this is what stands where a length should.
    Nonsense(i128),
}

/// Reads a beginning.
pub(super) fn read(bytes: &[u8]) -> Head {
    let Some(short) = bytes.first_chunk() else { return Head::Needs(4) };
    match i32::from_be_bytes(*short) {
        -1 => {}
        len if len < 0 => return Head::Nonsense(i128::from(len)),
        len => return Head::Length(len as usize),
    }
    let Some(long) = bytes[4..].first_chunk() else { return Head::Needs(MOST) };
    let len = u64::from_be_bytes(*long);
    // More than memory can hold is no length, whoever says it.
    if len > isize::MAX as u64 { Head::Nonsense(i128::from(len)) } else { Head::Length(len as usize) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lengths_come_back() {
        for len in
            [0, 1, 255, 256, 0x7fff_fffe, 0x7fff_ffff, 0x8000_0000, 0xffff_ffff, 1 << 32, isize::MAX as usize]
        {
            let (bytes, n) = begin(len);
            assert_eq!(n, if len > 0x7fff_ffff { 12 } else { 4 });
            for cut in 0..n {
                assert_eq!(read(&bytes[..cut]), Head::Needs(if cut < 4 { 4 } else { 12 }));
            }
            assert_eq!(read(&bytes[..n]), Head::Length(len));
        }
    }

    #[test]
    fn byte_for_byte() {
        assert_eq!(begin(5).0[..4], [0, 0, 0, 5]);
        assert_eq!(begin(0x8000_0001).0, [0xff, 0xff, 0xff, 0xff, 0, 0, 0, 0, 0x80, 0, 0, 1]);
        // The long form of a short length is unusual, and CPython takes it.
        assert_eq!(read(&[0xff, 0xff, 0xff, 0xff, 0, 0, 0, 0, 0, 0, 0, 7]), Head::Length(7));
    }

    #[test]
    fn nonsense_is_found_out() {
        assert_eq!(read(&[0xff, 0xff, 0xff, 0xfe]), Head::Nonsense(-2));
        assert_eq!(read(&[0x80, 0, 0, 0]), Head::Nonsense(i128::from(i32::MIN)));
        assert_eq!(read(&[0xff; 12]), Head::Nonsense(i128::from(u64::MAX)));
        let most = [&[0xff; 4][..], &(isize::MAX as u64 + 1).to_be_bytes()].concat();
        assert_eq!(read(&most), Head::Nonsense(1 << 63));
    }
}
