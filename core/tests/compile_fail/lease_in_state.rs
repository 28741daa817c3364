// A lease is alive, and a state is plain data: what cannot be written into the journal cannot be in a state.
use procession::State;
use procession::transport::Cancel;
use serde::{Deserialize, Serialize};

#[derive(Clone, Debug, Serialize, Deserialize)]
enum Copying {
    Running { lease: Cancel },
}

impl State for Copying {}

fn main() {}
