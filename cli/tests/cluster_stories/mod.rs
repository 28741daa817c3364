//! A cluster, and a user of it.

mod exactly_once;
mod outage;
mod politeness;

use crate::shell::{Shell, processes_with};
use procession::journal::{Filter, Stage};
use procession_batch::JobName;
use procession_tests::services::{Cluster, Server, Slurm, Sshd};
use std::process::Command;

/// A Slurm cluster whose login node is behind an sshd, and a user with a shell and a file of hosts.
pub struct Site {
    pub shell: Shell,
    pub slurm: Slurm,
    pub sshd: Sshd,
}

impl Site {
    /// With these limits in the file of hosts.
    pub fn new(cluster: Cluster, limits: &str) -> Site {
        let shell = Shell::new();
        let slurm = Slurm::with(cluster);
        let sshd = Sshd::with(Server { env: vec![slurm.env()], ..Server::default() });
        let text = format!(
            "[hosts.cluster]\ntransport = \"ssh\"\nssh = {{ host = \"box\", config = \"{}\" }}\nscheduler = \"slurm\"\n\
             work = \"{}\"\n[hosts.cluster.limits]\n{limits}\n",
            sshd.ssh_config().display(),
            shell.path("host").display(),
        );
        std::fs::create_dir(shell.path("host")).expect("made");
        // The program looks here, see `Shell::command`.
        shell.file("config/procession/hosts.toml", &text);
        Site { shell, slurm, sshd }
    }

    /// A job file with a required output `out.txt`, and more fields.
    pub fn job(&self, name: &str, script: &str, more: &str) -> String {
        let file = self.shell.job(name, script);
        let text = std::fs::read_to_string(&file).expect("just written");
        self.shell.file(&format!("{name}.toml"), &format!("{text}{more}[[outputs]]\npattern = \"out.txt\"\n"))
    }

    /// So many have ended in this way.
    pub fn count(&self, stage: Stage) -> usize {
        let filter = Filter { stages: vec![stage], kind: None };
        self.shell.reader().processes(&filter).map_or(0, |rows| rows.len())
    }

    /// No folder, no job in the queue, no row without an end.
    pub fn is_clean(&self) {
        self.is_swept();
        assert_eq!(self.queue(), "");
    }

    /// The same, with a controller that was killed: it says of some jobs that they run until their nodes report, minutes later.
    /// They do not.
    pub fn is_swept(&self) {
        let open = self.shell.reader().open_effects().expect("read");
        assert!(open.is_empty(), "effects without an end: {open:?}");
        let entries = std::fs::read_dir(self.shell.path("host")).expect("a work folder").flatten();
        let ours = |name: &std::ffi::OsStr| name.to_str().is_some_and(|name| JobName::parse(name).is_some());
        let left: Vec<_> = entries.map(|entry| entry.file_name()).filter(|name| ours(name)).collect();
        assert!(left.is_empty(), "folders that nobody needs: {left:?}");
        let listed = self.queue();
        for name in listed.lines().filter_map(|line| line.split(' ').next_back()) {
            assert_eq!(processes_with(name), [""; 0], "{name} runs on");
        }
    }

    /// What `squeue` lists.
    pub fn queue(&self) -> String {
        let (name, value) = self.slurm.env();
        let said = Command::new("squeue").args(["-h", "-o", "%i %T %j"]).env(name, value).output();
        String::from_utf8(said.expect("squeue").stdout).expect("UTF-8")
    }
}

#[test]
fn a_job_goes_to_the_cluster_and_its_results_come_home() {
    let site = Site::new(Cluster::default(), "poll = \"1s\"");
    let check = site.shell.well(&["host", "check", "cluster"]);
    assert!(check.out.contains("slurm-wlm"), "{check:?}");
    let input = site.shell.file("words", "b\na\n");
    let script = "sort words > out.txt; echo said";
    let file = site.job("sort", script, &format!("[[inputs]]\nfrom = \"{input}\"\n"));
    site.shell.well(&["run", "--host", "cluster", &file]);
    let outputs = site.shell.well(&["--json", "outputs", "1"]).json();
    let files = outputs["files"].as_array().expect("a list");
    assert!(files.iter().all(|file| file["now"] == "intact"), "{outputs}");
    let sorted = site.shell.path("results/sort/attempt-1/outputs/out.txt");
    assert_eq!(std::fs::read_to_string(sorted).expect("there"), "a\nb\n");
    assert!(site.sshd.logins() <= 3, "{}", site.sshd.log());
    site.is_clean();
}
