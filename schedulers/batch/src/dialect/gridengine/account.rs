//! Reads `qacct -j`: how jobs that have left the queue ended.

use crate::End;
use crate::dialect::AnswerError;

/// The record of a job, or of one task of an array, that has ended.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct Record {
    /// The job's name.
    pub name: String,
    /// Of an array, the task.
    pub task: Option<u32>,
    /// What Grid Engine thinks of it: sge_status(5) has the table.
    pub failed: u32,
    /// As a shell has it: the code, or 128 and the number of the signal.
    pub exit_status: i32,
    /// How long it ran, in whole seconds.
    pub wallclock: u64,
    /// The limit of that, if the job asked for one that is known.
    pub h_rt: Option<u64>,
    /// Whether the job asked for a limit of its memory.
    pub h_vmem: bool,
}

/// The records of an answer. A job that ran more than once has a record for each time, the last one last.
///
/// # Errors
/// [`AnswerError::Garbled`] for a record without its name or with a number that is none.
pub fn records(lines: &[String]) -> Result<Vec<Record>, AnswerError> {
    let mut records: Vec<Record> = Vec::new();
    for line in lines {
        let garbled = || AnswerError::Garbled { line: line.clone() };
        let (key, value) = line.split_once(char::is_whitespace).unwrap_or((line, ""));
        let value = value.trim();
        if key.starts_with("====") {
            records.push(Record::default());
            continue;
        }
        let Some(record) = records.last_mut() else { continue };
        let first = value.split_whitespace().next().unwrap_or_default();
        match key {
            "jobname" => record.name = value.to_string(),
            "taskid" if first != "undefined" => record.task = Some(first.parse().map_err(|_| garbled())?),
            "failed" => record.failed = first.parse().map_err(|_| garbled())?,
            "exit_status" => record.exit_status = first.parse().map_err(|_| garbled())?,
            // 8.1.9 writes `8s`, older ones `8` or `8.123`.
            "ru_wallclock" => record.wallclock = whole(first).ok_or_else(garbled)?,
            "category" => {
                record.h_rt = limit(value, "h_rt").and_then(seconds);
                record.h_vmem = limit(value, "h_vmem").is_some();
            }
            _ => {}
        }
    }
    match records.iter().find(|record| record.name.is_empty()) {
        Some(record) => Err(AnswerError::Garbled { line: format!("{record:?}") }),
        None => Ok(records),
    }
}

impl Record {
    /// How it ended; none if the record does not tell. By sge_status(5), and by what 8.1.9 was seen to write.
    pub fn end(&self) -> Option<End> {
        /// `SIGKILL`, with which Grid Engine itself ends jobs, as a shell has it.
        const KILLED: i32 = 128 + 9;
        match self.failed {
            0 | 12..=16 | 30 => Some(exited(self.exit_status)),
            37 => match (self.h_rt, self.h_vmem) {
                (Some(limit), true) if self.wallclock < limit => Some(End::OutOfMemory),
                (None, true) => Some(End::OutOfMemory),
                // The limit of a queue is in no record.
                (Some(_), true | false) | (None, false) => Some(End::Walltime),
            },
            // The kernel kills what takes the memory, which is never our frame; so this was `qdel`, or an administrator.
            17 | 100 if self.exit_status == KILLED => Some(End::CancelledElsewhere { by: None }),
            17 | 100 => Some(exited(self.exit_status)),
            // The shepherd or its machine crashed, or nobody knew the job any more.
            18 | 19 | 21 | 25 => Some(End::NodeFailure),
            // It never ran, or was moved.
            _ => None,
        }
    }
}

fn exited(status: i32) -> End {
    if (129..=192).contains(&status) {
        End::Signalled { signal: status - 128 }
    } else {
        End::Exited { code: status }
    }
}

fn whole(text: &str) -> Option<u64> {
    let digits = text.trim_end_matches('s');
    digits.split_once('.').map_or(digits, |(whole, _)| whole).parse().ok()
}

/// The value of a resource in a category: `-l h_rt=5,h_vmem=1G -pe smp 2`.
fn limit<'a>(category: &'a str, name: &str) -> Option<&'a str> {
    category.split([' ', ',']).find_map(|word| word.strip_prefix(name)?.strip_prefix('='))
}

/// `5`, `0:0:5` or `:5:`, by sge_types(5).
fn seconds(text: &str) -> Option<u64> {
    let mut parts =
        text.split(':').map(|part| if part.is_empty() { Some(0) } else { part.parse::<u64>().ok() });
    parts.try_fold(0_u64, |sum, part| sum.checked_mul(60)?.checked_add(part?))
}

#[cfg(test)]
mod tests {
    use super::{Record, records};
    use crate::End;

    fn ends(text: &str) -> Vec<(String, Option<End>)> {
        let lines: Vec<String> = text.lines().map(str::to_string).collect();
        let records = records(&lines).expect("as Grid Engine wrote it");
        records.into_iter().map(|record| (record.name.clone(), record.end())).collect()
    }

    #[test]
    fn each_end_that_was_seen_on_the_real_thing_has_its_type() {
        let told = ends(include_str!("fixtures/qacct.txt"));
        let expected = [
            ("ok", Some(End::Exited { code: 0 })),
            ("softlimit", Some(End::Exited { code: 4 })),
            ("limit", Some(End::Walltime)),
            ("sleepy", Some(End::CancelledElsewhere { by: None })),
            // `h_vmem` is a limit of the kernel: the program ends by itself, with whatever code it likes.
            ("oom", Some(End::Exited { code: 1 })),
            ("procession-0badcafe-3-1", Some(End::CancelledElsewhere { by: None })),
        ];
        let expected: Vec<_> = expected.into_iter().map(|(name, end)| (name.to_string(), end)).collect();
        assert_eq!(told, expected);
    }

    #[test]
    fn what_is_not_known_is_no_end_and_a_crash_is_the_nodes() {
        let record = |failed| Record { name: "a".into(), failed, ..Record::default() };
        for failed in [1, 7, 11, 24, 26, 28, 99] {
            assert_eq!(record(failed).end(), None, "{failed}");
        }
        assert_eq!(record(19).end(), Some(End::NodeFailure));
        let both = Record { failed: 37, wallclock: 3, h_rt: Some(60), h_vmem: true, ..record(37) };
        assert_eq!(both.end(), Some(End::OutOfMemory));
        assert_eq!(Record { wallclock: 61, ..both }.end(), Some(End::Walltime));
    }
}
