//! A lock that belongs to one thread of a session, which may take it again while it has it.

use super::{Caller, Context, DONE, Object, Outcome, truth, unknown};
use crate::error::{Result, fail};
use crate::manager::codec::Value;

#[derive(Default)]
pub(super) struct RLock {
    /// And how often.
    holder: Option<(Caller, u64)>,
    /// How often it was taken or released.
    turn: u64,
    /// The last holder died with it.
    abandoned: bool,
}

pub(super) fn make(args: &mut [Value], _cx: &mut Context<'_>) -> Result<Box<dyn Object>> {
    if !args.is_empty() {
        fail!(Invalid, "an RLock is made of nothing");
    }
    Ok(Box::new(RLock::default()))
}

impl RLock {
    fn abandon(&mut self, cx: &mut Context<'_>) {
        self.holder = None;
        self.abandoned = true;
        cx.changed();
    }
}

impl Object for RLock {
    fn call(&mut self, method: &str, args: &mut [Value], cx: &mut Context<'_>) -> Result<Outcome> {
        Ok(match (method, args) {
            ("acquire", []) => {
                let times = match self.holder {
                    Some((holder, times)) if holder == cx.caller => times + 1,
                    Some(_) => return Ok(Outcome::Park(0)),
                    None => 1,
                };
                self.holder = Some((cx.caller, times));
                cx.claim();
                self.turn += 1;
                cx.undoable(self.turn);
                match std::mem::take(&mut self.abandoned) {
                    true => Outcome::OwnerDied,
                    false => DONE,
                }
            }
            ("release", []) => {
                match self.holder {
                    Some((holder, 1)) if holder == cx.caller => {
                        self.holder = None;
                        cx.disclaim(holder.session);
                        cx.changed();
                    }
                    Some((holder, times)) if holder == cx.caller => self.holder = Some((holder, times - 1)),
                    _ => fail!(NotOwner, "this thread does not hold the RLock"),
                }
                self.turn += 1;
                DONE
            }
            ("locked", []) => truth(self.holder.is_some()),
            (method, args) => return Err(unknown("RLock", method, args)),
        })
    }

    fn describe(&self, to: &mut String, _cx: &Context<'_>) {
        to.push_str(if self.holder.is_some() { "<locked RLock>" } else { "<unlocked RLock>" });
    }

    fn held_by(&self, caller: Caller) -> u64 {
        self.holder.filter(|(holder, _)| *holder == caller).map_or(0, |(_, times)| times)
    }

    fn leave(&mut self, cx: &mut Context<'_>) {
        if self.holder.is_some_and(|(holder, _)| holder.session == cx.caller.session) {
            self.abandon(cx);
        }
    }

    fn undo(&mut self, turn: u64, cx: &mut Context<'_>) {
        // It may have been released since, on another connection, and taken again.
        if self.turn != turn {
            return;
        }
        match self.holder {
            Some((holder, 1)) if holder == cx.caller => {
                self.abandon(cx);
                cx.disclaim(holder.session);
            }
            Some((holder, times)) if holder == cx.caller => self.holder = Some((holder, times - 1)),
            _ => {}
        }
    }
}
