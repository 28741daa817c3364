//! One host, for a command that needs a word with it now: to check it, to read a log, to remove what is left over.
//!
//! It is a runtime without a journal and with one transport, which runs only while somebody asks. Its sessions count in the
//! same budget as those of the runtime at work.

use crate::exit::Trouble;
use crate::hosts::Hosts;
use crate::kinds::Services;
use crate::store::Store;
use procession::Runtime;
use procession::transport::{Answer, Op, Transport, TransportError};
use stakker::Ret;
use std::cell::RefCell;
use std::rc::Rc;

/// A host, as long as a command needs it.
pub(crate) struct Reach {
    transport: Transport,
    /// Before the runtime, whose last turns it needs.
    _services: Services,
    runtime: Runtime,
}

impl Reach {
    /// The host of this name. Nothing is connected before something is asked.
    pub(crate) fn to(store: &Store, hosts: &Hosts, name: &str) -> Result<Reach, Trouble> {
        let host = hosts.host(name)?;
        let mut runtime = Runtime::builder().build()?;
        let mut services = Services::default();
        let transport = services.transport(&mut runtime, name, host, store)?;
        Ok(Reach { transport, _services: services, runtime })
    }

    /// The host, by its name.
    pub(crate) fn name(&self) -> &str {
        self.transport.name()
    }

    /// Waits for the answer to an operation.
    pub(crate) fn ask<T: 'static>(
        &mut self,
        op: impl FnOnce(Answer<T>) -> Op,
    ) -> Result<Result<T, TransportError>, Trouble> {
        let slot = Rc::new(RefCell::new(None));
        let answer = slot.clone();
        let ret = Ret::new(move |answered: Option<_>| *answer.borrow_mut() = Some(answered));
        self.transport.op(op(ret));
        self.runtime.run_while(|_| slot.borrow().is_none())?;
        let answered = slot.borrow_mut().take().flatten();
        let died = || TransportError::Unreachable {
            host: self.transport.name().to_owned(),
            why: "its transport ended".to_owned(),
        };
        Ok(answered.unwrap_or_else(|| Err(died())))
    }
}
