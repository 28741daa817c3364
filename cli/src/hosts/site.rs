//! The profile of a site: what its administrators offer, and what its users say each time. It completes a job before it is
//! sent, and refuses one that no queue would take.

use procession_batch::{JobSpec, Memory, Span, SpecError};
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;

/// In a job's `mpi`, stands for the words of the site.
const SITES_MPI: &str = "{mpi}";

/// What a site offers, and what is the same for all jobs there.
#[derive(Clone, PartialEq, Eq, Debug, Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Site {
    /// The queue of a job that names none.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub queue: Option<String>,
    /// Whom to charge if the job does not say.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub account: Option<String>,
    /// Shell text before that of each job.
    #[serde(skip_serializing_if = "String::is_empty")]
    pub prepend: String,
    /// Shell text after that of each job.
    #[serde(skip_serializing_if = "String::is_empty")]
    pub append: String,
    /// Environment modules that are loaded before those of each job.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub modules: Vec<String>,
    /// What `{mpi}` stands for in a job's `mpi`; `{nodes}`, `{tasks}` and `{cpus_per_task}` in it are numbers of the job.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub mpi: Vec<String>,
    /// The kinds of GPUs that there are, as its scheduler names them. Any, if none is listed.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub gpus: Vec<String>,
    /// The queues. Any, if none is listed.
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    pub queues: BTreeMap<String, Queue>,
}

/// What a queue permits. What is left out is not limited.
#[derive(Clone, PartialEq, Eq, Debug, Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Queue {
    /// The longest that a job may run.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub walltime: Option<Span>,
    /// The most nodes of a job.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub nodes: Option<u32>,
    /// Cores of a node.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub cpus: Option<u32>,
    /// Memory of a node.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub memory: Option<Memory>,
    /// GPUs of a node.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub gpus: Option<u32>,
}

impl Site {
    /// The job with what is the same for all jobs here.
    ///
    /// ```
    /// use procession_batch::JobSpec;
    /// use procession_cli::Site;
    /// let site = Site { mpi: vec!["srun".into(), "-n{tasks}".into()], ..Site::default() };
    /// let mut job = JobSpec { mpi: vec!["{mpi}".into()], ..JobSpec::default() };
    /// job.resources.tasks = 8;
    /// assert_eq!(site.complete(job).mpi, ["srun", "-n8"]);
    /// ```
    pub fn complete(&self, job: JobSpec) -> JobSpec {
        let needs = &job.resources;
        let numbers = [
            ("{nodes}", needs.nodes.to_string()),
            ("{tasks}", needs.tasks.to_string()),
            ("{cpus_per_task}", needs.cpus_per_task.to_string()),
        ];
        let filled = |word: &String| {
            numbers.iter().fold(word.clone(), |word, (name, number)| word.replace(name, number))
        };
        let of_site = |word: String| match word == SITES_MPI {
            true => self.mpi.iter().map(filled).collect(),
            false => vec![word],
        };
        JobSpec {
            mpi: job.mpi.into_iter().flat_map(of_site).collect(),
            queue: job.queue.or_else(|| self.queue.clone()),
            account: job.account.or_else(|| self.account.clone()),
            prepend: joined(&self.prepend, &job.prepend),
            append: joined(&job.append, &self.append),
            modules: self.modules.iter().cloned().chain(job.modules).collect(),
            ..job
        }
    }

    /// What no queue of this site would take of a job, each with the limit and the way out. `host` is for the messages.
    pub fn refuses(&self, host: &str, job: &JobSpec) -> Vec<SpecError> {
        let mut errors = Vec::new();
        if self.mpi.is_empty() && job.mpi.iter().any(|word| word == SITES_MPI) {
            let why = format!("{host} has no MPI command");
            let way_out = format!(
                "add `mpi` to hosts.{host}.site, or write the words here: [\"mpirun\", \"-n\", \"8\"]"
            );
            errors.push(SpecError::new("mpi", format!("{:?}", job.mpi), &why, &way_out));
        }
        if let Some(gpu) =
            job.resources.gpu.as_ref().filter(|gpu| !self.gpus.is_empty() && !self.gpus.contains(gpu))
        {
            let why = format!("{host} has no such GPUs");
            let way_out = format!("choose one of {}", self.gpus.join(", "));
            errors.push(SpecError::new("resources.gpu", format!("{gpu:?}"), &why, &way_out));
        }
        if self.queues.is_empty() {
            return errors;
        }
        let Some(name) = job.queue.as_ref().or(self.queue.as_ref()) else {
            return errors;
        };
        let Some(queue) = self.queues.get(name) else {
            let why = format!("{host} has no such queue");
            let known = self.queues.keys().cloned().collect::<Vec<_>>().join(", ");
            errors.push(SpecError::new(
                "queue",
                format!("{name:?}"),
                &why,
                &format!("choose one of {known}"),
            ));
            return errors;
        };
        errors.extend(queue.exceeded(job).into_iter().map(|over| self.error(host, name, over, job)));
        errors
    }

    fn error(&self, host: &str, name: &str, over: Exceeded, job: &JobSpec) -> SpecError {
        let fits = |queue: &Queue| queue.exceeded(job).is_empty();
        let others: Vec<&str> =
            self.queues.iter().filter(|(_, q)| fits(q)).map(|(name, _)| name.as_str()).collect();
        let Exceeded { field, asked, limit } = over;
        let why = format!("the queue {name} of {host} permits {limit}");
        let way_out = match others.is_empty() {
            true => format!("ask for {limit} at most; no queue there takes this job"),
            false => format!("ask for {limit} at most, or choose the queue {}", others.join(" or ")),
        };
        SpecError::new(field, asked, &why, &way_out)
    }
}

/// A limit that a job exceeds.
struct Exceeded {
    field: &'static str,
    asked: String,
    limit: String,
}

impl Queue {
    fn exceeded(&self, job: &JobSpec) -> Vec<Exceeded> {
        let needs = &job.resources;
        // Spread evenly, as the schedulers do.
        let cpus = needs.tasks.saturating_mul(needs.cpus_per_task).div_ceil(needs.nodes.max(1));
        let mut all = Vec::new();
        let mut over = |field, asked: String, limit: String| all.push(Exceeded { field, asked, limit });
        if let (Some(asked), Some(limit)) = (needs.walltime, self.walltime).filter_over() {
            over("resources.walltime", asked.to_string(), limit.to_string());
        }
        if let (Some(asked), Some(limit)) = (needs.memory, self.memory).filter_over() {
            over("resources.memory", asked.to_string(), format!("{limit} on a node"));
        }
        if let (Some(asked), Some(limit)) = (Some(needs.nodes), self.nodes).filter_over() {
            over("resources.nodes", asked.to_string(), limit.to_string());
        }
        if let (Some(asked), Some(limit)) = (Some(cpus), self.cpus).filter_over() {
            let field =
                if needs.cpus_per_task > limit { "resources.cpus_per_task" } else { "resources.tasks" };
            over(field, format!("{asked} cores on a node"), format!("{limit} cores on a node"));
        }
        if let (Some(asked), Some(limit)) = (Some(needs.gpus), self.gpus).filter_over() {
            over("resources.gpus", asked.to_string(), format!("{limit} on a node"));
        }
        all
    }
}

/// Both sides, if what is asked is more than the limit.
trait FilterOver: Sized {
    fn filter_over(self) -> Self;
}

impl<T: PartialOrd> FilterOver for (Option<T>, Option<T>) {
    fn filter_over(self) -> Self {
        match self {
            (Some(asked), Some(limit)) if asked > limit => (Some(asked), Some(limit)),
            (Some(_) | None, Some(_) | None) => (None, None),
        }
    }
}

fn joined(first: &str, second: &str) -> String {
    let glue = if first.is_empty() || first.ends_with('\n') || second.is_empty() { "" } else { "\n" };
    format!("{first}{glue}{second}")
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn site() -> Site {
        let site = json!({
            "queue": "short",
            "prepend": "umask 027",
            "modules": ["site"],
            "gpus": ["a100"],
            "queues": {
                "short": { "walltime": "1h", "nodes": 2, "cpus": 16, "memory": "64GiB", "gpus": 0 },
                "long": { "walltime": "7d", "cpus": 16, "memory": "64GiB", "gpus": 4 },
            },
        });
        serde_json::from_value(site).expect("a site")
    }

    fn job(more: serde_json::Value) -> JobSpec {
        let mut job = json!({ "name": "a", "command": ["x"] });
        job.as_object_mut().expect("a table").extend(more.as_object().expect("a table").clone());
        JobSpec::from_value(job).expect("a job")
    }

    fn refused(more: serde_json::Value) -> Vec<String> {
        site().refuses("cluster", &job(more)).iter().map(ToString::to_string).collect()
    }

    #[test]
    fn a_job_that_fits_is_not_refused() {
        assert_eq!(refused(json!({})), [""; 0]);
        let all = json!({ "nodes": 2, "tasks": 32, "memory": "64GiB", "walltime": "1h" });
        assert_eq!(refused(json!({ "resources": all })), [""; 0]);
        let gpus = json!({ "gpus": 4, "gpu": "a100", "walltime": "2d" });
        assert_eq!(refused(json!({ "queue": "long", "resources": gpus })), [""; 0]);
    }

    #[test]
    fn a_limit_that_is_exceeded_is_named_with_a_queue_that_would_do() {
        assert_eq!(
            refused(json!({ "resources": { "walltime": "2h" } })),
            [
                "resources.walltime = 2h: the queue short of cluster permits 1h; ask for 1h at most, or choose the queue long"
            ]
        );
        let none = refused(json!({ "resources": { "memory": "1TiB", "tasks": 17, "gpus": 1 } }));
        assert_eq!(none.len(), 3, "{none:?}");
        assert!(
            none[0].contains("64GiB on a node") && none[0].ends_with("no queue there takes this job"),
            "{none:?}"
        );
        assert!(none[1].starts_with("resources.tasks = 17 cores on a node"), "{none:?}");
    }

    #[test]
    fn queues_and_gpus_that_are_not_there_are_refused_with_those_that_are() {
        let queue = refused(json!({ "queue": "nope" }));
        assert_eq!(queue, ["queue = \"nope\": cluster has no such queue; choose one of long, short"]);
        let gpu = refused(json!({ "queue": "long", "resources": { "gpus": 1, "gpu": "h100" } }));
        assert_eq!(gpu, ["resources.gpu = \"h100\": cluster has no such GPUs; choose one of a100"]);
        assert!(refused(json!({ "mpi": ["{mpi}"] }))[0].contains("no MPI command"));
    }

    #[test]
    fn what_is_the_same_for_all_comes_around_what_is_the_jobs_own() {
        let own = json!({ "prepend": "cd x", "modules": ["own"], "queue": "long" });
        let done = site().complete(job(own));
        assert_eq!((done.prepend.as_str(), done.queue.as_deref()), ("umask 027\ncd x", Some("long")));
        assert_eq!(done.modules, ["site", "own"]);
        assert_eq!(site().complete(job(json!({}))).queue.as_deref(), Some("short"));
    }
}
