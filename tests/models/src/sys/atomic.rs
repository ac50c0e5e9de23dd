//! The checker's atomics, with kills and with a closer idea of SeqCst.
//!
//! The checker takes a SeqCst access for an AcqRel one and knows only SeqCst fences. Here a SeqCst load or
//! read-modify-write has such a fence before it where its thread has made a SeqCst store since the last one. That is
//! what the language promises of a store and a later load, both of them SeqCst; a store or a load that is weaker gets
//! nothing.
//!
//! Beside each word is what it was last given. What a killed process still runs on its way out of the model (its
//! destructors) goes by that, and changes nothing that others could notice.

use crate::world;
use loom::sync::atomic as checked;
pub(crate) use loom::sync::atomic::Ordering;
use std::sync::atomic as plain;

pub(crate) fn fence(order: Ordering) {
    if world::is_ghost() {
        return;
    }
    if order == Ordering::SeqCst {
        world::fenced();
    }
    checked::fence(order);
}

/// Before a SeqCst access that loads.
fn before_load(order: Ordering) {
    if order == Ordering::SeqCst && world::fenced() {
        checked::fence(order);
    }
}

/// What the checker is to take it for.
fn of_load(order: Ordering) -> Ordering {
    if order == Ordering::SeqCst { Ordering::Acquire } else { order }
}

fn of_store(order: Ordering) -> Ordering {
    if order == Ordering::SeqCst { Ordering::Release } else { order }
}

fn of_both(order: Ordering) -> Ordering {
    if order == Ordering::SeqCst { Ordering::AcqRel } else { order }
}

macro_rules! changes {
    ($number:ty: $($name:ident = $new:expr),*) => {
        $(pub(crate) fn $name(&self, value: $number, order: Ordering) -> $number {
            if world::is_ghost() {
                return self.last();
            }
            before_load(order);
            let was = self.word.$name(value, of_both(order));
            let new: fn($number, $number) -> $number = $new;
            self.stored(new(was, value), order);
            was
        })*
    };
}

macro_rules! atomic {
    ($name:ident, $number:ty) => {
        #[derive(Debug)]
        pub(crate) struct $name {
            word: checked::$name,
            last: plain::$name,
        }

        impl Default for $name {
            fn default() -> Self {
                Self::new(0)
            }
        }

        #[allow(dead_code)]
        impl $name {
            pub(crate) fn new(value: $number) -> Self {
                $name { word: checked::$name::new(value), last: plain::$name::new(value) }
            }

            pub(crate) fn load(&self, order: Ordering) -> $number {
                if world::is_ghost() {
                    return self.last();
                }
                before_load(order);
                self.word.load(of_load(order))
            }

            pub(crate) fn store(&self, value: $number, order: Ordering) {
                if world::is_ghost() {
                    return;
                }
                self.word.store(value, of_store(order));
                self.stored(value, order);
            }

            changes!($number: swap = |_, new| new, fetch_add = |was: $number, by| was.wrapping_add(by),
                fetch_sub = |was: $number, by| was.wrapping_sub(by), fetch_and = |was, bits| was & bits,
                fetch_or = |was, bits| was | bits);

            pub(crate) fn compare_exchange(
                &self,
                from: $number,
                to: $number,
                success: Ordering,
                failure: Ordering,
            ) -> Result<$number, $number> {
                if world::is_ghost() {
                    return Ok(from);
                }
                before_load(success);
                let done = self.word.compare_exchange(from, to, of_both(success), of_load(failure));
                if done.is_ok() {
                    self.stored(to, success);
                }
                done
            }

            pub(crate) fn compare_exchange_weak(
                &self,
                from: $number,
                to: $number,
                success: Ordering,
                failure: Ordering,
            ) -> Result<$number, $number> {
                self.compare_exchange(from, to, success, failure)
            }

            /// The kernel looks at it: a step by itself, that sees what was stored last and orders nothing.
            pub(crate) fn seen_by_kernel(&self) -> $number {
                self.word.fetch_or(0, Ordering::Relaxed)
            }

            fn last(&self) -> $number {
                self.last.load(Ordering::Relaxed)
            }

            fn stored(&self, value: $number, order: Ordering) {
                self.last.store(value, Ordering::Relaxed);
                world::stored(order == Ordering::SeqCst);
            }
        }
    };
}

atomic!(AtomicU32, u32);
atomic!(AtomicU64, u64);
