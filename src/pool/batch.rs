//! The memory of an asynchronous call: copies of its items, its results, and what each item came to.

use super::answer::Value;
use super::call::Work;
use crate::error::{Error, Result, Status, fail};
use crate::shm::Data;

/// See the module.
pub(crate) struct Batch {
    input: Vec<u8>,
    /// Where the items end; of fixed size they are all alike.
    ends: Vec<usize>,
    sizes: Option<(usize, usize)>,
    len: usize,
    pub(super) value: Value,
    pub(super) statuses: Vec<Status>,
}

fn no_memory() -> Error {
    Error::new(Status::NoMemory, "no memory for copies of the items and for the results")
}

fn copy(bytes: &[u8]) -> Result<Vec<u8>> {
    let mut copy = Vec::new();
    copy.try_reserve_exact(bytes.len()).map_err(|_| no_memory())?;
    copy.extend_from_slice(bytes);
    Ok(copy)
}

/// What is not done is cancelled.
fn undone(len: usize) -> Result<Vec<Status>> {
    let mut statuses = Vec::new();
    statuses.try_reserve_exact(len).map_err(|_| no_memory())?;
    statuses.resize(len, Status::Cancelled);
    Ok(statuses)
}

impl Batch {
    /// `len` items of fixed size.
    pub(crate) fn array(input: &[u8], len: usize, (in_size, out_size): (usize, usize)) -> Result<Self> {
        let Some(bytes) = len.checked_mul(out_size) else {
            fail!(Invalid, "the results have no such length")
        };
        let mut output = Vec::new();
        output.try_reserve_exact(bytes).map_err(|_| no_memory())?;
        output.resize(bytes, 0);
        let value = Value::Array(output);
        let (input, statuses) = (copy(input)?, undone(len)?);
        Ok(Batch { input, ends: Vec::new(), sizes: Some((in_size, out_size)), len, value, statuses })
    }

    /// Items of any size.
    pub(crate) fn each<'a>(items: impl Iterator<Item = &'a [u8]>, len: usize) -> Result<Self> {
        let (mut input, mut ends, mut output) = (Vec::new(), Vec::new(), Vec::new());
        ends.try_reserve_exact(len).map_err(|_| no_memory())?;
        output.try_reserve_exact(len).map_err(|_| no_memory())?;
        output.resize_with(len, || None);
        for item in items {
            input.try_reserve(item.len()).map_err(|_| no_memory())?;
            input.extend_from_slice(item);
            ends.push(input.len());
        }
        let statuses = undone(len)?;
        Ok(Batch { input, ends, sizes: None, len, value: Value::Each(output), statuses })
    }

    pub(crate) fn len(&self) -> usize {
        self.len
    }
}

impl Work for Batch {
    fn sizes(&self) -> Option<(usize, usize)> {
        self.sizes
    }

    fn items(&self, first: usize, count: usize) -> &[u8] {
        match self.sizes {
            Some((size, _)) => &self.input[first * size..(first + count) * size],
            None => {
                let from = first.checked_sub(1).map_or(0, |before| self.ends[before]);
                &self.input[from..self.ends[first]]
            }
        }
    }

    fn put_all(&mut self, first: usize, count: usize, results: Data) {
        self.statuses[first..first + count].fill(Status::Ok);
        if let (Value::Array(output), Some((_, size))) = (&mut self.value, self.sizes) {
            let at = first * size;
            results.read(0, &mut output[at..at + results.len()]);
        }
    }

    fn put(&mut self, index: usize, result: Data) -> Result<()> {
        let mut bytes = Vec::new();
        bytes.try_reserve_exact(result.len()).map_err(|_| no_memory())?;
        bytes.resize(result.len(), 0);
        result.read(0, &mut bytes);
        if let Value::Each(output) = &mut self.value {
            output[index] = Some(bytes);
        }
        self.statuses[index] = Status::Ok;
        Ok(())
    }

    fn fail(&mut self, index: usize, why: &Error) {
        self.statuses[index] = why.status;
    }
}
