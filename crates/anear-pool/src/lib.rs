//! The compute pool of anear and the bridge by which async code awaits it.
