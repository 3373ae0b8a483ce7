//! Where to look: exact and approximate vector indexes of anear.
