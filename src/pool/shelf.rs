//! Things with numbers that grow, of which most go in about that order: a row of places, and a tree for the few that
//! stay behind.

use std::collections::{BTreeMap, VecDeque};

/// See the module.
pub(super) struct Shelf<T> {
    /// The number of the first place.
    first: usize,
    row: VecDeque<Option<T>>,
    /// Those with smaller numbers.
    behind: BTreeMap<usize, T>,
    /// Places that the row has before any are left behind.
    most: usize,
}

impl<T> Shelf<T> {
    pub(super) fn new(most: usize) -> Self {
        Shelf { first: 0, row: VecDeque::new(), behind: BTreeMap::new(), most }
    }

    /// The next one, by its number.
    pub(super) fn push(&mut self, number: usize, thing: T) {
        debug_assert_eq!(number, self.first + self.row.len());
        while self.row.front().is_some_and(|place| place.is_none() || self.row.len() >= self.most) {
            if let Some(Some(thing)) = self.row.pop_front() {
                self.behind.insert(self.first, thing);
            }
            self.first += 1;
        }
        self.row.push_back(Some(thing));
    }

    pub(super) fn get(&self, number: usize) -> Option<&T> {
        match number.checked_sub(self.first) {
            Some(place) => self.row.get(place)?.as_ref(),
            None => self.behind.get(&number),
        }
    }

    pub(super) fn get_mut(&mut self, number: usize) -> Option<&mut T> {
        match number.checked_sub(self.first) {
            Some(place) => self.row.get_mut(place)?.as_mut(),
            None => self.behind.get_mut(&number),
        }
    }

    pub(super) fn take(&mut self, number: usize) -> Option<T> {
        match number.checked_sub(self.first) {
            Some(place) => self.row.get_mut(place)?.take(),
            None => self.behind.remove(&number),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_is_found_until_it_is_taken() {
        let mut shelf = Shelf::new(8);
        for number in 0..1000 {
            shelf.push(number, number * 2);
            // One in a hundred stays, however many pass by; the others go two steps later.
            if let Some(gone) = number.checked_sub(2).filter(|n| n % 100 != 0) {
                assert_eq!(shelf.get(gone), Some(&(gone * 2)));
                assert_eq!(shelf.take(gone), Some(gone * 2));
                assert_eq!(shelf.take(gone), None);
            }
            assert!(shelf.row.len() <= 8 && shelf.behind.len() <= 10);
        }
        for number in (0..1000).step_by(100) {
            *shelf.get_mut(number).unwrap() += 1;
            assert_eq!(shelf.take(number), Some(number * 2 + 1));
            assert!(shelf.get(number).is_none() && shelf.get_mut(number).is_none());
        }
        assert!(shelf.get(5000).is_none());
    }
}
