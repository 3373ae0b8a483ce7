//! Names that leave the folder, and things in place of files.
#![cfg(unix)]

use std::fs;
use std::os::unix::fs::symlink;
use std::path::Path;
use std::process::Command;

use anear_bytes::RealFs;
use anear_store::Error;

use super::scene::{NAME, block_on, builder, first, fixtures, second, written};

const NAMES: [&str; 24] = [
    "",
    ".",
    "..",
    "../index",
    "../../index",
    "a/../../index",
    "a/b",
    "/etc/index",
    "//index",
    "~/index",
    "./index",
    "index/",
    "a\\b",
    "..\\index",
    "C:index",
    "C:\\index",
    "\\\\host\\share",
    "index\0",
    "index\n",
    ".hidden",
    "in..dex",
    "NUL",
    "con.txt",
    "index\u{202e}",
];

#[test]
fn names_that_leave_the_folder_are_refused_by_saves_and_loads() {
    let outer = tempfile::tempdir().unwrap();
    let folder = outer.path().join("inner");
    fs::create_dir(&folder).unwrap();
    let store = first().store(RealFs);
    for name in NAMES {
        let saved = block_on(store.save_local(&folder, name));
        let loaded = block_on(builder(RealFs).load_local(&folder, name)).map(drop);
        for result in [saved, loaded] {
            let error = result.expect_err(name);
            assert!(
                matches!(error, Error::Storage(anear_bytes::Error::Name { .. })),
                "{name:?}: {error:?}"
            );
            assert!(
                error.to_string().starts_with(&format!("`{}` ", name.escape_debug())),
                "{error}"
            );
        }
    }
    assert_eq!(fs::read_dir(&folder).unwrap().count(), 0);
    assert_eq!(fs::read_dir(outer.path()).unwrap().count(), 1);
    println!("{} names refused, twice each", NAMES.len());
}

#[test]
fn a_link_a_pipe_or_a_folder_in_place_of_a_file_is_refused() {
    let mut count = 0;
    for of_langchain in [false, true] {
        let outer = tempfile::tempdir().unwrap();
        let whole = outer.path().join("whole");
        if of_langchain {
            fs::create_dir(&whole).unwrap();
            for name in ["index.faiss", "index.pkl"] {
                fs::copy(fixtures().join("lc042_py311").join(name), whole.join(name)).unwrap();
            }
        } else {
            block_on(first().store(RealFs).save_local(&whole, NAME)).unwrap();
        }
        let names = ["index.faiss", "index.pkl", "index.anear.json"];
        for name in &names[..if of_langchain { 2 } else { 3 }] {
            for kind in ["link", "link to a device", "pipe", "folder"] {
                let folder = outer.path().join(format!("{name} {kind}"));
                fs::create_dir(&folder).unwrap();
                for name in names.iter().filter(|name| whole.join(name).exists()) {
                    fs::copy(whole.join(name), folder.join(name)).unwrap();
                }
                replace(&folder.join(name), kind, &whole.join(name));
                let error = block_on(builder(RealFs).load_local(&folder, NAME)).expect_err(kind);
                assert!(
                    matches!(&error, Error::Storage(anear_bytes::Error::NotAFile { path, .. }) if path.ends_with(name)),
                    "{name}, {kind}: {error:?}"
                );
                count += 1;
            }
        }
    }
    println!("{count} things in place of a file refused");
}

/// `current -> v42` is how stores are put into service.
#[test]
fn the_folder_itself_may_be_a_link_which_saves_leave_in_place() {
    let outer = tempfile::tempdir().unwrap();
    let [folder, relative, absolute] = ["v42", "current", "absolute"].map(|name| outer.path().join(name));
    block_on(first().store(RealFs).save_local(&folder, NAME)).unwrap();
    symlink("v42", &relative).unwrap();
    symlink(&folder, &absolute).unwrap();
    for link in [&relative, &absolute, &relative.join("")] {
        let loaded = block_on(builder(RealFs).load_local(link, NAME)).unwrap();
        assert_eq!(written(&loaded), first().written());
    }
    block_on(second().store(RealFs).save_local(&relative, NAME)).unwrap();
    assert!(relative.is_symlink());
    let loaded = block_on(builder(RealFs).load_local(&folder, NAME)).unwrap();
    assert_eq!(written(&loaded), second().written());
}

/// Puts something else in place of a file.
fn replace(file: &Path, kind: &str, original: &Path) {
    fs::remove_file(file).unwrap();
    match kind {
        "link" => symlink(original, file).unwrap(),
        "link to a device" => symlink("/dev/zero", file).unwrap(),
        "pipe" => assert!(Command::new("mkfifo").arg(file).status().unwrap().success()),
        _ => fs::create_dir(file).unwrap(),
    }
}

#[test]
fn a_save_replaces_a_link_and_leaves_what_it_points_to() {
    let (inside, outside) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    for name in ["index.faiss", "index.pkl"] {
        fs::write(outside.path().join(name), "precious").unwrap();
        symlink(outside.path().join(name), inside.path().join(name)).unwrap();
    }
    block_on(second().store(RealFs).save_local(inside.path(), NAME)).unwrap();
    let loaded = block_on(builder(RealFs).load_local(inside.path(), NAME)).unwrap();
    assert_eq!(written(&loaded), second().written());
    for name in ["index.faiss", "index.pkl"] {
        assert_eq!(fs::read(outside.path().join(name)).unwrap(), b"precious");
    }
}

#[test]
fn a_folder_without_a_store_is_named_with_what_was_looked_for() {
    let outer = tempfile::tempdir().unwrap();
    for name in ["other.faiss", "notes.txt"] {
        fs::write(outer.path().join(name), "x").unwrap();
    }
    for folder in [outer.path().to_owned(), outer.path().join("missing")] {
        let error = block_on(builder(RealFs).load_local(&folder, NAME)).unwrap_err();
        assert!(matches!(error, Error::NothingSaved { .. }), "{error:?}");
        let text = error.to_string();
        assert!(
            text.contains(folder.to_str().unwrap()) && text.contains("index.faiss"),
            "{text}"
        );
    }
    for (there, missing) in [("index.faiss", "index.pkl"), ("index.pkl", "index.faiss")] {
        let folder = tempfile::tempdir().unwrap();
        fs::copy(fixtures().join("lc042_py311").join(there), folder.path().join(there)).unwrap();
        let error = block_on(builder(RealFs).load_local(folder.path(), NAME)).unwrap_err();
        assert!(
            matches!(&error, Error::NothingSaved { missing: m, .. } if m == missing),
            "{error:?}"
        );
    }
}

#[test]
fn stores_with_different_names_share_a_folder() {
    let folder = tempfile::tempdir().unwrap();
    let named = [("index", first()), ("index.v2", second()), ("색인", first())];
    for (name, version) in &named {
        block_on(version.store(RealFs).save_local(folder.path(), name)).unwrap();
    }
    for (name, version) in &named {
        let loaded = block_on(builder(RealFs).load_local(folder.path(), name)).unwrap();
        assert_eq!(written(&loaded), version.written());
    }
}
