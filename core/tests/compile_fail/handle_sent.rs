// A handle belongs to the thread of its runtime.
use procession::{Handle, Process};

fn is_send<T: Send>(_: T) {}

fn elsewhere<P: Process>(handle: Handle<P>) {
    is_send(handle);
}

fn main() {}
