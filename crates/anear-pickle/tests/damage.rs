//! A saved store with every possible wrong byte and every possible end: an error or other data, never worse.
// The counts are part of what these tests report.
#![allow(clippy::print_stdout)]

use anear_pickle::{read_index_pkl, write_index_pkl};

const SMALL: &[u8] = include_bytes!("fixtures/langchain/lc042_py311/index.pkl");

#[test]
fn every_truncation_is_an_error() {
    for len in 0..SMALL.len() {
        assert!(read_index_pkl(&SMALL[..len]).is_err(), "{len} bytes");
    }
    println!("{} truncations", SMALL.len());
}

#[test]
fn every_single_byte_change_is_an_error_or_a_store() {
    let (mut refused, mut read) = (0, 0);
    for at in 0..SMALL.len() {
        let mut damaged = SMALL.to_vec();
        for change in 1..=255 {
            damaged[at] = SMALL[at] ^ change;
            match read_index_pkl(&damaged) {
                Ok(saved) => {
                    // Whatever was read is whole: it can be written, and reads the same.
                    let again = read_index_pkl(&write_index_pkl(&saved).unwrap()).unwrap();
                    assert_eq!(format!("{again:?}"), format!("{saved:?}"));
                    read += 1;
                }
                Err(error) => {
                    assert!(!error.to_string().is_empty());
                    refused += 1;
                }
            }
        }
    }
    println!(
        "{} changed bytes: {refused} refused, {read} read as other data",
        refused + read
    );
}
