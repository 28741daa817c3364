//! How a story is told while it happens: bars on a terminal, plain lines elsewhere, JSON lines for programs, or nothing.

use crate::args::Global;
use crate::json;
use crate::screen::{self, Paint};
use crate::view::View;
use indicatif::{MultiProgress, ProgressBar, ProgressDrawTarget, ProgressStyle};
use procession::ProcessId;
use std::collections::BTreeMap;
use std::io::IsTerminal;
use std::time::Duration;

/// So many processes have a line of their own on a terminal; the others are in the sum.
const SPINNERS: usize = 10;

/// How often a spinner turns.
const TICK: Duration = Duration::from_millis(120);

/// Tells of changes.
pub(crate) enum Progress {
    /// For people who watch.
    Bars(Bars),
    /// For files and pipes. Of each process the line that was said last: what people see need not have changed.
    Lines(BTreeMap<ProcessId, String>),
    /// One JSON document for each change, on stdout.
    Json,
    /// For those who only want the end.
    Silent,
}

impl Progress {
    /// As the global arguments and the terminal want it.
    pub(crate) fn new(global: &Global) -> Progress {
        match (global.json || global.quiet, std::io::stderr().is_terminal()) {
            (true, _) => Progress::Silent,
            (false, true) => Progress::Bars(Bars::new()),
            (false, false) => Progress::Lines(BTreeMap::new()),
        }
    }

    /// Tells that a process has changed; `count` is how many there are and how many have ended. Whether anybody listens.
    pub(crate) fn on_change(&mut self, view: &View, count: (usize, usize)) -> bool {
        match self {
            Progress::Bars(bars) => bars.on_change(view, count),
            Progress::Lines(said) => {
                let line = line(view, Paint::of(&std::io::stderr()));
                if said.get(&view.id) != Some(&line) {
                    screen::err(&line);
                    said.insert(view.id, line);
                }
            }
            Progress::Json => return json::print(&json::Change { process: view }),
            Progress::Silent => {}
        }
        true
    }

    /// Says something that is about none of the processes.
    pub(crate) fn say(&self, text: &str) {
        match self {
            Progress::Bars(_) | Progress::Lines(_) => screen::err(text),
            Progress::Json | Progress::Silent => {}
        }
    }
}

/// A process in one line.
pub(crate) fn line(view: &View, paint: Paint) -> String {
    let word = format!("{:<11}", view.word());
    let told = format!("{:>4} {:<16} {} {}", view.id, view.name, paint.phase(&word, view.ok), view.detail);
    told.trim_end().to_owned()
}

/// A line for the sum, and one for each of the first processes that live.
pub(crate) struct Bars {
    all: MultiProgress,
    sum: ProgressBar,
    live: BTreeMap<ProcessId, ProgressBar>,
}

impl Bars {
    fn new() -> Bars {
        let all = MultiProgress::with_draw_target(ProgressDrawTarget::stderr());
        screen::keep_below(&all);
        let style = ProgressStyle::with_template("{bar:30.green} {pos}/{len} ended, {elapsed}");
        let sum = ProgressBar::new(0).with_style(style.expect("the template is a constant"));
        let sum = all.add(sum);
        Bars { all, sum, live: BTreeMap::new() }
    }

    fn on_change(&mut self, view: &View, (all, over): (usize, usize)) {
        self.sum.set_length(all as u64);
        self.sum.set_position(over as u64);
        if view.is_over() {
            if let Some(bar) = self.live.remove(&view.id) {
                bar.finish_and_clear();
            }
            return screen::err(&line(view, Paint::of(&std::io::stderr())));
        }
        if !self.live.contains_key(&view.id) && self.live.len() < SPINNERS {
            let style = ProgressStyle::with_template("{spinner} {msg}").expect("the template is a constant");
            let bar = self.all.insert_before(&self.sum, ProgressBar::new_spinner().with_style(style));
            bar.enable_steady_tick(TICK);
            self.live.insert(view.id, bar);
        }
        if let Some(bar) = self.live.get(&view.id) {
            bar.set_message(line(view, Paint::of(&std::io::stderr())));
        }
    }
}

impl Drop for Bars {
    fn drop(&mut self) {
        self.live.values().for_each(ProgressBar::finish_and_clear);
        self.sum.finish_and_clear();
    }
}
