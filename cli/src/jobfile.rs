//! Job files: from a path to a checked [`JobSpec`]. All that is wrong is told at once, each with file, line and field.

use crate::place::{self, Places};
use procession_batch::{JobSpec, SpecError};
use serde_json::Value;
use std::fmt;
use std::io::Read;
use std::path::{Path, PathBuf};

/// The longest job file, in bytes. People write a few hundred; a script with its data in it belongs into the inputs.
const LONGEST: u64 = 1 << 20;

/// A job, as its file describes it.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct JobFile {
    /// The file.
    pub path: PathBuf,
    /// The folder at which the paths of its inputs begin; absolute.
    pub folder: PathBuf,
    /// The job.
    pub spec: JobSpec,
}

/// What is wrong with a job file.
#[derive(Debug, thiserror::Error)]
pub enum JobFileError {
    /// It cannot be read.
    #[error("{}: the job file cannot be read: {why}", path.display())]
    Unreadable {
        /// The file.
        path: PathBuf,
        /// What the system said.
        why: std::io::Error,
    },
    /// It is longer than a job file can be.
    #[error("{}: longer than {LONGEST} bytes; is it a job file? Large things belong into its inputs", path.display())]
    TooLong {
        /// The file.
        path: PathBuf,
    },
    /// It is neither TOML nor JSON.
    #[error("{}{}: {why}", path.display(), at(*line))]
    Syntax {
        /// The file.
        path: PathBuf,
        /// Where, from 1.
        line: Option<usize>,
        /// What the parser says.
        why: String,
    },
    /// Its fields are wrong.
    #[error("{}", .0.iter().map(ToString::to_string).collect::<Vec<_>>().join("\n"))]
    Wrong(Vec<Slip>),
    /// A file that it wants to send is not there.
    #[error("{}{}: {field} = {:?}: there is no {}", path.display(), at(*line), from.display(), resolved.display())]
    NoInput {
        /// The file.
        path: PathBuf,
        /// Where, from 1.
        line: Option<usize>,
        /// Which.
        field: String,
        /// What is there.
        from: PathBuf,
        /// Where that leads; relative paths begin at the job file.
        resolved: PathBuf,
    },
}

/// One field that is wrong, of a job file or of the file of hosts.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Slip {
    /// The file.
    pub path: PathBuf,
    /// Where, from 1, if it can be told.
    pub line: Option<usize>,
    /// Which field, what is there, why it is wrong, and the way out.
    pub error: SpecError,
}

impl fmt::Display for Slip {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}{}: {}", self.path.display(), at(self.line), self.error)
    }
}

impl JobFile {
    /// Reads and checks a job file. It is JSON if its name ends with `.json`, else TOML.
    pub fn read(path: &Path) -> Result<JobFile, JobFileError> {
        let unreadable = |why| JobFileError::Unreadable { path: path.to_owned(), why };
        let mut text = String::new();
        let file = std::fs::File::open(path).map_err(unreadable)?;
        file.take(LONGEST + 1).read_to_string(&mut text).map_err(unreadable)?;
        if text.len() as u64 > LONGEST {
            return Err(JobFileError::TooLong { path: path.to_owned() });
        }
        let job = JobFile::parse(&text, path)?;
        job.find_inputs(&text)?;
        Ok(job)
    }

    /// Checks the text of a job file, and looks at no other file. `path` says which form it has, and is for messages.
    ///
    /// ```
    /// use procession_cli::JobFile;
    /// let text = "name = 'pi'\ncommand = ['true']\n[resources]\nmemory = 5\n";
    /// let wrong = JobFile::parse(text, "pi.toml".as_ref()).unwrap_err().to_string();
    /// assert!(wrong.starts_with("pi.toml:4: resources.memory"), "{wrong}");
    /// ```
    pub fn parse(text: &str, path: &Path) -> Result<JobFile, JobFileError> {
        let value = if place::is_json(path) { json(text, path)? } else { toml(text, path)? };
        let spec = JobSpec::from_value(value).map_err(|errors| {
            let places = Places::of(text, path);
            let slip =
                |error: SpecError| Slip { path: path.to_owned(), line: places.line(&error.field), error };
            JobFileError::Wrong(errors.0.into_iter().map(slip).collect())
        })?;
        let absolute = std::path::absolute(path)
            .map_err(|why| JobFileError::Unreadable { path: path.to_owned(), why })?;
        let folder = absolute.parent().unwrap_or(Path::new("/")).to_owned();
        Ok(JobFile { path: path.to_owned(), folder, spec })
    }

    /// Looks whether what the job wants to send is there.
    fn find_inputs(&self, text: &str) -> Result<(), JobFileError> {
        for (at, input) in self.spec.inputs.iter().enumerate() {
            let resolved = self.folder.join(&input.from);
            if std::fs::symlink_metadata(&resolved).is_err() {
                let field = format!("inputs[{at}].from");
                let line = Places::of(text, &self.path).line(&field);
                let (path, from) = (self.path.clone(), input.from.clone());
                return Err(JobFileError::NoInput { path, line, field, from, resolved });
            }
        }
        Ok(())
    }
}

fn json(text: &str, path: &Path) -> Result<Value, JobFileError> {
    serde_json::from_str(text).map_err(|e| {
        let why = format!("this is no JSON: {e}");
        JobFileError::Syntax { path: path.to_owned(), line: Some(e.line()), why }
    })
}

fn toml(text: &str, path: &Path) -> Result<Value, JobFileError> {
    let value = toml::from_str::<toml::Table>(text).map_err(|e| JobFileError::Syntax {
        path: path.to_owned(),
        line: e.span().map(|span| Places::of(text, path).line_at(span.start)),
        why: format!("this is no TOML: {}", e.message()),
    })?;
    serde_json::to_value(value).map_err(|e| JobFileError::Syntax {
        path: path.to_owned(),
        line: None,
        why: format!("it holds what a job file cannot: {e}"),
    })
}

fn at(line: Option<usize>) -> String {
    line.map(|line| format!(":{line}")).unwrap_or_default()
}
