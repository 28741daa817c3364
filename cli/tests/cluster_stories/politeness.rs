//! Many jobs, few connections.

use super::Site;
use procession::journal::Stage;
use procession_tests::services::Cluster;

const JOBS: usize = 500;

#[test]
fn five_hundred_jobs_need_three_connections() {
    let site = Site::new(Cluster { nodes: 2, cpus: 32, ..Cluster::default() }, "poll = \"2s\"");
    let mut words: Vec<String> = ["run", "--quiet", "--host", "cluster"].map(String::from).into();
    words.extend((0..JOBS).map(|n| site.job(&format!("job-{n}"), "echo done > out.txt", "")));
    site.shell.well(&words);
    assert_eq!(site.count(Stage::Finished), JOBS);
    assert!(site.sshd.connections() <= 3, "{} connections", site.sshd.connections());
    site.is_clean();
}
