//! One CPU: nobody spins, which would only be the same looks again.

pub(crate) fn several() -> bool {
    false
}

pub(crate) fn give_way() -> bool {
    false
}

pub(crate) fn give_way_where_it_pays() {}
