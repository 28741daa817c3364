//! A line with a delay: a proxy on the loopback that hands on what it hears, later.

use std::io::{Read, Write};
use std::net::{Ipv4Addr, Shutdown, TcpListener, TcpStream};
use std::sync::mpsc::channel;
use std::time::{Duration, Instant};

/// Listens on a port of its own and connects to `to`; each byte arrives `delay` later, in both directions.
pub fn slow_line(to: u16, delay: Duration) -> u16 {
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).expect("a port");
    let port = listener.local_addr().expect("it is bound").port();
    std::thread::spawn(move || {
        for near in listener.incoming().flatten() {
            let Ok(far) = TcpStream::connect((Ipv4Addr::LOCALHOST, to)) else { continue };
            for (from, to) in [(&near, &far), (&far, &near)] {
                let _ = to.set_nodelay(true);
                if let (Ok(from), Ok(to)) = (from.try_clone(), to.try_clone()) {
                    hand_on(from, to, delay);
                }
            }
        }
    });
    port
}

/// One thread reads and looks at the clock, another waits and writes: the line is slow, and wide.
fn hand_on(mut from: TcpStream, mut to: TcpStream, delay: Duration) {
    let (sender, line) = channel::<(Instant, Vec<u8>)>();
    std::thread::spawn(move || {
        let mut piece = vec![0; 256 << 10];
        while let Ok(count @ 1..) = from.read(&mut piece) {
            if sender.send((Instant::now() + delay, piece[..count].to_vec())).is_err() {
                return;
            }
        }
    });
    std::thread::spawn(move || {
        for (due, bytes) in line {
            std::thread::sleep(due.saturating_duration_since(Instant::now()));
            if to.write_all(&bytes).is_err() {
                return;
            }
        }
        let _ = to.shutdown(Shutdown::Write);
    });
}
