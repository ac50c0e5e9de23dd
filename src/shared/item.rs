//! The item types.

use crate::error::{Result, fail};

/// What a value or an array's element is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Item {
    Int { bytes: u32, signed: bool },
    Double,
}

impl Item {
    /// From the C API's number.
    pub(crate) fn from_number(number: i32) -> Result<Self> {
        Ok(match number {
            1..=8 => Item::Int { bytes: 1 << ((number - 1) / 2), signed: number % 2 == 1 },
            9 => Item::Double,
            _ => fail!(Invalid, "{number} is no item type: MP_INT8 to MP_UINT64 and MP_DOUBLE are"),
        })
    }

    /// Bytes of one item.
    pub(crate) fn size(self) -> usize {
        match self {
            Item::Int { bytes, .. } => bytes as usize,
            Item::Double => 8,
        }
    }

    /// The number that the item's low bytes are.
    pub(crate) fn int(self, bits: u64) -> Result<i64> {
        match self {
            Item::Int { bytes, signed } => {
                let unused = 64 - bytes * 8;
                Ok(if signed { (bits << unused) as i64 >> unused } else { (bits << unused >> unused) as i64 })
            }
            Item::Double => fail!(Invalid, "the items are doubles: integers cannot be read or written"),
        }
    }

    /// What [`Item::int`] makes of an integer's low bytes, for who has no time for an `Item`; None for what is no
    /// integer type's number.
    #[inline(always)]
    pub(crate) fn int_quickly(number: u64, bits: u64) -> Option<i64> {
        let number = number.wrapping_sub(1);
        if number >= 8 {
            return None;
        }
        let unused = 64 - (8 << (number / 2));
        let bits = bits << unused;
        Some(if number & 1 == 0 { bits as i64 >> unused } else { (bits >> unused) as i64 })
    }

    /// For writing an integer.
    pub(crate) fn check_int(self) -> Result<()> {
        self.int(0).map(drop)
    }

    /// For reading or writing a double.
    pub(crate) fn check_double(self) -> Result<()> {
        match self {
            Item::Double => Ok(()),
            Item::Int { .. } => fail!(Invalid, "the items are integers: doubles cannot be read or written"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn integers_wrap_at_their_width() {
        let int = |n: i32, bits: u64| Item::from_number(n).unwrap().int(bits).unwrap();
        assert_eq!(int(1, 0xFF), -1);
        assert_eq!(int(2, 0x1FF), 255);
        assert_eq!(int(5, 1 << 31), -(1 << 31));
        assert_eq!(int(6, u64::MAX), u32::MAX.into());
        assert_eq!(int(7, u64::MAX), -1);
        assert_eq!(int(8, u64::MAX), -1);
    }

    #[test]
    fn the_quick_way_is_no_other() {
        for number in 0..20 {
            for bits in [0, 1, 0x7F, 0x80, 0xFF80, 0x8000_7FFF, 0x8000_0000_0000_0000, u64::MAX] {
                let slow = Item::from_number(number).and_then(|item| item.int(bits)).ok();
                assert_eq!(Item::int_quickly(number as u64, bits), slow, "{number} {bits:#x}");
            }
        }
    }

    #[test]
    fn types_do_not_mix() {
        assert!(Item::Double.check_int().is_err());
        assert!(Item::from_number(3).unwrap().check_double().is_err());
        for bad in [0, -1, 10, i32::MIN, i32::MAX] {
            assert!(Item::from_number(bad).is_err());
        }
    }
}
