//! A queue, with the count of tasks that are not done yet.

use super::{Context, DONE, Object, Outcome, length, one, truth, unknown};
use crate::error::Error;
use crate::error::{Result, Status, fail};
use crate::manager::codec::Value;
use std::collections::VecDeque;

/// Those who get, who put, and who wait for the tasks' end.
const GETTERS: u8 = 0;
const PUTTERS: u8 = 1;
const JOINERS: u8 = 2;

struct Queue {
    values: VecDeque<Value>,
    /// No more than that at a time; 0: as many as there is memory for.
    most: usize,
    unfinished: usize,
}

pub(super) fn make(args: &mut [Value], _cx: &mut Context<'_>) -> Result<Box<dyn Object>> {
    let most = match args {
        [] => 0,
        // As in Python, a negative number is none.
        [Value::Int(most)] => usize::try_from(*most).unwrap_or(0),
        _ => fail!(Invalid, "a Queue is made of a number, the most that it takes, or of nothing"),
    };
    Ok(Box::new(Queue { values: VecDeque::new(), most, unfinished: 0 }))
}

impl Queue {
    fn is_full(&self) -> bool {
        self.most > 0 && self.values.len() >= self.most
    }
}

impl Object for Queue {
    fn call(&mut self, method: &str, args: &mut [Value], cx: &mut Context<'_>) -> Result<Outcome> {
        Ok(match (method, args) {
            ("put", [_]) if self.is_full() && cx.patient => Outcome::Park(PUTTERS),
            ("put", [_]) if self.is_full() => fail!(Full, "the queue is full"),
            ("put", [value]) => {
                self.values
                    .try_reserve(1)
                    .map_err(|_| Error::new(Status::NoMemory, "no memory for a longer queue"))?;
                cx.keep(value)?;
                self.values.push_back(std::mem::take(value));
                self.unfinished += 1;
                cx.changed();
                DONE
            }
            ("get", []) => match self.values.pop_front() {
                Some(value) => {
                    cx.hand_over(&value);
                    cx.changed();
                    one(value)
                }
                None if cx.patient => Outcome::Park(GETTERS),
                None => fail!(Empty, "the queue is empty"),
            },
            ("qsize", []) => length(self.values.len()),
            ("empty", []) => truth(self.values.is_empty()),
            ("full", []) => truth(self.is_full()),
            ("task_done", []) => {
                let Some(left) = self.unfinished.checked_sub(1) else {
                    fail!(OverRelease, "there were not so many tasks");
                };
                self.unfinished = left;
                cx.changed();
                DONE
            }
            ("join", []) => {
                if self.unfinished == 0 {
                    DONE
                } else {
                    Outcome::Park(JOINERS)
                }
            }
            (method, args) => return Err(unknown("Queue", method, args)),
        })
    }

    fn describe(&self, to: &mut String, _cx: &Context<'_>) {
        to.push_str("<Queue of ");
        to.push_str(&self.values.len().to_string());
        to.push('>');
    }

    fn put_back(&mut self, item: Value, cx: &mut Context<'_>) {
        self.values.push_front(item);
        cx.changed();
    }

    fn empty(&mut self, each: &mut dyn FnMut(Value)) {
        self.values.drain(..).for_each(each);
    }
}
