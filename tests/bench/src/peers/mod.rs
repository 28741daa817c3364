//! What we stand beside: the same work without us.

pub mod children;
pub mod local_set;
pub mod openssh;
pub mod raw;
pub mod rows;
pub mod sbatch;
pub mod slow_line;
pub mod wake;
