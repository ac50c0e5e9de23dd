//! A barrier: cycles of so many parties each. One word says how the present cycle stands and how the last ones
//! ended; beside it there is one word for each party, in two rows, for the present cycle and for the one before.
//!
//! | bits  | the state                                                      |
//! |-------|----------------------------------------------------------------|
//! | 0–1   | phase: filling, running (the action), broken                   |
//! | 2–16  | how many have arrived                                          |
//! | 17–31 | how the last 15 cycles ended, the last one lowest: 1 passed, 0 broken |
//! | 32–63 | the cycle's number; every end of a cycle adds one              |
//!
//! | from              | to                        | who                                  |
//! |-------------------|---------------------------|--------------------------------------|
//! | filling, n        | filling, n + 1            | whoever sees that party n has arrived |
//! | filling, last     | next cycle, filling, 0    | the same, without an action          |
//! | filling, last     | running, all              | the same, with one                   |
//! | running           | next cycle, filling, 0    | the last party, when the action is done |
//! | filling, running  | next number, broken       | one whose time is over or whose action failed; abort; a death |
//! | any               | next number, filling, 0   | reset                                |
//!
//! | bits  | a party       |
//! |-------|---------------|
//! | 0–30  | its process   |
//! | 32–63 | its cycle's number |
//!
//! A party arrives by a compare-and-swap of the first word of the row that is not of this cycle yet: its place
//! there is its number. Whoever sees the word counts it in the state, so one who is killed in between is counted
//! all the same, and is found dead as any other one. Numbers come again after 2^32 cycles, longer than anybody
//! stands still between two steps.

use super::{Owner, Patience, Spot, Tree, Wait};
use crate::sys::atomic::{AtomicU64, Ordering};
use crate::time::Deadline;
use std::convert::Infallible;

const ARRIVED_AT: u32 = 2;
const HISTORY_AT: u32 = 17;
const REMEMBERED: u32 = 15;
const FIFTEEN: u32 = 0x7FFF;

/// What may be asked for: as many as the state can count.
pub(crate) const MOST_PARTIES: u64 = FIFTEEN as u64;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Phase {
    Filling = 0,
    Running,
    Broken,
}

/// The state, taken apart.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct State {
    phase: Phase,
    arrived: u32,
    history: u32,
    cycle: u32,
}

impl State {
    fn bits(self) -> u64 {
        u64::from(self.cycle) << 32
            | u64::from(self.history << HISTORY_AT | self.arrived << ARRIVED_AT | self.phase as u32)
    }

    /// From bits that may be anything.
    fn from_bits(bits: u64) -> Self {
        let low = bits as u32;
        let phase = match low & 3 {
            0 => Phase::Filling,
            1 => Phase::Running,
            _ => Phase::Broken,
        };
        State {
            phase,
            arrived: low >> ARRIVED_AT & FIFTEEN,
            history: low >> HISTORY_AT,
            cycle: (bits >> 32) as u32,
        }
    }

    /// The cycle is over.
    fn ended(self, passed: bool, phase: Phase) -> Self {
        let history = (self.history << 1 | u32::from(passed)) & FIFTEEN;
        State { phase, arrived: 0, history, cycle: self.cycle.wrapping_add(1) }
    }

    /// How a cycle ended, None while it has not.
    fn end_of(self, cycle: u32) -> Option<End> {
        let since = self.cycle.wrapping_sub(cycle);
        let passed = match since {
            0 => return None,
            // Who looks so late that its cycle is forgotten goes by what is remembered.
            since if since > REMEMBERED => self.history == FIFTEEN,
            since => self.history >> (since - 1) & 1 == 1,
        };
        Some(if passed { End::Passed } else { End::Broken })
    }

    /// How many wait for others, at least 1: whoever runs the action does not.
    fn asleep(self) -> u32 {
        self.arrived.saturating_sub(u32::from(self.phase == Phase::Running)).max(1)
    }

    /// The cycle before, where it passed.
    fn cycle_before(self) -> Option<u32> {
        (self.history & 1 == 1).then(|| self.cycle.wrapping_sub(1))
    }
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum End {
    Passed,
    Broken,
}

/// Why a wait failed.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Failure<E> {
    /// The barrier was broken, or broke meanwhile.
    Broken,
    /// This call's time was over, and so it broke the barrier.
    TooLate,
    /// The cycle was full without this call, and its time was over before the next one began.
    NotIn,
    /// This call ran the action, which failed.
    Action(E),
}

/// What the parties share.
#[repr(C)]
#[derive(Default)]
pub(crate) struct BarrierWords {
    state: AtomicU64,
    spot: Spot,
    patience: Patience,
}

#[cfg(test)]
impl BarrierWords {
    pub(crate) fn overwrite(&self, bits: u64) {
        self.state.store(bits, Ordering::Relaxed);
    }
}

/// The words and the rows: two times as many members as there are parties.
pub(crate) struct Barrier<'a> {
    words: &'a BarrierWords,
    members: &'a [AtomicU64],
    has_action: bool,
}

/// A place in a cycle.
#[derive(Clone, Copy)]
struct Place {
    cycle: u32,
    index: u32,
}

fn member(owner: Owner, cycle: u32) -> u64 {
    u64::from(cycle) << 32 | u64::from(owner.bits())
}

/// Who has this place in this cycle.
fn owner_of(member: u64, cycle: u32) -> Option<Owner> {
    ((member >> 32) as u32 == cycle).then(|| Owner::from_bits(member as u32)).flatten()
}

impl<'a> Barrier<'a> {
    /// `members` has twice the number of parties, which is at least one.
    pub(crate) fn new(words: &'a BarrierWords, members: &'a [AtomicU64], has_action: bool) -> Self {
        Barrier { words, members, has_action }
    }

    fn parties(&self) -> u32 {
        (self.members.len() / 2) as u32
    }

    fn row(&self, cycle: u32) -> &'a [AtomicU64] {
        let parties = self.parties() as usize;
        &self.members[(cycle & 1) as usize * parties..][..parties]
    }

    /// SeqCst: see `Spot::notify_swapped`. It also acquires what the parties stored before they arrived.
    fn state(&self) -> State {
        State::from_bits(self.words.state.load(Ordering::SeqCst))
    }

    /// SeqCst: see `Spot::notify_swapped`. It also releases what this party stored, and passes on what others did.
    fn change(&self, from: State, to: State) -> bool {
        let (from, to) = (from.bits(), to.bits());
        self.words.state.compare_exchange(from, to, Ordering::SeqCst, Ordering::Relaxed).is_ok()
    }

    /// The same where the cycle ends: all who wait have to know.
    fn end<T: Tree>(&self, tree: &T, from: State, to: State) -> bool {
        self.words.spot.swap_and_notify(tree, i32::MAX, || self.change(from, to))
    }

    /// Waits for the others. The one who comes last runs the action. Answers how many came before.
    pub(crate) fn wait<T: Tree, E>(
        &self,
        tree: &T,
        deadline: Deadline,
        action: impl FnOnce() -> Result<(), E>,
    ) -> Result<u32, Failure<E>> {
        let place = self.arrive(tree, deadline)?;
        if self.has_action && place.index + 1 == self.parties() {
            self.run(tree, place.cycle, action)?;
        } else {
            self.await_others(tree, deadline, place)?;
        }
        Ok(place.index)
    }

    /// Takes a place in the present cycle, or in the next one if that is full.
    fn arrive<T: Tree, E>(&self, tree: &T, deadline: Deadline) -> Result<Place, Failure<E>> {
        loop {
            let seen = self.state();
            match seen.phase {
                Phase::Broken => return Err(Failure::Broken),
                Phase::Running => {
                    let look = || (self.state().cycle != seen.cycle).then_some(());
                    let tick = || self.ask_who_lives(tree, Place { cycle: seen.cycle, index: 0 }, 1);
                    match self.words.spot.wait(tree, deadline, true, look, tick) {
                        Ok(Wait::TimedOut) => return Err(Failure::NotIn),
                        Ok(Wait::Found(())) => continue,
                        Err(never) => match never {},
                    }
                }
                Phase::Filling => {}
            }
            let Some(word) = self.row(seen.cycle).get(seen.arrived as usize) else {
                // No such state comes about by itself.
                return Err(Failure::Broken);
            };
            let was = word.load(Ordering::Acquire);
            if owner_of(was, seen.cycle).is_some() {
                self.count(tree, seen);
                continue;
            }
            // Release: whoever counts us passes on what we stored before.
            let me = member(tree.me(), seen.cycle);
            if word.compare_exchange(was, me, Ordering::AcqRel, Ordering::Relaxed).is_ok() {
                self.count(tree, seen);
                return Ok(Place { cycle: seen.cycle, index: seen.arrived });
            }
        }
    }

    /// One more has arrived, at the place that `seen` says is next. In vain where another has counted it.
    fn count<T: Tree>(&self, tree: &T, seen: State) {
        let arrived = seen.arrived + 1;
        if arrived < self.parties() {
            self.change(seen, State { arrived, ..seen });
        } else if self.has_action {
            self.change(seen, State { arrived, phase: Phase::Running, ..seen });
        } else {
            self.end(tree, seen, seen.ended(true, Phase::Filling));
        }
    }

    /// The last party runs the action.
    fn run<T: Tree, E>(
        &self,
        tree: &T,
        cycle: u32,
        action: impl FnOnce() -> Result<(), E>,
    ) -> Result<(), Failure<E>> {
        if self.state().cycle != cycle {
            return Err(Failure::Broken);
        }
        // However the action is left, the others do not wait for ever.
        let unfinished = Unfinished { barrier: self, tree, cycle };
        action().map_err(Failure::Action)?;
        std::mem::forget(unfinished);
        let seen = self.state();
        if seen.cycle == cycle && self.end(tree, seen, seen.ended(true, Phase::Filling)) {
            return Ok(());
        }
        // Somebody has broken the cycle meanwhile, or begun a new one.
        Err(Failure::Broken)
    }

    fn await_others<T: Tree, E>(&self, tree: &T, deadline: Deadline, place: Place) -> Result<(), Failure<E>> {
        let look = || self.state().end_of(place.cycle);
        let end = look().or_else(|| {
            if !deadline.is_over() && self.words.patience.spin(|| look().is_some()) {
                return look();
            }
            let tick = || self.ask_who_lives(tree, place, self.state().asleep());
            match self.words.spot.wait_asleep(tree, deadline, true, look, tick) {
                Ok(Wait::Found(end)) => Some(end),
                Ok(Wait::TimedOut) => None,
                Err(never) => match never {},
            }
        });
        match end {
            Some(End::Passed) => Ok(()),
            Some(End::Broken) => Err(Failure::Broken),
            None if self.break_cycle(tree, place.cycle) => Err(Failure::TooLate),
            // It ended just now, one way or the other.
            None if look() == Some(End::Passed) => Ok(()),
            None => Err(Failure::Broken),
        }
    }

    /// Breaks this cycle, unless it has ended: then false.
    fn break_cycle<T: Tree>(&self, tree: &T, cycle: u32) -> bool {
        loop {
            let seen = self.state();
            if seen.cycle != cycle {
                return false;
            }
            if self.end(tree, seen, seen.ended(false, Phase::Broken)) {
                return true;
            }
        }
    }

    /// Has the dead among the parties buried, of this cycle and of the one before; see [`Self::note_death`]. Those
    /// who wait share the work: each asks after every n-th party, and first after whoever came next, so that a
    /// sleeper who died is itself asked after by one who lives.
    fn ask_who_lives<T: Tree>(&self, tree: &T, place: Place, sleepers: u32) -> Result<(), Infallible> {
        let seen = self.state();
        if seen.cycle != place.cycle {
            return Ok(());
        }
        let first = (place.index + 1) % sleepers;
        let mut last = None;
        for cycle in seen.cycle_before().into_iter().chain([seen.cycle]) {
            for word in self.row(cycle).iter().skip(first as usize).step_by(sleepers as usize) {
                let owner = owner_of(word.load(Ordering::Relaxed), cycle);
                if let Some(owner) = owner.filter(|_| owner != last)
                    && tree.is_dead(owner)
                {
                    tree.bury(owner);
                }
                last = owner;
            }
        }
        Ok(())
    }

    /// By whoever buries a process that knew the barrier: where it died inside the present cycle the barrier
    /// breaks, and also where it took part in the one before and its end was not a normal one. Once more does no
    /// harm.
    pub(crate) fn note_death<T: Tree>(&self, tree: &T, dead: Owner, normally: bool) {
        loop {
            let seen = self.state();
            if seen.phase == Phase::Broken {
                return;
            }
            let took_part = |cycle| {
                self.row(cycle).iter().any(|word| word.load(Ordering::Acquire) == member(dead, cycle))
            };
            let missing = took_part(seen.cycle) || !normally && seen.cycle_before().is_some_and(took_part);
            // Where the cycle ended meanwhile, the one that was the present is now the one before.
            if missing {
                if self.break_cycle(tree, seen.cycle) {
                    return;
                }
            } else if self.state().cycle == seen.cycle {
                return;
            }
        }
    }

    /// Breaks the barrier.
    pub(crate) fn abort<T: Tree>(&self, tree: &T) {
        loop {
            let seen = self.state();
            if seen.phase == Phase::Broken || self.end(tree, seen, seen.ended(false, Phase::Broken)) {
                return;
            }
        }
    }

    /// Makes it usable again. Who waits finds it broken.
    pub(crate) fn reset<T: Tree>(&self, tree: &T) {
        loop {
            let seen = self.state();
            if self.end(tree, seen, seen.ended(false, Phase::Filling)) {
                return;
            }
        }
    }

    /// How that cycle ended, None while it has not.
    #[cfg(test)]
    pub(crate) fn passed(&self, cycle: u32) -> Option<bool> {
        self.state().end_of(cycle).map(|end| end == End::Passed)
    }

    /// Arrives as one who is killed right after, or even before it is counted.
    #[cfg(test)]
    pub(crate) fn take_place<T: Tree>(&self, tree: &T, counted: bool) {
        let seen = self.state();
        self.row(seen.cycle)[seen.arrived as usize].store(member(tree.me(), seen.cycle), Ordering::Relaxed);
        if counted {
            self.count(tree, seen);
        }
    }

    pub(crate) fn is_broken(&self) -> bool {
        self.state().phase == Phase::Broken
    }

    /// How many wait.
    pub(crate) fn waiting(&self) -> u32 {
        self.state().arrived
    }
}

/// A cycle whose action has not ended well.
struct Unfinished<'a, T: Tree> {
    barrier: &'a Barrier<'a>,
    tree: &'a T,
    cycle: u32,
}

impl<T: Tree> Drop for Unfinished<'_, T> {
    fn drop(&mut self) {
        self.barrier.break_cycle(self.tree, self.cycle);
    }
}
