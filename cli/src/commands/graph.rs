//! `graph`: the states of a kind, as a picture that other programs draw.

use super::Desk;
use crate::args::Graph;
use crate::exit::{Exit, Trouble};
use crate::{json, kinds, screen};
use procession::Edge;

/// Draws the states of a kind, or lists the kinds.
pub(crate) fn graph(desk: &Desk, args: &Graph) -> Result<Exit, Trouble> {
    let tables = kinds::tables();
    let names = || tables.iter().map(|(name, _)| (*name).to_owned());
    let Some(kind) = &args.kind else {
        if desk.global.json {
            json::print(&json::Kinds { kinds: names().collect() });
        } else {
            screen::out(&names().collect::<Vec<_>>().join("\n"));
        }
        return Ok(Exit::Well);
    };
    let Some((_, table)) = tables.iter().find(|(name, _)| name == kind) else {
        let known = names().collect::<Vec<_>>().join(", ");
        return Err(Trouble::NoKind { kind: kind.clone(), known });
    };
    if desk.global.json {
        let edges = edges(table).map(|(from, to)| [from, to]).collect();
        json::print(&json::Graph { kind: kind.clone(), edges });
    } else {
        screen::out(&if args.dot { dot(kind, table) } else { mermaid(table) });
    }
    Ok(Exit::Well)
}

fn edges(table: &'static [Edge]) -> impl Iterator<Item = (&'static str, &'static str)> {
    table.iter().flat_map(|edge| edge.to.iter().map(|to| (edge.from, *to)))
}

/// <https://mermaid.js.org/syntax/stateDiagram.html>
fn mermaid(table: &'static [Edge]) -> String {
    let start = table.first().map(|edge| format!("    [*] --> {}", edge.from));
    let lines =
        edges(table).map(|(from, to)| format!("    {from} --> {}", if to == "end" { "[*]" } else { to }));
    let lines = start.into_iter().chain(lines).collect::<Vec<_>>().join("\n");
    format!("stateDiagram-v2\n{lines}")
}

/// <https://graphviz.org/doc/info/lang.html>
fn dot(kind: &str, table: &'static [Edge]) -> String {
    let lines =
        edges(table).map(|(from, to)| format!("    {from:?} -> {to:?};")).collect::<Vec<_>>().join("\n");
    format!(
        "digraph {kind:?} {{\n    rankdir=LR; node [shape=box, style=rounded]; end [shape=doublecircle];\n{lines}\n}}"
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    const TABLE: &[Edge] = &[Edge { from: "A", to: &["B", "end"] }, Edge { from: "B", to: &["end"] }];

    #[test]
    fn every_edge_is_drawn_once_and_the_first_state_is_the_start() {
        let text = mermaid(TABLE);
        assert_eq!(text, "stateDiagram-v2\n    [*] --> A\n    A --> B\n    A --> [*]\n    B --> [*]");
        assert_eq!(dot("k", TABLE).matches("->").count(), 3);
    }
}
