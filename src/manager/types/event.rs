//! An event.

use super::{Context, DONE, Object, Outcome, truth, unknown};
use crate::error::{Result, fail};
use crate::manager::codec::Value;

struct Event {
    is_set: bool,
    /// One more with each set, from 1: who came before it is released, also where it was cleared since.
    epoch: u64,
}

pub(super) fn make(args: &mut [Value], _cx: &mut Context<'_>) -> Result<Box<dyn Object>> {
    if !args.is_empty() {
        fail!(Invalid, "an Event is made of nothing");
    }
    Ok(Box::new(Event { is_set: false, epoch: 1 }))
}

impl Object for Event {
    fn call(&mut self, method: &str, args: &mut [Value], cx: &mut Context<'_>) -> Result<Outcome> {
        Ok(match (method, args) {
            ("set", []) => {
                self.is_set = true;
                self.epoch += 1;
                cx.changed();
                DONE
            }
            ("clear", []) => {
                self.is_set = false;
                DONE
            }
            ("is_set", []) => truth(self.is_set),
            ("wait", []) => {
                if *cx.note == 0 {
                    *cx.note = self.epoch;
                }
                if self.is_set || *cx.note != self.epoch { DONE } else { Outcome::Park(0) }
            }
            (method, args) => return Err(unknown("Event", method, args)),
        })
    }

    fn describe(&self, to: &mut String, _cx: &Context<'_>) {
        to.push_str(if self.is_set { "<Event set>" } else { "<Event unset>" });
    }
}
