//! What every dialect must do: one list of facts, the same for a plain host, Slurm and Grid Engine, all of them real.

mod facts;

use crate::clients::nap;
use crate::loops::Loop;
use procession::transport::{Exec, Exit, Op};
use procession::{JournalUid, ProcessId};
use procession_batch::dialect::{
    Call, Cancelled, Dialect, Direct, Evidence, Force, GridEngine, JobId, Slurm, Status, Submitted, evidence,
};
use procession_batch::{JobName, JobSpec, Place};
use procession_tests::contract::ask;
use procession_tests::services::{self, Cluster, Server, Sshd};
use std::path::PathBuf;

/// A host with a scheduler. What is staged is written to its disk, which is ours; commands go through a transport.
pub struct Site {
    host: Loop,
    dialect: Box<dyn Dialect>,
    next: u64,
}

impl Site {
    pub fn new(host: Loop, dialect: impl Dialect + 'static) -> Site {
        Site { host, dialect: Box::new(dialect), next: 1 }
    }

    /// Whether it can do what this job asks for.
    fn can(&self, spec: &JobSpec) -> bool {
        self.dialect.cannot(spec).is_empty()
    }

    /// A sandbox with everything in it but the inputs, for a process that is new here.
    fn stage(&mut self, spec: &JobSpec) -> Place {
        let process = ProcessId::new(self.next).expect("not zero");
        self.next += 1;
        let journal = JournalUid(std::process::id());
        let place = Place { root: "jobs".into(), name: JobName { journal, process, attempt: 1 } };
        let sandbox = self.sandbox(&place);
        std::fs::create_dir_all(&sandbox).expect("made");
        for file in self.dialect.files(spec, &place) {
            let path = sandbox.join(file.name);
            std::fs::write(&path, file.text).expect("written");
            let mode = if file.executable { 0o755 } else { 0o644 };
            let mode = std::os::unix::fs::PermissionsExt::from_mode(mode);
            std::fs::set_permissions(&path, mode).expect("set");
        }
        place
    }

    fn sandbox(&self, place: &Place) -> PathBuf {
        self.host.work().join(place.sandbox())
    }

    fn read(&self, place: &Place, file: &str) -> String {
        std::fs::read_to_string(self.sandbox(place).join(file)).unwrap_or_default()
    }

    fn run(&mut self, argv: &[String]) -> Exit {
        ask(&mut self.host, |ret| Op::Exec(Exec::new(argv.iter().cloned()), ret)).expect("it runs")
    }

    fn call<T>(&mut self, call: Call<T>) -> T {
        let exit = self.run(&call.argv);
        (call.read)(&exit).unwrap_or_else(|e| {
            let said = [exit.stdout, exit.stderr].concat();
            panic!("{} {e}: {}", self.dialect.word(), String::from_utf8_lossy(&said))
        })
    }

    fn submit(&mut self, spec: &JobSpec, place: &Place) -> Submitted {
        self.call(self.dialect.submit(spec, place))
    }

    /// A job that is staged and taken.
    fn begin(&mut self, spec: &JobSpec) -> (Place, JobId) {
        let place = self.stage(spec);
        match self.submit(spec, &place) {
            Submitted::Accepted(id) => (place, id),
            other @ (Submitted::Unsure | Submitted::Refused(_)) => panic!("{other:?}"),
        }
    }

    fn status(&mut self, place: &Place) -> Status {
        let rows = self.call(self.dialect.status(std::slice::from_ref(place)));
        rows.into_iter().find(|(name, _)| *name == place.name).map_or(Status::Unknown, |(_, status)| status)
    }

    fn look_up(&mut self, place: &Place) -> Status {
        let rows = self.call(self.dialect.look_up(std::slice::from_ref(place)));
        rows.into_iter().find(|(name, _)| *name == place.name).map_or(Status::Unknown, |(_, status)| status)
    }

    fn evidence(&mut self, place: &Place) -> Evidence {
        self.call(evidence(std::slice::from_ref(place))).remove(0).1
    }

    /// Until it has left evidence of its end.
    fn end(&mut self, place: &Place) -> procession_batch::End {
        self.until("evidence", |site| site.evidence(place).exit.is_some());
        self.evidence(place).exit.expect("it is there").end()
    }

    fn cancel(&mut self, place: &Place, force: Force) -> Cancelled {
        self.call(self.dialect.cancel(place, None, force))
    }

    /// Looks again and again; generous, for a test that loops for minutes is one that fails.
    fn until(&mut self, what: &str, mut happened: impl FnMut(&mut Site) -> bool) {
        for _ in 0..3000 {
            if happened(self) {
                return;
            }
            nap();
        }
        panic!("{} never came to {what}", self.dialect.word());
    }
}

fn keeps_the_list(site: &mut Site) {
    for (name, check) in facts::FACTS {
        println!("{}: {name}", site.dialect.word());
        check(site);
    }
}

#[test]
fn a_plain_host_keeps_the_list() {
    keeps_the_list(&mut Site::new(Loop::here(vec![]), Direct::new(0)));
}

#[test]
fn slurm_keeps_the_list() {
    let slurm = services::Slurm::with(Cluster { cpus: 8, ..Cluster::default() });
    keeps_the_list(&mut Site::new(Loop::here(vec![slurm.env()]), Slurm));
}

#[test]
fn slurm_with_accounting_keeps_the_list() {
    let slurm = services::Slurm::with(Cluster { cpus: 8, accounting: true, ..Cluster::default() });
    keeps_the_list(&mut Site::new(Loop::here(vec![slurm.env()]), Slurm));
}

#[test]
fn slurm_behind_sshd_keeps_the_list() {
    let slurm = services::Slurm::with(Cluster { cpus: 8, ..Cluster::default() });
    let sshd = Sshd::with(Server { env: vec![slurm.env()], ..Server::default() });
    keeps_the_list(&mut Site::new(Loop::behind(&sshd), Slurm));
    assert!(sshd.connections() <= 2, "{}", sshd.log());
}

#[test]
fn grid_engine_behind_sshd_keeps_the_list() {
    let engine = services::GridEngine::start(8);
    let sshd = Sshd::with(Server { env: engine.env(), ..Server::default() });
    keeps_the_list(&mut Site::new(Loop::behind(&sshd), GridEngine::default()));
}

#[test]
fn grid_engine_keeps_the_list() {
    let engine = services::GridEngine::start(8);
    keeps_the_list(&mut Site::new(Loop::here(engine.env()), GridEngine::default()));
}
