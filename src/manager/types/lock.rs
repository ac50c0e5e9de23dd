//! A lock. It belongs to the session that took it, and any session may release it.

use super::{Caller, Context, DONE, Object, Outcome, truth, unknown};
use crate::error::{Result, fail};
use crate::manager::codec::Value;
use crate::manager::store::Ticket;

#[derive(Default)]
struct Lock {
    holder: Option<Ticket>,
    /// How often it was taken.
    turn: u64,
    /// The last holder died with it.
    abandoned: bool,
}

pub(super) fn make(args: &mut [Value], _cx: &mut Context<'_>) -> Result<Box<dyn Object>> {
    if !args.is_empty() {
        fail!(Invalid, "a Lock is made of nothing");
    }
    Ok(Box::new(Lock::default()))
}

impl Object for Lock {
    fn call(&mut self, method: &str, args: &mut [Value], cx: &mut Context<'_>) -> Result<Outcome> {
        Ok(match (method, args) {
            ("acquire", []) => {
                if self.holder.is_some() {
                    return Ok(Outcome::Park(0));
                }
                self.holder = Some(cx.caller.session);
                cx.claim();
                self.turn += 1;
                cx.undoable(self.turn);
                match std::mem::take(&mut self.abandoned) {
                    true => Outcome::OwnerDied,
                    false => DONE,
                }
            }
            ("release", []) => {
                let Some(holder) = self.holder.take() else {
                    fail!(OverRelease, "the lock is not held");
                };
                cx.disclaim(holder);
                cx.changed();
                DONE
            }
            ("locked", []) => truth(self.holder.is_some()),
            (method, args) => return Err(unknown("Lock", method, args)),
        })
    }

    fn describe(&self, to: &mut String, _cx: &Context<'_>) {
        to.push_str(if self.holder.is_some() { "<locked Lock>" } else { "<unlocked Lock>" });
    }

    fn held_by(&self, caller: Caller) -> u64 {
        u64::from(self.holder == Some(caller.session))
    }

    fn leave(&mut self, cx: &mut Context<'_>) {
        if self.holder == Some(cx.caller.session) {
            self.holder = None;
            self.abandoned = true;
            cx.changed();
        }
    }

    fn undo(&mut self, turn: u64, cx: &mut Context<'_>) {
        // It may have been released since, on another connection, and taken again.
        if self.turn == turn && self.holder.is_some() {
            self.leave(cx);
            cx.disclaim(cx.caller.session);
        }
    }
}
