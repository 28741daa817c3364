//! How fast transfers are, beside `scp` and `tar` on the same server. Run by hand, optimised:
//! `PROCESSION_LONG=1 cargo test --profile sim -p procession-ssh --test beside -- --nocapture`
#![expect(clippy::disallowed_methods, reason = "it measures, and starts its peers")]

mod place;

use place::{Place, Sshd};
use procession::transport::{Get, Op, Put, Want};
use std::path::Path;
use std::process::Command;
use std::time::Instant;

fn timed<T>(what: &str, mib: f64, act: impl FnOnce() -> T) -> T {
    let begun = Instant::now();
    let done = act();
    let seconds = begun.elapsed().as_secs_f64();
    println!("{what:28} {seconds:7.3} s {:8.0} MiB/s", mib / seconds);
    done
}

fn sh(line: &str) {
    assert!(Command::new("sh").arg("-c").arg(line).status().unwrap().success(), "{line}");
}

#[test]
fn beside_scp_and_tar() {
    if std::env::var_os("PROCESSION_LONG").is_none() {
        eprintln!("skipped: it takes a minute and tells numbers; PROCESSION_LONG=1 runs it");
        return;
    }
    let sshd = Sshd::start("");
    let at = |name: &str| sshd.folder.path().join(name);
    let mut place = Place::new(sshd.config());
    let socket = at("master");
    let options = format!(
        "-i {} -o UserKnownHostsFile={} -o IdentitiesOnly=yes -o ControlPath={} -o LogLevel=ERROR",
        at("user").display(),
        at("known_hosts").display(),
        socket.display()
    );
    sh(&format!(
        "ssh -F none {options} -p {} -o ControlMaster=yes -o ControlPersist=yes -fN 127.0.0.1",
        sshd.port
    ));
    let ssh = format!("ssh -F none {options} -p {} 127.0.0.1", sshd.port);
    let scp = format!("scp -q -F none {options} -P {}", sshd.port);
    sh(&format!(
        "mkdir -p {0}/many; cd {0}/many; for d in $(seq 50); do mkdir d$d; for f in $(seq 40); do head -c 4096 /dev/urandom >d$d/f$f; done; done",
        at("from").display()
    ));
    sh(&format!("head -c 268435456 /dev/urandom >{}", at("from/large").display()));
    let there = |name: &str| at("there").join(name).display().to_string();
    sh(&format!("mkdir -p {} {}", at("there").display(), at("back").display()));
    place.ask(Op::WhenUp).unwrap();
    for round in 0..3 {
        let name = |what: &str| there(&format!("{what}{round}"));
        timed("scp up 256M", 256.0, || {
            sh(&format!("{scp} {} 127.0.0.1:{}", at("from/large").display(), name("scp")))
        });
        let to = name("ours").parse().unwrap();
        timed("put 256M", 256.0, || place.ask(|ret| Op::Put(Put::new(at("from/large"), to), ret)).unwrap());
        timed("scp down 256M", 256.0, || {
            sh(&format!("{scp} 127.0.0.1:{} {}", at("from/large").display(), at("back/scp").display()))
        });
        let want = vec![Want::required("large".parse().unwrap())];
        let get = |to: &Path| Get::new(at("from").to_str().unwrap().parse().unwrap(), want.clone(), to);
        timed("get 256M", 256.0, || {
            place.ask(|ret| Op::Get(get(&at(&format!("back/l{round}"))), ret)).unwrap()
        });
        timed("tar up 2000", 8.0, || {
            sh(&format!(
                "cd {} && tar cf - many | {ssh} 'mkdir {1} && tar xf - -C {1}'",
                at("from").display(),
                name("tar")
            ))
        });
        let to = name("tree").parse().unwrap();
        timed("put 2000", 8.0, || place.ask(|ret| Op::Put(Put::new(at("from/many"), to), ret)).unwrap());
        let to = name("tree").parse().unwrap();
        timed("put 2000 again", 8.0, || {
            place.ask(|ret| Op::Put(Put::new(at("from/many"), to), ret)).unwrap()
        });
        timed("tar down 2000", 8.0, || {
            sh(&format!(
                "mkdir {1}; {ssh} 'tar cf - -C {0} many' | tar xf - -C {1}",
                at("from").display(),
                at(&format!("back/t{round}")).display()
            ))
        });
        let want = vec![Want::required("**".parse().unwrap())];
        let get =
            Get::new(at("from/many").to_str().unwrap().parse().unwrap(), want, at(&format!("back/m{round}")));
        timed("get 2000", 8.0, || place.ask(|ret| Op::Get(get, ret)).unwrap());
    }
    sh(&format!("ssh -F none {options} -p {} -O exit 127.0.0.1 2>/dev/null", sshd.port));
}
