//! Who sees what happens on the simulated hosts, at the moment it does.

/// A witness: the place where properties of a world are checked.
pub trait Witness {
    /// A file, a folder or a link was made on a host.
    fn on_made(&self, host: &str, path: &str);

    /// Whether the machine that the runtime runs on has power. Without it, it sends nothing.
    fn has_power(&self) -> bool {
        true
    }

    /// A job has passed the fence in front of its payload: it has started.
    fn on_started(&self, host: &str, job: &str);

    /// The payload of a job has begun, and so many run on the host with it.
    fn on_payload(&self, host: &str, job: &str, running: usize);

    /// A job has left evidence of its end.
    fn on_exit(&self, host: &str, job: &str, code: i32);

    /// A promise that was made to a host is broken.
    fn on_broken(&self, host: &str, what: String);
}

/// A witness who looks away.
pub struct Nobody;

impl Witness for Nobody {
    fn on_made(&self, _host: &str, _path: &str) {}
    fn on_started(&self, _host: &str, _job: &str) {}
    fn on_payload(&self, _host: &str, _job: &str, _running: usize) {}
    fn on_exit(&self, _host: &str, _job: &str, _code: i32) {}
    fn on_broken(&self, _host: &str, _what: String) {}
}
