//! Runs a model in all the ways it can go.

use super::park::{Bells, Owner, Spot, Tree};
use crate::sys::atomic::{AtomicU32, Ordering};
use crate::sys::futex;
use crate::world::{self, Kill};
use std::cell::Cell;
use std::sync::Arc;
use std::time::Duration;

/// More than any process of a model has steps.
const MOST_STEPS: usize = 200;

/// All of a model's places are one to the bells, or runs would differ by what lies where.
pub(super) const PLACE: usize = 0;

thread_local! {
    /// Who is rung, in a model that has any. All threads of the checker are one thread of the system's.
    pub(super) static BELLS: Cell<*const Bells<2, 1>> = const { Cell::new(std::ptr::null()) };
}

type Mourn = dyn Fn(&Process, Owner);

/// A process of a model, and what it knows of the others.
pub(super) struct Process {
    number: usize,
    /// Several may be threads of one.
    owner: Owner,
    /// What is to be done about a dead process.
    mourn: Arc<Mourn>,
}

impl Process {
    fn owner_of(number: usize) -> Owner {
        Owner::new(number as u32 + 1, 1)
    }

    pub(super) fn number(&self) -> usize {
        self.number
    }

    /// As another thread of that process.
    pub(super) fn thread_of(&self, other: usize) -> Self {
        Process { number: self.number, owner: Self::owner_of(other), mourn: Arc::clone(&self.mourn) }
    }

    /// The clock strikes: whoever waits until then gives up.
    pub(super) fn strike(&self) {
        world::strike();
    }

    /// Until another has a seat somewhere.
    pub(super) fn await_seat(&self) {
        world::await_seat();
    }

    pub(super) fn other_is_dead(&self, number: usize) -> bool {
        self.is_dead(Self::owner_of(number))
    }
}

impl Tree for Process {
    type Seat = ();

    fn me(&self) -> Owner {
        self.owner
    }

    fn is_dead(&self, owner: Owner) -> bool {
        world::is_dead(owner.slot() as usize - 1)
    }

    fn bury(&self, owner: Owner) {
        world::one_by_one(|| (self.mourn)(self, owner));
    }

    fn sit(&self, spot: &Spot) {
        spot.enter();
        world::somebody_sits();
    }

    fn rise(&self, spot: &Spot, (): ()) {
        spot.leave();
    }

    // These serve to tell a lost wake from a late one, which the model knows by itself.
    fn begin_wake(&self) {}

    fn end_wake(&self, _woken: u32) {}

    fn is_awake(&self) {}

    fn wakes(&self) -> (u32, u32) {
        (0, 0)
    }

    fn ring(_: usize) {
        // SAFETY: a run's bells outlive its processes, who set this.
        if let Some(bells) = unsafe { BELLS.get().as_ref() } {
            bells.ring(PLACE);
        }
    }

    fn note_rescue(&self) {
        world::note_rescue();
    }

    fn note_owner_death(&self) {}
}

/// The same, which asks for a lock to be kept when it was woken in vain so often.
pub(super) struct Hasty<'a, const IN_VAIN: u32>(pub(super) &'a Process);

impl<const IN_VAIN: u32> Tree for Hasty<'_, IN_VAIN> {
    type Seat = ();
    const IN_VAIN: u32 = IN_VAIN;

    fn me(&self) -> Owner {
        self.0.me()
    }

    fn is_dead(&self, owner: Owner) -> bool {
        self.0.is_dead(owner)
    }

    fn bury(&self, owner: Owner) {
        self.0.bury(owner);
    }

    fn sit(&self, spot: &Spot) {
        self.0.sit(spot);
    }

    fn rise(&self, spot: &Spot, (): ()) {
        self.0.rise(spot, ());
    }

    fn begin_wake(&self) {}

    fn end_wake(&self, _woken: u32) {}

    fn is_awake(&self) {}

    fn wakes(&self) -> (u32, u32) {
        (0, 0)
    }

    fn ring(place: usize) {
        Process::ring(place);
    }

    fn note_rescue(&self) {
        self.0.note_rescue();
    }

    fn note_owner_death(&self) {}
}

/// What a process does with what all of them share.
pub(super) type Body<S> = fn(&Process, &S);

/// Nothing is to be done about the dead.
pub(super) fn unmourned<S>(_: &Process, _: &S, _: Owner) {}

/// How many have come so far. Who waits for that sleeps as everybody here does.
#[derive(Default)]
pub(super) struct Counter(AtomicU32);

impl Counter {
    pub(super) fn add(&self) {
        self.0.fetch_add(1, Ordering::AcqRel);
        futex::wake(&self.0, i32::MAX);
    }

    /// Until there are so many, or it is in vain.
    pub(super) fn await_count(&self, count: u32, in_vain: impl Fn() -> bool) {
        loop {
            let seen = self.0.load(Ordering::Acquire);
            if seen >= count || in_vain() {
                return;
            }
            futex::wait(&self.0, seen, Duration::MAX);
        }
    }
}

/// How a run ended.
#[derive(Clone, Copy)]
pub(super) struct End {
    pub(super) killed: Option<usize>,
}

/// What can be tried of a model.
pub(super) struct Model<S: 'static> {
    /// What the processes share, as it is at first.
    pub(super) new: fn() -> S,
    pub(super) processes: &'static [Body<S>],
    /// What whoever finds a process dead does for it.
    pub(super) mourn: fn(&Process, &S, Owner),
    /// What must be true when all processes have come to their ends.
    pub(super) end: fn(&S, End),
    /// See `bound`.
    pub(super) interruptions: usize,
}

impl<S: Send + Sync + 'static> Model<S> {
    /// Nobody is killed.
    pub(super) fn run(&self) {
        self.explore(None);
    }

    /// Each of these is killed after each of its steps, in every run that has so many.
    pub(super) fn kill(&self, victims: &[usize]) {
        for &process in victims {
            for step in 1.. {
                assert!(step < MOST_STEPS, "a process comes to no end");
                if !self.explore(Some(Kill { process, step })) {
                    break;
                }
            }
        }
    }

    /// Whether anybody was killed in any of the runs.
    fn explore(&self, kill: Option<Kill>) -> bool {
        let happened = Arc::new(std::sync::atomic::AtomicBool::new(false));
        let (new, processes, mourn, end) = (self.new, self.processes, self.mourn, self.end);
        let told = Arc::clone(&happened);
        let mut checker = loom::model::Builder::new();
        checker.preemption_bound = bound(self.interruptions);
        checker.max_branches = 10_000;
        checker.check(move || {
            world::begin(processes.len(), kill);
            let shared = Arc::new(new());
            let threads: Vec<_> = processes
                .iter()
                .enumerate()
                .map(|(number, body)| {
                    let shared = Arc::clone(&shared);
                    loom::thread::spawn(move || {
                        let mourned = Arc::clone(&shared);
                        let mourn = Arc::new(move |process: &Process, dead| mourn(process, &mourned, dead));
                        let process = Process { number, owner: Process::owner_of(number), mourn };
                        world::live(process.number, || body(&process, &shared));
                    })
                })
                .collect();
            for thread in threads {
                thread.join().expect("its panic is this one's");
            }
            let killed = world::somebody_died();
            told.fetch_or(killed, std::sync::atomic::Ordering::Relaxed);
            end(&shared, End { killed: kill.filter(|_| killed).map(|kill| kill.process) });
            world::end();
        });
        happened.load(std::sync::atomic::Ordering::Relaxed)
    }
}

/// How often processes may be interrupted in one run, where they could go on. `MP_MODELS=long` takes much longer, and
/// `MP_MODELS=all` sets no limit.
fn bound(interruptions: usize) -> Option<usize> {
    match std::env::var("MP_MODELS").as_deref() {
        Ok("all") => None,
        Ok("long") => Some(interruptions + 1),
        Ok(other) => panic!("MP_MODELS is {other}"),
        Err(_) => Some(interruptions),
    }
}
