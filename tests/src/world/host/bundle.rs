//! `bundle.sh`: several calls of a script in one command, one after the other.

use super::direct::script;
use super::machine::{Here, Next, Program};
use procession_batch::dialect::{BUNDLE, call_of, sh};
use std::collections::VecDeque;
use std::time::Duration;

/// Plays a command that [`bundle`](procession_batch::dialect::bundle) has made.
pub struct Bundle {
    calls: VecDeque<Vec<String>>,
    /// After this long no more are begun.
    most: Duration,
    began: Option<Duration>,
    under_way: Option<Box<dyn Program>>,
}

impl Bundle {
    /// The bundle of this command line; none if it is not one, or not one of scripts that are known here.
    pub fn of(argv: &[String]) -> Option<Bundle> {
        let (BUNDLE, [text, most, counted @ ..]) = call_of(argv)? else { return None };
        let (mut calls, mut rest) = (VecDeque::new(), counted);
        while let [count, args @ ..] = rest {
            let (args, others) = args.split_at_checked(count.parse().ok()?)?;
            let call = sh(text, args.iter().cloned());
            script(&call)?;
            calls.push_back(call);
            rest = others;
        }
        let most = Duration::from_secs(most.parse().ok()?);
        Some(Bundle { calls, most, began: None, under_way: None })
    }
}

impl Program for Bundle {
    fn step(&mut self, here: &mut Here<'_>) -> Next {
        if let Some(call) = &mut self.under_way {
            let next = call.step(here);
            let Next::Exits(code) = next else { return next };
            here.print(format!("\nPROCESSION-OVER 1 {code}\n"));
            self.under_way = None;
            return Next::Soon;
        }
        let now = here.machine.uptime();
        let is_late = now.saturating_sub(*self.began.get_or_insert(now)) >= self.most;
        let left = self.calls.len();
        let Some(call) = self.calls.pop_front().filter(|_| !is_late) else {
            here.print(format!("PROCESSION-LEFT 1 {left}\n"));
            return Next::Exits(0);
        };
        here.print("PROCESSION-PART 1\n");
        self.under_way = script(&call);
        Next::Soon
    }
}
