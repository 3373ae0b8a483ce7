//! The kernels of 64-bit Arm under emulation, so that they are tested where no such processor is.

use std::path::Path;

use crate::run::{self, Outcome, cargo};

const TARGET: &str = "aarch64-unknown-linux-gnu";
const LINKER: &str = "aarch64-linux-gnu-gcc";
const EMULATOR: &str = "qemu-aarch64";

/// Every unit and integration test of the kernels, on NEON.
pub(crate) fn test() -> Outcome {
    available()?;
    cargo(&[
        "test",
        "--release",
        "--target",
        TARGET,
        "--package",
        "anear-kernels",
        "--tests",
    ])
    .env("CARGO_TARGET_AARCH64_UNKNOWN_LINUX_GNU_LINKER", LINKER)
    .env(
        "CARGO_TARGET_AARCH64_UNKNOWN_LINUX_GNU_RUNNER",
        format!("{EMULATOR} -L /usr/aarch64-linux-gnu"),
    )
    .env("ANEAR_REQUIRE", "neon")
    .run()
}

/// As [`test()`], where what it needs is there; says what is missing where it is not.
pub(crate) fn test_if_installed() -> Outcome {
    match available() {
        Ok(()) => test(),
        Err(missing) => {
            println!("\nNOT RUN: `cargo xtask neon`: {missing}");
            Ok(())
        }
    }
}

/// Nothing, or what is not installed.
fn available() -> Outcome {
    for tool in [LINKER, EMULATOR] {
        run::output(tool, &["--version"]).map_err(|_| format!("`{tool}` is not installed"))?;
    }
    let libraries = run::output("rustc", &["--print", "target-libdir", "--target", TARGET])?;
    if Path::new(libraries.trim()).is_dir() {
        Ok(())
    } else {
        Err(format!("the Rust target {TARGET} is not installed"))
    }
}
