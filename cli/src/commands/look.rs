//! `ps`, `show`, `dump`: what the journal says.

use super::Desk;
use crate::args::Ps;
use crate::exit::{Exit, Trouble};
use crate::follow::LIVE;
use crate::json::{self, Effect};
use crate::screen::{self, Paint};
use crate::view::View;
use procession::ProcessId;
use procession::journal::{Ask, Filter, LedgerRow, Letter, Reader, Stage};

/// Lists processes.
pub(crate) fn ps(desk: &Desk, args: &Ps) -> Result<Exit, Trouble> {
    let store = desk.store.folder();
    let runtime = desk.store.holder().is_some();
    let mut listed = json::Ps { store, runtime, processes: Vec::new(), waiting: 0, broken: Vec::new() };
    if let Some(reader) = desk.store.look()? {
        let stages = match (args.all, args.phase.is_empty()) {
            (_, false) => args.phase.clone(),
            (true, true) => Vec::new(),
            (false, true) => LIVE.to_vec(),
        };
        for row in reader.processes(&Filter { stages, kind: None })? {
            match row {
                Ok(row) => listed.processes.push(View::of(row)),
                Err(broken) => listed.broken.push(broken.to_string()),
            }
        }
        listed.waiting = reader.letters()?.iter().filter(|letter| is_adoption(letter)).count();
    }
    if desk.global.json {
        json::print(&listed);
        return Ok(Exit::Well);
    }
    let paint = Paint::of(&std::io::stdout());
    if listed.processes.is_empty() {
        let all = if args.all { "" } else { "; `procession ps --all` shows those that have ended" };
        screen::err(&format!("no processes in {}{all}", store.display()));
    } else {
        let rows: Vec<Vec<String>> = listed.processes.iter().map(|view| cells(view, paint)).collect();
        screen::out(&screen::table(&["ID", "NAME", "KIND", "HOST", "PHASE", "STATE", "AGE", ""], &rows));
    }
    if listed.waiting > 0 {
        screen::err(&format!("{} handed over and not begun", listed.waiting));
    }
    let is_left = listed.waiting > 0 || listed.processes.iter().any(|view| !view.is_over());
    if is_left && !listed.runtime {
        screen::err("no runtime is at work; `procession up` carries on with what is unfinished");
    }
    listed.broken.iter().for_each(|broken| screen::err(&paint.bad(broken)));
    Ok(Exit::Well)
}

fn cells(view: &View, paint: Paint) -> Vec<String> {
    let host = view.host.clone().unwrap_or_else(|| "-".to_owned());
    let phase = match view.wish() {
        Some(wish) => format!("{}, {}", paint.phase(view.phase, view.ok), paint.still(wish)),
        None => paint.phase(view.phase, view.ok),
    };
    let detail = paint.faint(&view.detail);
    let age = screen::age(view.row.born);
    let state = view.state.clone();
    vec![view.id.to_string(), view.name.clone(), view.kind.clone(), host, phase, state, age, detail]
}

fn is_adoption(letter: &Letter) -> bool {
    matches!(letter.ask, Ok(Ask::Adopt { .. }))
}

/// Shows one process.
pub(crate) fn show(desk: &Desk, id: ProcessId) -> Result<Exit, Trouble> {
    let (reader, row) = desk.find(id)?;
    let view = View::of(row);
    let effects = effects(&reader, id)?;
    let children = reader.children(id)?.into_iter().flatten().map(|row| row.id).collect::<Vec<_>>();
    if desk.global.json {
        let effects = effects.iter().map(Effect::of).collect();
        json::print(&json::Show { process: &view, effects, children });
        return Ok(Exit::Well);
    }
    let paint = Paint::of(&std::io::stdout());
    let mut lines = vec![paint.strong(&format!("{} {}", view.id, view.name))];
    let mut say = |what: &str, text: String| lines.push(format!("  {what:<10} {text}"));
    say("kind", view.kind.clone());
    if let Some(host) = &view.host {
        say("host", host.clone());
    }
    say("phase", format!("{} (wanted: {})", paint.phase(view.phase, view.ok), view.desired));
    say("state", view.state.clone());
    if !view.detail.is_empty() {
        say("", view.detail.clone());
    }
    if let Some(attempt) = view.attempt {
        say("attempt", attempt.to_string());
    }
    if let Some(results) = &view.results {
        say("results", results.display().to_string());
    }
    if let Some(parent) = view.parent {
        say("parent", parent.to_string());
    }
    say("born", format!("{} ({} ago)", screen::moment(view.row.born), screen::age(view.row.born)));
    say("changed", format!("{} ({} ago)", screen::moment(view.row.changed), screen::age(view.row.changed)));
    if !children.is_empty() {
        say("children", children.iter().map(ToString::to_string).collect::<Vec<_>>().join(" "));
    }
    for effect in &effects {
        let end = effect.end.map_or("out there", |(end, _)| end.word());
        let LedgerRow { effect, .. } = effect;
        say("effect", format!("{} {} on {}: {end}", effect.kind, effect.name, effect.host));
    }
    screen::out(&lines.join("\n"));
    Ok(Exit::Well)
}

/// Prints all that the journal has of one process, whatever its kind.
pub(crate) fn dump(desk: &Desk, id: ProcessId) -> Result<Exit, Trouble> {
    let (reader, row) = desk.find(id)?;
    let effects = effects(&reader, id)?.iter().map(Effect::of).collect();
    let about = |letter: &Letter| match &letter.ask {
        Ok(Ask::Desire { process, .. } | Ask::Nudge { process }) => *process == id,
        Ok(Ask::Adopt { .. }) | Err(_) => false,
    };
    let letters = reader.letters()?.into_iter().filter(about).filter_map(|letter| letter.ask.ok());
    let letters = letters.map(|ask| serde_json::to_value(ask).unwrap_or_default()).collect();
    json::print(&json::Dump { row: json::row(&row), effects, letters });
    Ok(Exit::Well)
}

fn effects(reader: &Reader, id: ProcessId) -> Result<Vec<LedgerRow>, Trouble> {
    Ok(reader.effects(id)?.into_iter().collect::<Result<Vec<_>, _>>()?)
}

/// The ids that are meant by `--all`: those of processes in `stages`.
pub(crate) fn all(reader: &Reader, stages: &[Stage]) -> Result<Vec<ProcessId>, Trouble> {
    let rows = reader.processes(&Filter { stages: stages.to_vec(), kind: None })?;
    Ok(rows.into_iter().flatten().map(|row| row.id).collect())
}
