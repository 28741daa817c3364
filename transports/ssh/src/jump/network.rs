//! Hosts by the names that the user's `ssh` knows, and the gates that lead to them.

use super::Hop;
use crate::auth::Secrets;
use crate::config::{Lookup, Query, Target};
use crate::host::Config;
use crate::session::Patience;
use crate::transport::Ssh;
use procession::RuntimeHandle;
use procession::pool::Rules;
use procession::transport::{RemotePath, Transport, TransportError};
use stakker::{ActorOwn, CX, Core, Ret, actor_new, call, fwd_to, ret_nop, ret_to};
use std::collections::BTreeMap;

/// The hosts that a runtime reaches by SSH, as an actor. It looks their settings up, and opens each gate (`ProxyJump`) once,
/// whatever leads through it. Dropping its owner closes the gates, and so the sessions through them.
pub struct Network {
    runtime: RuntimeHandle,
    setup: NetworkSetup,
    gates: BTreeMap<String, (Transport, ActorOwn<Ssh>)>,
}

/// What all hosts of a network have in common.
#[derive(Clone, Debug)]
pub struct NetworkSetup {
    /// How settings are looked up.
    pub lookup: Lookup,
    /// Who answers when a secret is needed.
    pub secrets: Secrets,
    /// How many sessions the gates have, and how often.
    pub rules: Rules,
    /// How long a gate may be silent.
    pub patience: Patience,
}

impl NetworkSetup {
    /// With the user's `ssh`, these secrets, and the default rules for gates.
    pub fn new(secrets: Secrets) -> NetworkSetup {
        NetworkSetup {
            lookup: Lookup::new(),
            secrets,
            rules: Rules::default(),
            patience: Patience::default(),
        }
    }
}

/// A network, as its users hold it: cheap to clone, owns nothing.
#[derive(Clone)]
pub struct Finder {
    asks: stakker::Fwd<Ask>,
}

struct Ask {
    query: Query,
    ret: Ret<Result<Config, TransportError>>,
}

impl Finder {
    /// Looks a host up and finds the way to it: what [`Ssh::start`] needs, under the name of the alias, with the home folder
    /// as its work folder; both may be changed. Nothing is connected yet, to the host or to its gates.
    ///
    /// `NotFound` if there is no `ssh` program, `Refused` with what `ssh` says about its files or with the way that leads
    /// nowhere.
    pub fn find(&self, query: Query, ret: Ret<Result<Config, TransportError>>) {
        self.asks.fwd(Ask { query, ret });
    }
}

/// A target and the last host on the way to it.
type Found = Result<(Target, Option<Transport>), TransportError>;

impl Network {
    /// Starts the network in the runtime of this handle.
    pub fn start(
        core: &mut Core,
        runtime: RuntimeHandle,
        setup: NetworkSetup,
    ) -> (Finder, ActorOwn<Network>) {
        let actor = actor_new!(core, Network, ret_nop!());
        let finder = Finder { asks: fwd_to!([actor], on_ask() as (Ask)) };
        call!([actor], Network::init(runtime, setup));
        (finder, actor)
    }

    fn init(_: CX![], runtime: RuntimeHandle, setup: NetworkSetup) -> Option<Network> {
        Some(Network { runtime, setup, gates: BTreeMap::new() })
    }

    fn on_ask(&mut self, cx: CX![], ask: Ask) {
        let found = ret_to!([cx], on_found(ask.ret) as (Found));
        self.look_up(cx, ask.query, 0, found);
    }

    fn on_found(&mut self, _: CX![], ret: Ret<Result<Config, TransportError>>, found: Option<Found>) {
        // Without an answer the lookup is gone, and so is who asked for it.
        let Some(found) = found else { return };
        ret.ret(found.map(|(target, via)| self.config(target, via)));
    }

    /// `hops`: how many hosts this one is before the one that was asked for.
    fn look_up(&mut self, cx: CX![], query: Query, hops: usize, ret: Ret<Found>) {
        let target = ret_to!([cx], on_target(hops, ret) as (Result<Target, TransportError>));
        self.setup.lookup.start(cx, query, target);
    }

    fn on_target(
        &mut self,
        cx: CX![],
        hops: usize,
        ret: Ret<Found>,
        target: Option<Result<Target, TransportError>>,
    ) {
        let target = match target {
            Some(Ok(target)) => target,
            Some(Err(e)) => return ret.ret(Err(e)),
            None => return,
        };
        match target.route.last() {
            None => ret.ret(Ok((target, None))),
            Some(_) if hops >= Hop::MOST => {
                let most = Hop::MOST;
                let why = format!(
                    "the way to {} goes through more than {most} hosts: is it a circle?",
                    target.alias
                );
                ret.ret(Err(TransportError::Refused(why)));
            }
            Some(last) => {
                let gate = ret_to!([cx], on_gate(target, ret) as (Found));
                self.look_up(cx, last, hops + 1, gate);
            }
        }
    }

    fn on_gate(&mut self, cx: CX![], target: Target, ret: Ret<Found>, gate: Option<Found>) {
        match gate {
            Some(Ok((gate, via))) => ret.ret(self.gate(cx, gate, via).map(|via| (target, Some(via)))),
            Some(Err(e)) => ret.ret(Err(e)),
            None => {}
        }
    }

    /// The transport of a gate; the same for the same user, host, port and way.
    fn gate(&mut self, cx: CX![], gate: Target, via: Option<Transport>) -> Result<Transport, TransportError> {
        let before = via.as_ref().map_or("", |via| via.name());
        let name = format!("{}@{}:{}", gate.user, gate.host, gate.port);
        let name = if before.is_empty() { name } else { format!("{name} through {before}") };
        if let Some((transport, _)) = self.gates.get(&name) {
            return Ok(transport.clone());
        }
        let config = Config { name: name.clone(), ..self.config(gate, via) };
        let (transport, owner) = Ssh::start(cx, self.runtime.clone(), config)
            .map_err(|e| TransportError::Refused(e.to_string()))?;
        self.gates.insert(name, (transport.clone(), owner));
        Ok(transport)
    }

    fn config(&self, target: Target, via: Option<Transport>) -> Config {
        Config {
            via,
            secrets: self.setup.secrets.clone(),
            rules: self.setup.rules.clone(),
            patience: self.setup.patience,
            ..Config::new(&target.alias.clone(), target, RemotePath::here())
        }
    }
}
