//! What fuzz/targets call that no function of mp.h does; built only for them.

/// A client's requests to a manager's server.
pub fn requests(input: &[u8]) {
    crate::manager::fuzz::requests(input);
}
