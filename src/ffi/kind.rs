//! The kinds of handles: one line each, and nothing else of them anywhere.

use crate::shm;

macro_rules! kinds {
    ($($kind:ident = $bits:literal, $name:literal, $block:expr;)*) => {
        /// What a handle is.
        #[derive(Clone, Copy, Debug, PartialEq, Eq)]
        #[repr(u8)]
        pub(super) enum Kind {
            $($kind = $bits,)*
        }

        impl Kind {
            const ALL: &'static [Kind] = &[$(Kind::$kind),*];

            /// In sentences.
            pub(super) fn name(self) -> &'static str {
                match self {
                    $(Kind::$kind => $name,)*
                }
            }

            /// The kind of the segment's blocks that it stands for, which a forked child can take over.
            pub(super) fn block(self) -> Option<shm::Kind> {
                match self {
                    $(Kind::$kind => $block,)*
                }
            }
        }
    };
}

// At most 30 of them: see the bits of a handle, and what closed ones have there.
kinds! {
    Buffer = 1, "a buffer", None;
    Lock = 2, "a lock", Some(shm::Kind::Lock);
    Value = 3, "a value", Some(shm::Kind::Value);
    Array = 4, "an array", Some(shm::Kind::Array);
    Process = 5, "a process", None;
    Child = 6, "a child's context", None;
    Pool = 7, "a pool", None;
    Task = 8, "a task", None;
    Queue = 9, "a queue", Some(shm::Kind::Queue);
    RLock = 10, "an RLock", Some(shm::Kind::RLock);
    Semaphore = 11, "a semaphore", Some(shm::Kind::Semaphore);
    Event = 12, "an event", Some(shm::Kind::Event);
    Barrier = 13, "a barrier", Some(shm::Kind::Barrier);
    Condition = 14, "a condition", Some(shm::Kind::Condition);
    SharedMemory = 15, "shared memory", Some(shm::Kind::Memory);
    ShareableList = 16, "a shareable list", Some(shm::Kind::Memory);
    Context = 17, "a context", None;
    PriorityQueue = 18, "a priority queue", Some(shm::Kind::Priority);
    Connection = 19, "a connection", None;
    Listener = 20, "a listener", None;
    Result = 21, "a result", None;
    Imap = 22, "an mp_imap", None;
    Manager = 24, "a manager", None;
    Proxy = 25, "a proxy", None;
    Answer = 26, "an answer", None;
    Call = 27, "a call", None;
}

impl Kind {
    pub(super) fn from_bits(bits: u64) -> Option<Self> {
        Self::ALL.iter().copied().find(|&k| k as u64 == bits)
    }

    /// The kind of handle that stands for a block of this kind.
    pub(super) fn of_block(block: shm::Kind) -> Option<Self> {
        Self::ALL.iter().copied().find(|k| k.block() == Some(block))
    }
}
