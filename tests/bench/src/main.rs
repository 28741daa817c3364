//! Procession beside its peers, measured in one run.
//!
//! Every promise about speed and size is a row here: ours, the same work by others, and the limit. It never compares with a
//! number from another day or another machine.

#![expect(
    clippy::disallowed_methods,
    reason = "a measurement reads the clock, starts threads and waits for children"
)]

mod callgrind;
mod count_alloc;
mod peers;
mod race;
mod report;
mod scenarios;

fn main() {
    let args: Vec<String> = std::env::args().collect();
    if args.get(1).is_some_and(|a| a == "scenario") {
        assert!(scenarios::run(&args[2], args[3].parse().expect("a number")));
        return;
    }
    for (name, _) in scenarios::SCENARIOS {
        println!("{name} {:?}", callgrind::instructions(name, 5000));
    }
    let n = 1000;
    println!(
        "raw {}",
        count_alloc::live_bytes_during(|| {
            let mut w = peers::raw::World::new();
            let p = w.paused(n);
            (p, w)
        }) / n as isize
    );
    println!(
        "local {}",
        count_alloc::live_bytes_during(|| {
            let w = peers::local_set::World::new();
            let p = w.paused(n);
            (p, w)
        }) / n as isize
    );
}
