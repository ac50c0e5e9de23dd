//! A condition: one node for each who waits, in a table. A node is one word, and whoever waits sleeps on its own.
//!
//! | bits  | a node                                                                        |
//! |-------|-------------------------------------------------------------------------------|
//! | 0–1   | state: free, waiting, granted, asleep (which is waiting too)                  |
//! | 2–31  | waiting: its ticket. granted: the ticket that was next when it was granted     |
//! | 32–62 | the process                                                                   |
//!
//! | from     | to       | who                                      | by                            |
//! |----------|----------|------------------------------------------|-------------------------------|
//! | free     | waiting  | who waits, holding the condition's lock  | compare-and-swap              |
//! | waiting  | asleep   | itself, before its first sleep           | compare-and-swap              |
//! | waiting  | granted  | who notifies, holding it; who moves a grant | compare-and-swap           |
//! | asleep   | granted  | the same                                 | compare-and-swap; wakes this one |
//! | waiting, asleep | free | itself, its time being over; whoever finds it dead | compare-and-swap |
//! | granted  | free     | itself, once it has the lock again; who has moved its grant | store, compare-and-swap |
//!
//! Tickets are drawn under the condition's lock, so they tell who has waited longest. They come again after 2^30
//! waits: who sleeps through as many is taken for a newcomer then, and its turn comes later.
//!
//! A grant to a process that died before it had the lock again goes to the one who has waited longest of those who
//! waited when it was made. Whoever buries the process does it, one at a time. Should that one be killed as well,
//! after the grant and before the dead node is free, the next one grants once more: a wait may then end that nobody
//! notified. The other order would lose a notification.

use super::{Owner, Patience, Tree, slice};
use crate::sys::atomic::{AtomicU32, AtomicU64, Ordering};
use crate::sys::futex::{self, Slept};
use crate::time::Deadline;

const WAITING: u32 = 1;
const GRANTED: u32 = 2;
const ASLEEP: u32 = 3;
const TICKETS: u32 = (1 << 30) - 1;

/// How many nodes there are in a condition itself; the others lie elsewhere.
const HERE: usize = 13;
/// The table's parts.
pub(crate) const PARTS: usize = 13;

/// What a condition begins with.
#[repr(C)]
#[derive(Default)]
pub(crate) struct ConditionWords {
    /// The next ticket, in the low bits. Drawn under the lock.
    tickets: AtomicU32,
    /// Of those who wait.
    patience: Patience,
    nodes: [AtomicU64; HERE],
}

/// The nodes, wherever they lie.
pub(crate) struct Nodes<'a> {
    tickets: &'a AtomicU32,
    patience: &'a Patience,
    parts: [&'a [AtomicU64]; PARTS],
}

/// A node, taken apart. The bits may be anything, so they are kept as they are, to be compared with.
#[derive(Clone, Copy)]
struct Node {
    bits: u64,
    state: u32,
    number: u32,
    owner: Option<Owner>,
}

impl Node {
    fn read(word: &AtomicU64) -> Self {
        let bits = word.load(Ordering::Acquire);
        let low = bits as u32;
        Node { bits, state: low & 3, number: low >> 2, owner: Owner::from_bits((bits >> 32) as u32) }
    }

    fn waits(&self) -> bool {
        self.state == WAITING || self.state == ASLEEP
    }

    /// What follows on this state; false where it is another one by now.
    fn change(&self, word: &AtomicU64, to: u64) -> bool {
        word.compare_exchange(self.bits, to, Ordering::AcqRel, Ordering::Relaxed).is_ok()
    }
}

fn bits(state: u32, number: u32, owner: Option<Owner>) -> u64 {
    u64::from(owner.map_or(0, Owner::bits)) << 32 | u64::from((number & TICKETS) << 2 | state)
}

/// How many tickets were drawn from this one to that one.
fn drawn(from: u32, to: u32) -> u32 {
    to.wrapping_sub(from) & TICKETS
}

impl ConditionWords {
    /// The table, whose first part is here.
    pub(crate) fn with<'a>(&'a self, mut parts: [&'a [AtomicU64]; PARTS]) -> Nodes<'a> {
        parts[0] = &self.nodes;
        Nodes { tickets: &self.tickets, patience: &self.patience, parts }
    }
}

/// A node of the caller's.
pub(crate) struct Seat<'a> {
    node: &'a AtomicU64,
    patience: &'a Patience,
}

impl<'a> Nodes<'a> {
    fn all(&self) -> impl Iterator<Item = &'a AtomicU64> + '_ {
        self.parts.iter().copied().flatten()
    }

    fn waiting(&self) -> impl Iterator<Item = (&'a AtomicU64, Node)> + '_ {
        self.all().map(|word| (word, Node::read(word))).filter(|(_, node)| node.waits())
    }

    /// How many wait and were not notified.
    pub(crate) fn count(&self) -> usize {
        self.waiting().count()
    }

    /// How many nodes are nobody's.
    pub(crate) fn free(&self) -> usize {
        self.all().filter(|word| word.load(Ordering::Relaxed) == 0).count()
    }

    /// Which part the table lacks, None when it has them all.
    pub(crate) fn missing_part(&self) -> Option<usize> {
        self.parts.iter().position(|part| part.is_empty())
    }

    /// The caller, who holds the lock, waits from now on; None when there is no free node.
    pub(crate) fn sit<T: Tree>(&self, tree: &T) -> Option<Seat<'a>> {
        // Relaxed: the lock orders those who draw.
        let ticket = self.tickets.fetch_add(1, Ordering::Relaxed) & TICKETS;
        let node = bits(WAITING, ticket, Some(tree.me()));
        let claim = |word: &&AtomicU64| {
            word.load(Ordering::Relaxed) == 0
                && word.compare_exchange(0, node, Ordering::AcqRel, Ordering::Relaxed).is_ok()
        };
        self.all().find(claim).map(|node| Seat { node, patience: self.patience })
    }

    /// Has those buried who died before they could use what was granted to them; see [`Self::note_death`].
    pub(crate) fn bury_the_granted<T: Tree>(&self, tree: &T) {
        self.bury_the_dead(tree, |node| node.state == GRANTED);
    }

    /// The same for those who died waiting, whose nodes others need.
    pub(crate) fn bury_waiters<T: Tree>(&self, tree: &T) {
        self.bury_the_dead(tree, Node::waits);
    }

    fn bury_the_dead<T: Tree>(&self, tree: &T, which: impl Fn(&Node) -> bool) {
        let mut last = Some(tree.me());
        for word in self.all() {
            let node = Node::read(word);
            if which(&node) && node.owner != last {
                last = node.owner;
                if let Some(owner) = last.filter(|&owner| tree.is_dead(owner)) {
                    tree.bury(owner);
                }
            }
        }
    }

    /// By the lock's holder: releases the `most` who have waited longest, and live. Answers how many those were.
    pub(crate) fn notify<T: Tree>(&self, tree: &T, most: u64) -> u64 {
        let next = self.tickets.load(Ordering::Relaxed) & TICKETS;
        let mut left = most;
        // Again where somebody's time ran out meanwhile, or somebody is dead: the next one is to be released.
        while left > 0 {
            let waiting = self.count() as u64;
            if waiting == 0 {
                break;
            }
            // Where all are released, it does not matter who is dead.
            let choose = waiting > left;
            let since = if choose { self.longest(next, left) } else { 0 };
            for (word, node) in self.waiting().filter(|(_, node)| drawn(node.number, next) >= since) {
                if left == 0 {
                    break;
                }
                let owner = node.owner.filter(|&owner| choose && owner != tree.me());
                if owner.is_some_and(|owner| tree.is_dead(owner)) {
                    node.change(word, 0);
                } else if grant(tree, word, node, next) {
                    left -= 1;
                }
            }
        }
        most - left
    }

    /// Such a number of tickets that so many waiters, or more where words were overwritten, have waited as long.
    fn longest(&self, next: u32, count: u64) -> u32 {
        let waited = || self.waiting().map(|(_, node)| drawn(node.number, next));
        if count == 1 {
            return waited().max().unwrap_or(0);
        }
        let (mut enough, mut too_few) = (0, TICKETS + 1);
        while too_few - enough > 1 {
            let middle = enough + (too_few - enough) / 2;
            if waited().filter(|&since| since >= middle).count() as u64 >= count {
                enough = middle;
            } else {
                too_few = middle;
            }
        }
        enough
    }

    /// By whoever buries a process that knew the condition, one at a time: frees its nodes, and moves the grants that
    /// it did not live to see. Once more does no harm.
    pub(crate) fn note_death<T: Tree>(&self, tree: &T, dead: Owner) {
        let of_dead =
            || self.all().map(|word| (word, Node::read(word))).filter(|(_, node)| node.owner == Some(dead));
        for (word, node) in of_dead().filter(|(_, node)| node.waits()) {
            node.change(word, 0);
        }
        for (word, node) in of_dead().filter(|(_, node)| node.state == GRANTED) {
            self.move_grant(tree, node.number);
            node.change(word, 0);
        }
    }

    /// Grants once more what was granted when `next` was the next ticket, to one who waited then.
    fn move_grant<T: Tree>(&self, tree: &T, next: u32) {
        // A ticket drawn later seems to be older than half of all tickets.
        let waited = |node: &Node| drawn(node.number, next);
        let then = |node: &Node| (1..=TICKETS / 2).contains(&waited(node));
        while let Some((word, node)) =
            self.waiting().filter(|(_, node)| then(node)).max_by_key(|(_, node)| waited(node))
        {
            if grant(tree, word, node, next) {
                return;
            }
        }
    }
}

/// Releases this one; false when it does not wait any more.
fn grant<T: Tree>(tree: &T, word: &AtomicU64, node: Node, next: u32) -> bool {
    let granted = bits(GRANTED, next, node.owner);
    // Who has not said that it is asleep finds the grant where it would say so.
    if node.state != ASLEEP {
        return node.change(word, granted);
    }
    tree.begin_wake();
    let done = node.change(word, granted);
    tree.end_wake(if done { futex::wake_low(word, 1) as u32 } else { 0 });
    done
}

impl Seat<'_> {
    /// Without the lock: waits to be notified; false when the time ran out, and then no notification was for it.
    /// `tick` runs after every slice, and asks who has died.
    pub(crate) fn sleep<T: Tree>(&self, tree: &T, deadline: Deadline, tick: impl Fn()) -> bool {
        if !deadline.is_over() {
            self.patience.spin(|| !Node::read(self.node).waits());
        }
        loop {
            let mut seen = Node::read(self.node);
            if !seen.waits() {
                return true;
            }
            let remaining = deadline.remaining();
            if remaining.is_zero() {
                if seen.change(self.node, 0) {
                    return false;
                }
                continue;
            }
            if seen.state == WAITING {
                let asleep = bits(ASLEEP, seen.number, seen.owner);
                if !seen.change(self.node, asleep) {
                    continue;
                }
                seen.bits = asleep;
            }
            let (_, woken) = tree.wakes();
            let limit = slice(false, remaining);
            match futex::wait_low(self.node, seen.bits as u32, limit) {
                Slept::Elapsed => {}
                Slept::Woken => {
                    tree.is_awake();
                    continue;
                }
                Slept::Interrupted | Slept::Changed => continue,
            }
            if !Node::read(self.node).waits() {
                // For a whole slice nobody was woken, nobody is being woken, and this one was notified.
                if limit < remaining && tree.wakes() == (0, woken) {
                    tree.note_rescue();
                }
                return true;
            }
            tick();
        }
    }

    /// The caller has the lock again: whatever was granted it has.
    pub(crate) fn leave(self) {
        self.node.store(0, Ordering::Release);
    }

    /// Whether it was notified, at some moment.
    #[cfg(test)]
    pub(crate) fn is_granted(&self) -> bool {
        Node::read(self.node).state == GRANTED
    }

    /// A notification whose wake is lost.
    #[cfg(test)]
    pub(crate) fn grant_silently(&self) {
        let node = Node::read(self.node);
        self.node.store(bits(GRANTED, node.number, node.owner), Ordering::Release);
    }
}

#[cfg(test)]
impl ConditionWords {
    /// So many waits later.
    pub(crate) fn skip_tickets(&self, count: u32) {
        self.tickets.fetch_add(count, Ordering::Relaxed);
    }
}
