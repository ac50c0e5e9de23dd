//! The condition: those who hold its lock give it up and wait until another holder notifies them.

use super::guarding::{self, Guard, Guarding};
use crate::error::{Error, Result, Status, fail};
use crate::park::Nodes;
use crate::shm::{self, BytesBlock, ConditionBlock, Kind, Object, Segment};
use crate::time::Deadline;

/// Makes one.
pub(crate) fn create(s: &'static Segment, guard: Guard) -> Result<Object> {
    let lock = guard.prepare(s)?;
    let made = shm::create_in::<ConditionBlock>(s, Kind::Condition, 0, |_| {});
    match made
        .as_ref()
        .ok()
        .and_then(|object| shm::resolve_in::<ConditionBlock>(s, object.r, Kind::Condition))
    {
        Some(block) => guarding::attach(lock, &block.carriers[0]),
        None => {
            lock.inspect(|lock| shm::release(lock.entry));
        }
    }
    made
}

impl ConditionBlock {
    /// The lock that those who wait and notify hold.
    pub(crate) fn lock(&self) -> Result<Guarding> {
        guarding::find(&self.carriers[0])
            .ok_or_else(|| Error::new(Status::NotOwner, "the condition's memory was overwritten"))
    }

    /// Whether one that was found by its name is as it was asked for.
    pub(crate) fn fits(&self, guard: Guard) -> Result<()> {
        guarding::fits(&self.carriers[0], guard)
    }

    /// The lock, which the caller holds.
    fn held_lock(&self) -> Result<Guarding> {
        let lock = self.lock()?;
        lock.check_mine()?;
        Ok(lock)
    }

    /// Gives the lock up, waits until notified, and takes the lock again. OWNER_DIED where that reports it.
    pub(crate) fn wait(&self, deadline: Deadline) -> Result<Status> {
        let tree = &shm::tree_of(self);
        let lock = self.held_lock()?;
        let mut nodes = self.nodes();
        let seat = loop {
            match nodes.sit(tree) {
                Some(seat) => break seat,
                None => nodes = self.make_room(nodes)?,
            }
        };
        let depth = match lock.give_up() {
            Ok(depth) => depth,
            // Another thread has released it for us.
            Err(e) => {
                seat.leave();
                return Err(e);
            }
        };
        // Others may have made room meanwhile: the table is looked up anew each time.
        let notified = seat.sleep(tree, deadline, || self.nodes().bury_the_granted(tree));
        let taken = lock.take_back(depth);
        if notified {
            seat.leave();
            return taken;
        }
        taken?;
        fail!(Timeout, "nobody notified the condition in time")
    }

    /// More nodes, or those of the dead. By the lock's holder.
    fn make_room(&self, nodes: Nodes<'_>) -> Result<Nodes<'_>> {
        let before = nodes.free();
        nodes.bury_waiters(&shm::tree_of(self));
        if nodes.free() > before {
            return Ok(self.nodes());
        }
        let Some(part) = nodes.missing_part() else {
            fail!(NoMemory, "as many wait for the condition as it has room for");
        };
        let bytes = ConditionBlock::part_size(part) * 8;
        let object = shm::create_in::<BytesBlock>(shm::tree_of(self).0, Kind::Bytes, bytes, |_| {})?;
        shm::carry(object, &self.carriers[part]);
        Ok(self.nodes())
    }

    /// Waits until `predicate` holds, which is asked while the lock is held: at once, and whenever notified.
    pub(crate) fn wait_for(&self, deadline: Deadline, mut predicate: impl FnMut() -> bool) -> Result<Status> {
        self.held_lock()?;
        let mut status = Status::Ok;
        loop {
            if predicate() {
                return Ok(status);
            }
            match self.wait(deadline) {
                Ok(Status::Ok) => {}
                Ok(told) => status = told,
                Err(e) if e.status == Status::Timeout && predicate() => return Ok(status),
                Err(e) => return Err(e),
            }
        }
    }

    /// Releases the `most` who have waited longest.
    pub(crate) fn notify(&self, most: u64) -> Result<()> {
        self.held_lock()?;
        self.nodes().notify(&shm::tree_of(self), most);
        Ok(())
    }

    /// Its lock and how many wait, as Python tells it.
    pub(crate) fn describe(&self) -> Result<String> {
        Ok(format!("<Condition({}, {})>", self.lock()?.describe(), self.nodes().count()))
    }
}
