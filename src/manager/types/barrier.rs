//! A barrier. Each who waits has a number, `cycle * parties + index + 1`, in its note.
//!
//! | a cycle is | until                                                                       |
//! |------------|-----------------------------------------------------------------------------|
//! | open       | the last has come, or it breaks                                             |
//! | acting     | the action, on a thread of the crew, is over; or it breaks, for all the same |
//! | over       | the next one                                                                |

use super::{Context, DONE, Object, Outcome, length, one, truth, unknown};
use crate::error::{Error, Result, Status, fail};
use crate::manager::codec::Value;
use crate::manager::crew::Row;
use crate::manager::registry::House;
use crate::process::Target;
use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};

/// What is done between two cycles.
struct Action {
    function: usize,
    house: Arc<House>,
    row: Arc<Row>,
    /// In which cycle it was over last, and whether it returned.
    done: Arc<Mutex<Option<(u64, bool)>>>,
}

impl Action {
    fn new(name: &str, house: &Arc<House>) -> Result<Self> {
        let function = Target::Name(name.as_bytes().to_vec()).address()?;
        Ok(Action { function, house: Arc::clone(house), row: Row::new(&house.crew), done: Arc::default() })
    }

    fn begin(&self, cycle: u64, barrier: u64) -> Result<()> {
        let (function, house, done) = (self.function, Arc::clone(&self.house), Arc::clone(&self.done));
        self.row.push(cycle, move || {
            let returned = (house.hooks.action)(function).is_ok();
            *done.lock().unwrap_or_else(PoisonError::into_inner) = Some((cycle, returned));
            house.ring(barrier);
        })
    }

    /// Whether it returned in this cycle, once it is over.
    fn is_over(&self, cycle: u64) -> Option<bool> {
        let done = *self.done.lock().unwrap_or_else(PoisonError::into_inner);
        done.filter(|&(of, _)| of == cycle).map(|(_, returned)| returned)
    }
}

struct Ended {
    passed: bool,
    /// So many who waited have not been told yet.
    left: u64,
}

struct Barrier {
    parties: u64,
    cycle: u64,
    /// In this cycle.
    arrived: u64,
    broken: bool,
    action: Option<Action>,
    /// Cycles of whose end not everybody has been told.
    ended: HashMap<u64, Ended>,
}

pub(super) fn make(args: &mut [Value], cx: &mut Context<'_>) -> Result<Box<dyn Object>> {
    let (parties, action) = match &*args {
        &[Value::Int(parties @ 1..=32767)] => (parties, None),
        [Value::Int(parties @ 1..=32767), Value::Text(name)] => {
            (*parties, Some(Action::new(name, &cx.store.house)?))
        }
        _ => {
            fail!(Invalid, "a Barrier is made of a number of parties, 1 to 32767, and the name of an action")
        }
    };
    Ok(Box::new(Barrier {
        parties: parties as u64,
        cycle: 0,
        arrived: 0,
        broken: false,
        action,
        ended: HashMap::new(),
    }))
}

fn broken() -> Error {
    Error::new(Status::BrokenBarrier, "the barrier is broken")
}

impl Barrier {
    fn end_cycle(&mut self, passed: bool, cx: &mut Context<'_>) {
        if self.arrived > 0 {
            self.ended.insert(self.cycle, Ended { passed, left: self.arrived });
        }
        self.cycle += 1;
        self.arrived = 0;
        cx.changed();
    }

    fn break_now(&mut self, cx: &mut Context<'_>) {
        self.broken = true;
        self.end_cycle(false, cx);
    }

    fn cycle_of(&self, note: u64) -> u64 {
        (note - 1) / self.parties
    }

    /// Tells one of those who waited in a cycle that is over whether it passed.
    fn tell(&mut self, cycle: u64) -> bool {
        let Some(ended) = self.ended.get_mut(&cycle) else { return false };
        ended.left -= 1;
        let passed = ended.passed;
        if ended.left == 0 {
            self.ended.remove(&cycle);
        }
        passed
    }

    fn wait(&mut self, cx: &mut Context<'_>) -> Result<Outcome> {
        if *cx.note != 0 {
            let cycle = self.cycle_of(*cx.note);
            let is_over = || self.action.as_ref().filter(|_| cycle == self.cycle)?.is_over(cycle);
            match is_over() {
                Some(true) => self.end_cycle(true, cx),
                Some(false) => self.break_now(cx),
                None => {}
            }
            return match cycle == self.cycle {
                true => Ok(Outcome::Park(0)),
                false if self.tell(cycle) => Ok(length(((*cx.note - 1) % self.parties) as usize)),
                false => Err(broken()),
            };
        }
        if self.broken {
            return Err(broken());
        }
        let index = self.arrived;
        if index + 1 == self.parties {
            if let Some(action) = &self.action {
                if let Err(e) = action.begin(self.cycle, cx.own) {
                    self.break_now(cx);
                    return Err(e);
                }
                self.arrived += 1;
                *cx.note = self.cycle * self.parties + index + 1;
                return Ok(Outcome::Run(0));
            }
            self.end_cycle(true, cx);
            return Ok(length(index as usize));
        }
        if !cx.patient {
            self.break_now(cx);
            return Err(broken());
        }
        self.arrived += 1;
        *cx.note = self.cycle * self.parties + index + 1;
        Ok(Outcome::Park(0))
    }
}

impl Object for Barrier {
    fn call(&mut self, method: &str, args: &mut [Value], cx: &mut Context<'_>) -> Result<Outcome> {
        Ok(match (method, args) {
            ("wait", []) => self.wait(cx)?,
            ("abort", []) => {
                self.break_now(cx);
                DONE
            }
            ("reset", []) => {
                self.end_cycle(false, cx);
                self.broken = false;
                DONE
            }
            ("parties", []) => one(Value::Int(self.parties as i64)),
            ("n_waiting", []) => one(Value::Int(self.arrived as i64)),
            ("broken", []) => truth(self.broken),
            (method, args) => return Err(unknown("Barrier", method, args)),
        })
    }

    fn describe(&self, to: &mut String, _cx: &Context<'_>) {
        to.push_str(&match self.broken {
            true => "<Barrier: broken>".to_owned(),
            false => format!("<Barrier: waiters={}/{}>", self.arrived, self.parties),
        });
    }

    /// Whoever does not wait any more is missed.
    fn late(&mut self, cx: &mut Context<'_>) -> bool {
        if self.cycle_of(*cx.note) == self.cycle {
            self.break_now(cx);
        }
        true
    }

    fn gave_up(&mut self, cx: &mut Context<'_>) {
        self.late(cx);
        self.tell(self.cycle_of(*cx.note));
    }
}
