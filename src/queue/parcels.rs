//! Messages that carry handles: each lies outside the ring, in a block that holds what the handles stand for. Getting
//! one moves the whole block into the getter's ledger, together with the position, in one transaction: so the handles
//! always have a holder, and one only.

use super::get::Head;
use super::put::Message;
use super::ring::damaged;
use super::side::Hold;
use crate::error::{Error, Result, Status};
use crate::park::Tree;
use crate::shm::{self, Content, Data, Entry, ParcelBlock, QueueBlock};
use crate::time::Deadline;
use std::sync::atomic::AtomicU64;

/// One in the ring.
pub(super) struct Packed<'a> {
    pub(super) block: &'a ParcelBlock,
    pub(super) carrier: &'a AtomicU64,
    pub(super) len: usize,
}

impl QueueBlock {
    /// Puts a message that carries handles. `open` as for [`QueueBlock::put`].
    pub(crate) fn put_handles<T: Tree>(
        &self,
        tree: &T,
        bytes: &[u8],
        contents: &[Content],
        deadline: Deadline,
        open: impl Fn() -> Result<()>,
    ) -> Result<()> {
        let parcel = shm::pack(bytes, contents)?;
        self.put(tree, Message::Reserved(parcel, bytes.len()), deadline, open)
            .inspect_err(|_| shm::release(parcel.entry))
    }

    /// With the consumers' lock, which this releases.
    pub(super) fn get_parcel<R, T: Tree>(
        &self,
        hold: Hold<'_, T>,
        Packed { block, carrier, len }: Packed<'_>,
        (mut head, grains): (Head, u32),
        take: &mut impl FnMut(Option<Data>) -> Result<R>,
        place: Option<&mut Option<Entry>>,
    ) -> Result<R> {
        let Some(place) = place else {
            return self.publish_get(hold, &head, Err(carries(block)));
        };
        let taken = match block.bytes().filter(|data| data.len() >= len) {
            Some(data) => take(Some(data.part(0, len))),
            None => damaged(),
        };
        let taken = match taken {
            Ok(taken) => taken,
            Err(e) => return self.publish_get(hold, &head, Err(e)),
        };
        head.take(grains, len, true);
        let to = head.at.turned();
        self.consumers.prepare(to, head.tally);
        let waking = self.announce_room(&hold);
        match shm::take_carried(carrier, &self.consumers.position, to.bits()) {
            Ok(Some(entry)) => {
                *place = Some(entry);
                self.wake_after_get(hold, &head, waking);
                Ok(taken)
            }
            Ok(None) => self.publish_get(hold, &head, damaged()),
            Err(e) => self.publish_get(hold, &head, Err(e)),
        }
    }
}

/// Whoever does not ask for the handles shall not lose them.
#[cold]
pub(super) fn carries(block: &ParcelBlock) -> Error {
    let count = block.count();
    let text = format!("the message carries {count} handles: only mp_queue_get_buffer gets it");
    Error::new(Status::Unsupported, text)
}
