//! How far producers or consumers are: one word, so that one store publishes a message or frees its place.
//!
//! | bits  | meaning                                                        |
//! |-------|----------------------------------------------------------------|
//! | 0–27  | place in the ring, in grains of 8 bytes, counting on past its end |
//! | 28–55 | messages so far                                                |
//! | 56–63 | messages outside the ring so far                               |
//!
//! All three wrap around. The two sides are never further apart than the ring is long, which is at most half of
//! what the place can count, and no message takes less than a grain: so differences are exact.

/// Bytes of a grain.
pub(super) const GRAIN: usize = 8;
/// The longest ring, in bytes.
pub(super) const LONGEST: usize = GRAIN << (BITS - 1);

const BITS: u32 = 28;
const MASK: u32 = (1 << BITS) - 1;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Position(u64);

/// What lies between two positions.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Between {
    pub(super) grains: u32,
    pub(super) messages: u32,
}

impl Position {
    #[inline(always)]
    pub(super) fn from_bits(bits: u64) -> Self {
        Position(bits)
    }

    #[inline(always)]
    pub(super) fn bits(self) -> u64 {
        self.0
    }

    #[cfg(test)]
    pub(super) fn new(at: u32, messages: u32, large: u8) -> Self {
        Position(u64::from(at & MASK) | u64::from(messages & MASK) << BITS | u64::from(large) << (2 * BITS))
    }

    /// The place, counting on past the ring's end.
    #[inline(always)]
    pub(super) fn at(self) -> u32 {
        self.0 as u32 & MASK
    }

    #[inline(always)]
    fn messages(self) -> u32 {
        (self.0 >> BITS) as u32 & MASK
    }

    /// How many messages outside the ring there were before this.
    pub(super) fn large(self) -> u8 {
        (self.0 >> (2 * BITS)) as u8
    }

    /// One message further.
    #[inline(always)]
    pub(super) fn after(self, grains: u32, large: bool) -> Self {
        let at = self.at().wrapping_add(grains) & MASK;
        let messages = (self.messages() + 1) & MASK;
        let large = self.large().wrapping_add(large.into());
        Position(u64::from(at) | u64::from(messages) << BITS | u64::from(large) << (2 * BITS))
    }

    /// From `begin` to here.
    #[inline(always)]
    pub(super) fn since(self, begin: Position) -> Between {
        Between {
            grains: self.at().wrapping_sub(begin.at()) & MASK,
            messages: self.messages().wrapping_sub(begin.messages()) & MASK,
        }
    }
}
