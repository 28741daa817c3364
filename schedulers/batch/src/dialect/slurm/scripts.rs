//! The scripts of the Slurm dialect: POSIX `sh` and Slurm's own commands.
//!
//! Each runs as `sh -c SCRIPT procession ARGUMENT…`. Whatever varies is an argument, so nothing is ever quoted. The heads
//! of the scripts say which arguments they take and what they answer. A command of Slurm that fails ends the script without
//! an answer: that is about the host.

/// Submits. `SANDBOX ATTEMPT NAME OPTION…`; answers `submitted ID`, `known ID`, `unsure`, `refused WHY`, or `failed CODE` and
/// what sbatch said.
pub const SUBMIT: &str =
    concat!(include_str!("../frame/sent.sh"), include_str!("sh/begin.sh"), include_str!("sh/submit.sh"));

/// How far all our jobs are. `(SANDBOX ATTEMPT NAME)…` of those that have run for long; answers `ID|STATE|REASON|NAME` for each
/// job, and `left|NAME` for those of the arguments that have left evidence of their end.
pub const STATUS: &str = concat!(include_str!("sh/head.sh"), include_str!("sh/status.sh"));

/// The same, and what accounting remembers. `(SANDBOX ATTEMPT NAME)…`; answers `now|…` and `then|ID|STATE|CODE:SIGNAL|NAME`.
pub const LOOK_UP: &str = concat!(include_str!("sh/head.sh"), include_str!("sh/look_up.sh"));

/// Whether a submission arrived. `SANDBOX ATTEMPT NAME look|close`; answers `known ID`, `absent` or `fenced`.
pub const FENCE: &str =
    concat!(include_str!("sh/head.sh"), include_str!("sh/begin.sh"), include_str!("sh/fence.sh"));

/// Ends jobs. `(SANDBOX ATTEMPT NAME TERM|KILL)…`; answers `gone`, `never` or `still COUNT` for each, as a part of a bundle.
pub const CANCEL: &str =
    concat!(include_str!("sh/head.sh"), include_str!("sh/begin.sh"), include_str!("sh/cancel.sh"));
