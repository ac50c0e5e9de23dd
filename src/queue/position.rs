//! How far producers or consumers are: one word, so that one store publishes messages or frees their places.
//!
//! | bits  | meaning                                                        |
//! |-------|----------------------------------------------------------------|
//! | 0–27  | place in the ring, in grains of 8 bytes, counting on past its end |
//! | 28–55 | messages so far                                                |
//! | 56–62 | messages outside the ring so far                               |
//! | 63    | turn: the other one with each store, see `tally.rs`             |
//!
//! The numbers wrap around. Within a ring the two sides are never further apart than it is long, which is at most
//! half of what the place can count, and no message takes less than a grain: so differences are exact. A ring that
//! comes after another one begins at a multiple of its own length. In a chain of rings only the difference of the
//! messages counts, and there are fewer of them than the number can say.

/// Bytes of a grain.
pub(super) const GRAIN: usize = 8;
/// The longest ring, in bytes.
pub(super) const LONGEST: usize = GRAIN << (BITS - 1);
/// The most messages at a time.
pub(super) const MOST: u64 = MASK as u64;

const BITS: u32 = 28;
const MASK: u32 = (1 << BITS) - 1;
const LARGE_MASK: u8 = 0x7F;
const TURN: u64 = 1 << 63;

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

    #[inline(always)]
    pub(super) fn new(at: u32, messages: u32, large: u8) -> Self {
        let large = u64::from(large & LARGE_MASK);
        Position(u64::from(at & MASK) | u64::from(messages & MASK) << BITS | large << (2 * BITS))
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
        (self.0 >> (2 * BITS)) as u8 & LARGE_MASK
    }

    /// How many of them since then.
    pub(super) fn large_since(self, begin: Position) -> usize {
        usize::from(self.large().wrapping_sub(begin.large()) & LARGE_MASK)
    }

    #[inline(always)]
    pub(super) fn turn(self) -> usize {
        (self.0 >> 63) as usize
    }

    /// The place and what is in it for one message, the turn left to [`Position::published`].
    #[inline(always)]
    pub(super) fn after(self, grains: u32, large: bool) -> Self {
        let next = Position::new(
            self.at().wrapping_add(grains),
            self.messages() + 1,
            self.large().wrapping_add(large.into()),
        );
        Position(next.0 | self.0 & TURN)
    }

    /// The same in the other turn.
    #[inline(always)]
    pub(super) fn turned(self) -> Self {
        Position(self.0 ^ TURN)
    }

    /// At another place, with everything else as it is.
    pub(super) fn moved_to(self, at: u32) -> Self {
        Position(self.0 & !u64::from(MASK) | u64::from(at & MASK))
    }

    /// The begin of a ring of so many grains that comes after the one that this, a link's place, is in.
    pub(super) fn at_next_ring(self, grains: u32) -> Self {
        self.moved_to((self.at() + 1).next_multiple_of(grains))
    }

    /// The other's messages, everything else as it is.
    pub(super) fn with_messages_of(self, other: Position) -> Self {
        let mask = u64::from(MASK) << BITS;
        Position(self.0 & !mask | other.0 & mask)
    }

    /// Everything of the other's but the turn.
    pub(super) fn catching_up_with(self, other: Position) -> Self {
        Position(self.0 & TURN | other.0 & !TURN)
    }

    /// Whether just as many messages came before both.
    #[inline(always)]
    pub(super) fn is_level_with(self, other: Position) -> bool {
        self.messages() == other.messages()
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
