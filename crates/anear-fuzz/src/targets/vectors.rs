//! Files of vectors, as data sets are published.

use std::fs;
use std::path::Path;

use anear_eval::{Vectors, datasets};
use tempfile::TempDir;

use super::Target;
use crate::mutate::changed;

pub(super) const FVECS: Target = Target {
    name: "fvecs",
    seeds: || seeds("base.fvecs"),
    change: changed,
    read: |input| read("base.fvecs", input),
};

pub(super) const FBIN: Target = Target {
    name: "fbin",
    seeds: || seeds("base.fbin"),
    change: changed,
    read: |input| read("base.fbin", input),
};

pub(super) const NPY: Target = Target {
    name: "npy",
    seeds: || seeds("base.npy"),
    change: changed,
    read: |input| read("base.npy", input),
};

fn seeds(name: &str) -> Vec<Vec<u8>> {
    in_folder(|folder| {
        let data: datasets::Synthetic = "n=20,d=4".parse().expect("it is a data set");
        let path = folder.join(name);
        datasets::save(&path, &mut data.base()).expect("the folder can be written");
        vec![fs::read(path).expect("it was just written")]
    })
}

fn read(name: &str, input: &[u8]) -> bool {
    in_folder(|folder| {
        let path = folder.join(name);
        fs::write(&path, input).expect("the folder can be written");
        datasets::open(&path)
            .and_then(|mut blocks| Vectors::read(&mut *blocks))
            .is_ok()
    })
}

fn in_folder<R>(work: impl FnOnce(&Path) -> R) -> R {
    work(TempDir::new().expect("there is room for a folder").path())
}
