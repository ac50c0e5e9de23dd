//! Who holds something: a slot of the process table and the generation that tells its tenants apart.

/// 15 bits of slot and 16 of generation, as they stand in the low half of a lock's word. Never zero.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Owner(u32);

impl Owner {
    /// The largest slot number.
    pub(crate) const MAX_SLOT: u32 = 0x7FFF;

    /// Slots count from 1, so that no owner is all zero.
    pub(crate) fn new(slot: u32, generation: u16) -> Self {
        debug_assert!((1..=Self::MAX_SLOT).contains(&slot));
        Owner(slot << 16 | u32::from(generation))
    }

    /// From a word's bits; None when nobody is named.
    pub(crate) fn from_bits(bits: u32) -> Option<Self> {
        let bits = bits & 0x7FFF_FFFF;
        (bits >> 16 != 0).then_some(Owner(bits))
    }

    /// From this process's own word, which names somebody once it has joined.
    #[inline(always)]
    pub(crate) fn joined(bits: u32) -> Self {
        debug_assert!(bits >> 16 != 0);
        Owner(bits)
    }

    #[inline(always)]
    pub(crate) fn bits(self) -> u32 {
        self.0
    }

    pub(crate) fn slot(self) -> u32 {
        self.0 >> 16
    }

    pub(crate) fn generation(self) -> u16 {
        self.0 as u16
    }
}
