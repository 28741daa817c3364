//! `outputs`: the files that a process has brought home, and whether they still are what they were.

use super::Desk;
use crate::exit::{Exit, Trouble};
use crate::json::{self, OutputFile};
use crate::kinds::job;
use crate::screen::{self, Paint};
use procession::ProcessId;
use procession::transport::Digest;
use procession_batch::Fetched;
use std::fs::File;
use std::path::Path;

/// Lists the files. [`Exit::Failed`] if one is missing or was changed since it was verified.
pub(crate) fn outputs(desk: &Desk, id: ProcessId) -> Result<Exit, Trouble> {
    let (_, row) = desk.find(id)?;
    let Some(job) = job::read(&row) else {
        return Err(Trouble::HasNone { id, kind: row.kind.into_owned(), what: "outputs" });
    };
    let folder = job.results();
    let files: Vec<OutputFile> = job.files().iter().map(|file| look(&folder, file)).collect();
    let intact = files.iter().all(|file| file.now == INTACT);
    let listed = json::Outputs { id, folder: Some(folder), files };
    if desk.global.json {
        json::print(&listed);
    } else {
        tell(&listed, row.stage.is_end());
    }
    Ok(if intact { Exit::Well } else { Exit::Failed })
}

const INTACT: &str = "intact";

fn look(folder: &Path, file: &Fetched) -> OutputFile {
    let path = folder.join(&file.path);
    let now = match File::open(&path).and_then(|mut bytes| Digest::read(&mut bytes)) {
        Ok((digest, size)) if size == file.size && digest.to_string() == file.hash => INTACT,
        Ok(_) => "changed",
        // A link is fetched as a link, and may lead to what was not asked for.
        Err(_) if std::fs::symlink_metadata(&path).is_ok_and(|there| there.is_symlink()) => INTACT,
        Err(_) => "missing",
    };
    OutputFile { path, size: file.size, blake3: file.hash.clone(), now }
}

fn tell(listed: &json::Outputs, is_over: bool) {
    let paint = Paint::of(&std::io::stdout());
    if listed.files.is_empty() {
        let why = if is_over { "brought nothing home" } else { "has brought nothing home yet" };
        return screen::err(&format!("process {} {why}", listed.id));
    }
    let row = |file: &OutputFile| {
        let now = if file.now == INTACT { paint.good(file.now) } else { paint.bad(file.now) };
        vec![file.path.display().to_string(), screen::size(file.size), now]
    };
    let rows: Vec<Vec<String>> = listed.files.iter().map(row).collect();
    screen::out(&screen::table(&["FILE", "SIZE", "NOW"], &rows));
}
