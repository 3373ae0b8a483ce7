//! Where bytes live: file access as a trait, checksummed containers and bounded readers for anear.
