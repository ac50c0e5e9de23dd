//! Compares the definitions of src/ffi with the mp.h for which libmp_header.so was compiled, one by one.
//! Says how many comparisons there were, or fails with those that differ.

// The code below is ctest2's.
#![allow(warnings)]
#![allow(clippy::all)]

mod declarations {
    use std::ffi::*;
    include!(concat!(env!("OUT_DIR"), "/declarations.rs"));
}

use declarations::*;
use std::ffi::*;

include!(concat!(env!("OUT_DIR"), "/checks.rs"));
