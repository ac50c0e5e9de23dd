//! The item types.

use crate::error::{Result, fail};
use crate::sys::types;
use core::ffi::{c_int, c_long, c_longlong, c_short};

/// What a value or an array's element is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Item {
    Int {
        bytes: u32,
        signed: bool,
    },
    Double,
    Float,
    /// Bytes that only the program knows the meaning of; at least one.
    Struct {
        size: usize,
    },
}

const DOUBLE: u64 = 9;
const FLOAT: u64 = 10;
/// In the low byte; the size is above it.
const STRUCT: u64 = 11;
const SIZE_AT: u32 = 8;

impl Item {
    /// From the C API's number, or the character that Python names C's types by.
    pub(crate) fn from_type(number: i32) -> Result<Self> {
        let of = |bytes, signed| Ok(Item::Int { bytes, signed });
        match u8::try_from(number).unwrap_or(0) {
            b'c' => of(1, types::CHAR_IS_SIGNED),
            b'b' => of(1, true),
            b'B' => of(1, false),
            b'u' => of(types::WCHAR_BYTES, types::WCHAR_IS_SIGNED),
            b'h' => of(size_of::<c_short>() as u32, true),
            b'H' => of(size_of::<c_short>() as u32, false),
            b'i' => of(size_of::<c_int>() as u32, true),
            b'I' => of(size_of::<c_int>() as u32, false),
            b'l' => of(size_of::<c_long>() as u32, true),
            b'L' => of(size_of::<c_long>() as u32, false),
            b'q' => of(size_of::<c_longlong>() as u32, true),
            b'Q' => of(size_of::<c_longlong>() as u32, false),
            b'f' => Ok(Item::Float),
            b'd' => Ok(Item::Double),
            small @ 1..=10 => Self::from_word(small.into()),
            _ => fail!(
                Invalid,
                "{number} is no item type: MP_INT8 to MP_UINT64, MP_FLOAT, MP_DOUBLE and the characters \
                 cbBuhHiIlLqQfd are"
            ),
        }
    }

    /// A struct of so many bytes.
    pub(crate) fn of_size(size: usize) -> Result<Self> {
        if size == 0 || size as u64 >= 1 << (64 - SIZE_AT) {
            fail!(Invalid, "a struct cannot have {size} bytes");
        }
        Ok(Item::Struct { size })
    }

    /// From a word of shared memory.
    pub(crate) fn from_word(word: u64) -> Result<Self> {
        Ok(match word {
            1..=8 => Item::Int { bytes: 1 << ((word - 1) / 2), signed: word % 2 == 1 },
            DOUBLE => Item::Double,
            FLOAT => Item::Float,
            _ if word as u8 == STRUCT as u8 && word >> SIZE_AT != 0 => {
                Item::Struct { size: (word >> SIZE_AT) as usize }
            }
            _ => fail!(State, "the object's block in shared memory is damaged: {word:#x} is no item type"),
        })
    }

    /// As a word of shared memory.
    pub(crate) fn to_word(self) -> u64 {
        match self {
            Item::Int { bytes, signed } => u64::from(bytes.ilog2()) * 2 + if signed { 1 } else { 2 },
            Item::Double => DOUBLE,
            Item::Float => FLOAT,
            Item::Struct { size } => (size as u64) << SIZE_AT | STRUCT,
        }
    }

    /// Bytes of one item.
    pub(crate) fn size(self) -> usize {
        match self {
            Item::Int { bytes, .. } => bytes as usize,
            Item::Double => 8,
            Item::Float => 4,
            Item::Struct { size } => size,
        }
    }

    /// The number that the item's low bytes are.
    pub(crate) fn int(self, bits: u64) -> Result<i64> {
        match self {
            Item::Int { bytes, signed } => {
                let unused = 64 - bytes * 8;
                Ok(if signed { (bits << unused) as i64 >> unused } else { (bits << unused >> unused) as i64 })
            }
            _ => fail!(Invalid, "integers cannot be read from {0} or written to {0}", self.name()),
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

    /// The floating-point number that the item's low bytes are.
    pub(crate) fn double(self, bits: u64) -> Result<f64> {
        match self {
            Item::Double => Ok(f64::from_bits(bits)),
            Item::Float => Ok(f32::from_bits(bits as u32).into()),
            _ => fail!(Invalid, "doubles cannot be read from {0} or written to {0}", self.name()),
        }
    }

    /// The other way round, rounded where the item is a float.
    pub(crate) fn double_bits(self, number: f64) -> Result<u64> {
        match self {
            Item::Float => Ok((number as f32).to_bits().into()),
            _ => self.double(0).map(|_| number.to_bits()),
        }
    }

    /// Whether strings are made of such.
    pub(crate) fn is_char(self) -> bool {
        matches!(self, Item::Int { bytes: 1, .. })
    }

    /// INVALID where what a `noun` that was found by its name is made of is something else than `asked`.
    pub(crate) fn fits(self, noun: &str, asked: Item) -> Result<()> {
        if self == asked {
            return Ok(());
        }
        fail!(
            Invalid,
            "the {noun} that has the name is of {}, and one of {} is asked for",
            self.describe(),
            asked.describe()
        );
    }

    fn describe(self) -> String {
        match self {
            Item::Int { bytes, signed: true } => format!("int{}_t", bytes * 8),
            Item::Int { bytes, signed: false } => format!("uint{}_t", bytes * 8),
            Item::Double => "double".into(),
            Item::Float => "float".into(),
            Item::Struct { size } => format!("structs of {size} bytes"),
        }
    }

    fn name(self) -> &'static str {
        match self {
            Item::Int { .. } => "integers",
            Item::Double => "doubles",
            Item::Float => "floats",
            Item::Struct { .. } => "structs",
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn integers_wrap_at_their_width() {
        let int = |n: i32, bits: u64| Item::from_type(n).unwrap().int(bits).unwrap();
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
                let slow = Item::from_word(number).and_then(|item| item.int(bits)).ok();
                assert_eq!(Item::int_quickly(number, bits), slow, "{number} {bits:#x}");
            }
        }
    }

    #[test]
    fn types_do_not_mix() {
        let of = |n| Item::from_type(n).unwrap();
        assert!(Item::Double.check_int().is_err() && Item::Float.check_int().is_err());
        assert!(of(3).double(0).is_err() && of(3).double_bits(1.0).is_err());
        let s = Item::of_size(8).unwrap();
        assert!(s.check_int().is_err() && s.double(0).is_err());
        for bad in [0, -1, 11, 97, 255, 256 + 100, i32::MIN, i32::MAX] {
            assert!(Item::from_type(bad).is_err());
        }
        assert!(Item::of_size(0).is_err() && Item::of_size(usize::MAX).is_err());
    }

    #[test]
    fn words_come_back_as_they_went() {
        for number in 1..=10 {
            assert_eq!(Item::from_type(number).unwrap().to_word(), number as u64);
        }
        for size in [1, 3, 24, 1 << 40] {
            let item = Item::of_size(size).unwrap();
            assert_eq!(Item::from_word(item.to_word()).unwrap(), item);
        }
        for bad in [0, 11, 12, 0xFF, 0x10C, u64::MAX] {
            assert!(Item::from_word(bad).is_err(), "{bad:#x}");
        }
    }

    #[test]
    fn floats_are_rounded() {
        let bits = Item::Float.double_bits(0.1).unwrap();
        assert_eq!(Item::Float.double(bits).unwrap(), f64::from(0.1_f32));
    }
}
